"""Basic and Digest logins of a camera (RFC 7617; RFC 2069, and RFC 7616 with qop), checked for real."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.request import parse_http_list, parse_keqv_list

from ivn_provision.lab.nvr.http_wire import HttpRequest

_MOST_NONCES = 10_000


@dataclass(slots=True)
class Nonces:
    """Those that were given out, with the time of the loop until which each is good."""

    now: Callable[[], float]
    seconds: float
    _until: dict[str, float] = field(default_factory=dict)

    def new(self) -> str:
        """A fresh one; the oldest are forgotten."""
        nonce = secrets.token_hex(16)
        self._until[nonce] = self.now() + self.seconds
        while len(self._until) > _MOST_NONCES:
            del self._until[next(iter(self._until))]
        return nonce

    def good(self, nonce: str, *, once: bool) -> bool:
        """Whether it is one of ours and not over. `once` uses it up."""
        fresh = self._until.get(nonce, 0.0) > self.now()
        if once:
            self._until.pop(nonce, None)
        return fresh

    def expire(self) -> None:
        """All of them are over."""
        self._until.clear()


@dataclass(frozen=True, slots=True)
class Login:
    """What an Authorization header proves: `user` is empty if nothing. `stale`: right, with a nonce that is over."""

    user: str = ""
    stale: bool = False


def basic(packed: str, passwords: Mapping[str, str]) -> Login:
    """Of the text behind `Basic`."""
    try:
        name, _, password = base64.b64decode(packed, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return Login()
    known = passwords.get(name)
    good = known is not None and hmac.compare_digest(known.encode(), password.encode())
    return Login(name if good else "")


def digest(
    given: str,
    request: HttpRequest,
    realm: str,
    passwords: Mapping[str, str],
    nonces: Nonces,
    *,
    qop: bool,
    once: bool,
) -> Login:
    """Of the text behind `Digest`. Its `uri` must be the request's target, byte for byte."""
    try:
        fields = parse_keqv_list(parse_http_list(given))
    except ValueError:
        return Login()
    name = fields.get("username", "")
    known = passwords.get(name)
    if known is None or fields.get("realm") != realm or fields.get("uri") != request.target:
        return Login()
    if bool(fields.get("qop")) != qop or fields.get("algorithm", "MD5").upper() != "MD5":
        return Login()
    wanted = _response(fields, request.method, name, realm, known)
    if not hmac.compare_digest(wanted.encode(), fields.get("response", "").encode()):
        return Login()
    fresh = nonces.good(fields.get("nonce", ""), once=once)
    return Login(name) if fresh else Login(stale=True)


def _response(fields: Mapping[str, str], method: str, name: str, realm: str, password: str) -> str:
    secret = _md5(f"{name}:{realm}:{password}")
    asked = _md5(f"{method}:{fields.get('uri', '')}")
    middle = [fields.get("nonce", "")]
    if fields.get("qop"):
        middle += [fields.get("nc", ""), fields.get("cnonce", ""), fields["qop"]]
    return _md5(":".join([secret, *middle, asked]))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
