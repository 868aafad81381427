"""SOAP 1.2 with a WS-UsernameToken, as a device sees it: requests taken apart, answers and faults made."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from lxml import etree

from ivn_provision.lab.clock import parse_rfc3339

SOAP = "http://www.w3.org/2003/05/soap-envelope"
_SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity"
_WSSE, _WSU = f"{_SECURITY}-secext-1.0.xsd", f"{_SECURITY}-utility-1.0.xsd"
_DIGEST = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"
TOKEN_SECONDS = 30
"""How far `Created` may be from the device's own clock: what real devices take is not known."""
_HEAD = (
    f'<?xml version="1.0" encoding="UTF-8"?>\n<env:Envelope xmlns:env="{SOAP}"'
    ' xmlns:tds="http://www.onvif.org/ver10/device/wsdl" xmlns:trt="http://www.onvif.org/ver10/media/wsdl"'
    ' xmlns:tmd="http://www.onvif.org/ver10/deviceIO/wsdl" xmlns:tt="http://www.onvif.org/ver10/schema"'
    ' xmlns:ter="http://www.onvif.org/ver10/error"><env:Body>'
)
_TAIL = "</env:Body></env:Envelope>"


class Fault(Exception):
    """An answer that is a fault, with its ONVIF subcode; a login that is refused answers 400 (Core, 5.9.2)."""

    def __init__(self, subcode: str, reason: str, code: str = "Sender") -> None:
        super().__init__(reason)
        self.body = (
            f"<env:Fault><env:Code><env:Value>env:{code}</env:Value><env:Subcode><env:Value>ter:{subcode}"
            f'</env:Value></env:Subcode></env:Code><env:Reason><env:Text xml:lang="en">{reason}</env:Text>'
            "</env:Reason></env:Fault>"
        )


@dataclass(frozen=True, slots=True)
class Request:
    """`operation` is the local name of what is asked, `namespace` its service's."""

    root: etree._Element
    namespace: str
    operation: str

    def text(self, name: str) -> str:
        """The text of the first element of this local name, "" without one."""
        return str(self.root.xpath(f"string(//*[local-name()='{name}'])"))


def request_of(raw: bytes) -> Request:
    """Raises Fault for what is no request."""
    try:
        root = etree.fromstring(raw, etree.XMLParser(resolve_entities=False, no_network=True))
        (asked,) = root.findall(f"{{{SOAP}}}Body/*")
    except (etree.XMLSyntaxError, ValueError):
        raise Fault("WellFormed", "Well-formed error") from None
    name = etree.QName(asked)
    return Request(root, name.namespace or "", name.localname)


def envelope(body: str) -> bytes:
    """A whole answer."""
    return f"{_HEAD}{body}{_TAIL}".encode()


class Tokens:
    """Judges the tokens that come to one device: digest, age by its own clock, each nonce once."""

    def __init__(self, username: str, password: str) -> None:
        self._username, self._password = username, password
        self._nonces: set[bytes] = set()

    def check(self, request: Request, now: datetime) -> None:
        """Raises Fault for a request that has no token, or a wrong one."""
        token = request.root.find(f".//{{{_WSSE}}}UsernameToken")
        if token is None or not self._is_right(token, now):
            raise Fault("NotAuthorized", "Sender not Authorized")

    def _is_right(self, token: etree._Element, now: datetime) -> bool:
        given = {etree.QName(each).localname: each for each in token if isinstance(each.tag, str)}
        texts = {name: each.text or "" for name, each in given.items()}
        try:
            nonce = base64.b64decode(texts["Nonce"], validate=True)
            created, shown = texts["Created"], texts["Password"]
            age = abs(now - parse_rfc3339(created))
        except (KeyError, ValueError, binascii.Error):
            return False
        if given["Created"].tag != f"{{{_WSU}}}Created" or given["Password"].get("Type") != _DIGEST:
            return False
        digest = hashlib.sha1(nonce + created.encode() + self._password.encode()).digest()  # noqa: S324 - the protocol's
        is_new = nonce not in self._nonces
        self._nonces.add(nonce)
        is_fresh = age <= timedelta(seconds=TOKEN_SECONDS) and is_new
        is_ours = texts.get("Username") == self._username
        return is_ours and is_fresh and hmac.compare_digest(base64.b64encode(digest).decode(), shown)
