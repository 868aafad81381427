"""How a camera wants to be logged in to, taken from its challenge (facts/axis.md, 2).

Digest is preferred. The answer to a challenge is httpx's; which challenge it gets is ours: httpx overlooks a
digest that stands behind another scheme in the same header.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ivn_provision.errors import ProtocolFault, Refused
from ivn_provision.secret import Secret

if TYPE_CHECKING:
    import httpx

_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"  # noqa: S105 - a token of HTTP
_PART = re.compile(
    rf'[\s,]*(?:(?P<name>{_TOKEN})\s*=\s*(?P<value>"(?:[^"\\]|\\.)*"|{_TOKEN})|(?P<scheme>{_TOKEN}))'
)
_ALGORITHMS = frozenset(
    name + suffix for name in ("MD5", "SHA", "SHA-256", "SHA-512") for suffix in ("", "-SESS")
)
_NEXT = "see what listens on that port: is it the camera itself, without a proxy?"


@dataclass(frozen=True, slots=True)
class Challenge:
    """One scheme that the camera offers, in small letters, with its parameters as they stand in the header."""

    scheme: str
    parameters: Mapping[str, str]

    @property
    def is_stale(self) -> bool:
        """Was the login right, and only its nonce too old?"""
        return self.parameters.get("stale", "").strip('"').lower() == "true"


def challenges_of(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """All schemes of all `WWW-Authenticate` headers, several in one header too."""
    found: list[tuple[str, dict[str, str]]] = []
    for header in headers:
        at = 0
        while part := _PART.match(header, at):
            at = part.end()
            if scheme := part["scheme"]:
                found.append((scheme.lower(), {}))
            elif found:
                found[-1][1].setdefault(part["name"].lower(), part["value"])
    return tuple(Challenge(scheme, parameters) for scheme, parameters in found)


def chosen(
    offered: Iterable[Challenge], *, endpoint: str, encrypted: bool, basic_over_http: bool
) -> Challenge:
    """Digest where it is offered, else Basic if the password may travel so. Raises Refused, ProtocolFault."""
    known = list(offered)
    for challenge in known:
        if challenge.scheme == "digest":
            return _sound(challenge, endpoint)
    basic = next((each for each in known if each.scheme == "basic"), None)
    if basic is None:
        raise ProtocolFault(
            f"{endpoint} asks for a login, and offers neither Digest nor Basic",
            endpoint=endpoint,
            next_step=_NEXT,
        )
    if not encrypted and not basic_over_http:
        raise Refused(
            f"{endpoint} offers only Basic over plain HTTP: the password would travel readable",
            endpoint=endpoint,
            next_step="set axis.connect.tls, or Network.HTTP.AuthenticationPolicy to digest on the camera; "
            "only on a network of its own: axis.connect.basic_over_http",
        )
    return basic


def _sound(challenge: Challenge, endpoint: str) -> Challenge:
    given = challenge.parameters
    algorithm = given.get("algorithm", "MD5").strip('"').upper()
    qop = given.get("qop", "").strip('"')
    whole = "realm" in given and "nonce" in given and all(each.isascii() for each in given.values())
    if not whole or algorithm not in _ALGORITHMS or (qop and "auth" not in re.split(r"\s*,\s*", qop)):
        raise ProtocolFault(
            f"{endpoint} asks for a Digest login that cannot be answered",
            endpoint=endpoint,
            next_step=_NEXT,
        )
    return challenge


class Signer(Protocol):
    """Puts a login into requests. `renews`: may a refusal mean that only its nonce is too old?"""

    renews: bool

    def sign(self, request: httpx.Request) -> None: ...


def signer_of(challenge: Challenge, username: str, password: Secret) -> Signer:
    """The one for a challenge that was `chosen`."""
    if challenge.scheme == "digest":
        return _Digest(challenge, username, password)
    return _Basic(username, password)


class _Basic:
    renews = False

    def __init__(self, username: str, password: Secret) -> None:
        self._username, self._password = username, password

    def sign(self, request: httpx.Request) -> None:
        import httpx

        next(httpx.BasicAuth(self._username, self._password.reveal()).auth_flow(request))


class _Digest:
    """httpx's own, told the challenge as if it had met it: the first answer and all later ones come from it."""

    renews = True

    def __init__(self, challenge: Challenge, username: str, password: Secret) -> None:
        import httpx

        self._auth = httpx.DigestAuth(username, password.reveal())
        self._header = _digest_header(challenge)

    def sign(self, request: httpx.Request) -> None:
        import httpx

        flow = self._auth.auth_flow(request)
        next(flow)
        if self._header:
            told = {"WWW-Authenticate": self._header}
            flow.send(httpx.Response(401, headers=told, request=request))
            self._header = ""
        flow.close()


def _digest_header(challenge: Challenge) -> str:
    """Of the challenge, what an answer is made of; alone in its header."""
    names = ("realm", "nonce", "opaque", "algorithm", "qop")
    parts = [f"{name}={_bare(name, challenge)}" for name in names if name in challenge.parameters]
    return f"Digest {', '.join(parts)}"


def _bare(name: str, challenge: Challenge) -> str:
    value = challenge.parameters[name]
    # httpx splits qop at a comma and one blank at most
    return '"auth"' if name == "qop" else value
