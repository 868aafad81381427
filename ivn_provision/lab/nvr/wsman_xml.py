"""WS-Man envelopes: strict reading of hostile requests, plain text writing of replies (facts/winrm.md, parts 1, 10)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from lxml import etree

from ivn_provision.lab.nvr.wsman_faults import SCHEMA, WsmanFault

S = "http://www.w3.org/2003/05/soap-envelope"
A = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
X = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
W = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
P = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"
RSP = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
F = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
FAULT_ACTION = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
CMD_SHELL = f"{RSP}/cmd"
_NAMESPACES = {"s": S, "a": A, "x": X, "w": W, "p": P, "rsp": RSP, "f": F}
_DECLARATIONS = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in _NAMESPACES.items())
_DURATION = re.compile(r"P(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9})(?:\.\d{1,9})?S)?)")
_LONGEST_OPERATION = 60.0  # MaxTimeoutms of every build, in seconds


@dataclass(frozen=True, slots=True)
class WsmanRequest:
    """One request after parsing. `operation_timeout` in seconds, `max_envelope` in bytes."""

    action: str
    message_id: str
    resource: str
    body: etree._Element
    selectors: Mapping[str, str] = field(default_factory=dict)
    operation_timeout: float = _LONGEST_OPERATION
    max_envelope: int = 153_600

    @property
    def shell_id(self) -> str:
        """The shell that the request is about, upper case, or empty."""
        return self.selectors.get("ShellId", "").upper()

    def find(self, path: str) -> etree._Element | None:
        """An element of the body by prefixed path."""
        return self.body.find(path, _NAMESPACES)

    def text(self, path: str) -> str:
        """The text of an element of the body, empty when absent."""
        return self.body.findtext(path, "", _NAMESPACES) or ""

    def texts(self, path: str) -> list[str]:
        """The texts of all such elements."""
        return [each.text or "" for each in self.body.findall(path, _NAMESPACES)]


def parse(content: bytes) -> WsmanRequest:
    """Read a request. Raises WsmanFault for anything that is not a WS-Man envelope in UTF-8 without a DTD."""
    root = _root(content)
    header, body = root.find("s:Header", _NAMESPACES), root.find("s:Body", _NAMESPACES)
    if root.tag != f"{{{S}}}Envelope" or header is None or body is None:
        raise WsmanFault(SCHEMA, "not a SOAP 1.2 envelope with header and body")
    return WsmanRequest(
        action=_header(header, "a:Action"),
        message_id=_header(header, "a:MessageID"),
        resource=_header(header, "w:ResourceURI"),
        body=body,
        selectors=_selectors(header),
        operation_timeout=min(seconds(_header(header, "w:OperationTimeout") or "PT60S"), _LONGEST_OPERATION),
        max_envelope=_number(_header(header, "w:MaxEnvelopeSize") or "153600"),
    )


def seconds(duration: str) -> float:
    """An xs:duration of hours, minutes and seconds. Raises WsmanFault."""
    match = _DURATION.fullmatch(duration.strip())
    if match is None:
        raise WsmanFault(SCHEMA, "a timeout is not a duration")
    hours, minutes, rest = (int(each or 0) for each in match.groups())
    return float(hours * 3600 + minutes * 60 + rest)


def reply(request: WsmanRequest, action: str, body: str) -> bytes:
    """The envelope of a good answer."""
    return _envelope(action, request.message_id, body)


def fault(error: WsmanFault, message_id: str) -> bytes:
    """The envelope of a fault."""
    kind = error.kind
    role = "s:Receiver" if kind.subcode in {"w:TimedOut", "w:InternalError", "w:QuotaLimit"} else "s:Sender"
    text = escape(f"{kind.reason} {error.detail}".strip())
    detail = (
        f'<s:Detail><f:WSManFault Code="{kind.code}" Machine="127.0.0.1">'
        f"<f:Message>{text}</f:Message></f:WSManFault></s:Detail>"
        if kind.code
        else ""
    )
    body = (
        f"<s:Fault><s:Code><s:Value>{role}</s:Value><s:Subcode><s:Value>{kind.subcode}</s:Value></s:Subcode>"
        f'</s:Code><s:Reason><s:Text xml:lang="en-US">{text}</s:Text></s:Reason>{detail}</s:Fault>'
    )
    return _envelope(FAULT_ACTION, message_id, body)


def attribute(value: str) -> str:
    """Text for a double-quoted attribute."""
    return escape(value, {'"': "&quot;"})


def _envelope(action: str, relates_to: str, body: str) -> bytes:
    related = f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo>" if relates_to else ""
    header = (
        f"<a:Action>{escape(action)}</a:Action><a:MessageID>uuid:{str(uuid.uuid4()).upper()}</a:MessageID>"
        f"<a:To>{A}/role/anonymous</a:To>{related}"
    )
    text = f'<s:Envelope xml:lang="en-US" {_DECLARATIONS}><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>'
    return text.encode("utf-8")


def _root(content: bytes) -> etree._Element:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WsmanFault(SCHEMA, "the message is not UTF-8") from error
    if "<!DOCTYPE" in text or "<!ENTITY" in text or "\0" in text:
        raise WsmanFault(SCHEMA, "document type definitions are refused")
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(text.encode("utf-8"), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise WsmanFault(SCHEMA, "the message is not well-formed XML") from error


def _header(header: etree._Element, path: str) -> str:
    return (header.findtext(path, "", _NAMESPACES) or "").strip()


def _selectors(header: etree._Element) -> Mapping[str, str]:
    found = header.findall("w:SelectorSet/w:Selector", _NAMESPACES)
    return {each.get("Name", ""): (each.text or "").strip() for each in found}


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise WsmanFault(SCHEMA, "MaxEnvelopeSize is not a number")
    return int(text)
