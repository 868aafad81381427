"""OAuth 2 client credentials (RFC 6749, 4.4): who may do what, and for how long."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import unquote_plus

from ivn_provision.lab.clock import Clock
from ivn_provision.lab.portal.problems import Problem

SCOPES = ("sites:read", "sites:write", "secrets:write", "tests:run", "events:read")
CHALLENGE = 'Bearer realm="ivn-provision lab portal"'


@dataclass(frozen=True, slots=True)
class Grant:
    """An issued token."""

    client: str
    scopes: tuple[str, ...]
    expires: datetime


@dataclass(slots=True)
class Tokens:
    """Issues and checks tokens. `clients` maps id to secret; `lifetime_seconds` holds for new tokens."""

    clients: Mapping[str, str]
    clock: Clock
    lifetime_seconds: int = 1800
    _grants: dict[str, Grant] = field(default_factory=dict)

    def issue(self, form: Mapping[str, str], authorization: str) -> dict[str, str | int]:
        """The token response. Raises Problem with RFC 6749's `error` member."""
        if form.get("grant_type") != "client_credentials":
            raise _oauth("malformed", "unsupported_grant_type", "grant_type must be client_credentials.")
        client, secret = _credentials(form, authorization)
        known = self.clients.get(client, "")
        if not hmac.compare_digest(known.encode(), secret.encode("utf-8", "surrogatepass")) or not known:
            raise _oauth("invalid-client", "invalid_client", "The client id or secret is wrong.")
        scopes = tuple(form.get("scope", "").split()) or SCOPES
        unknown = [each for each in scopes if each not in SCOPES]
        if unknown:
            raise _oauth("malformed", "invalid_scope", f"Scopes are: {', '.join(SCOPES)}.")
        token = secrets.token_urlsafe(24)
        self._drop_expired()
        self._grants[token] = Grant(client, scopes, self.clock() + timedelta(seconds=self.lifetime_seconds))
        return {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": self.lifetime_seconds,
            "scope": " ".join(scopes),
        }

    def check(self, authorization: str, scope: str) -> Grant:
        """The grant of a bearer token. Raises Problem 401 or 403."""
        scheme, _, token = authorization.partition(" ")
        if not authorization:
            raise Problem(
                "unauthorized", "No bearer token was sent.", headers={"WWW-Authenticate": CHALLENGE}
            )
        grant = self._grants.get(token.strip()) if scheme.lower() == "bearer" else None
        if grant is None or grant.expires <= self.clock():
            why = "The token is not known." if grant is None else "The token has expired."
            challenge = f'{CHALLENGE}, error="invalid_token"'
            raise Problem("unauthorized", why, headers={"WWW-Authenticate": challenge})
        require(grant, scope)
        return grant

    def _drop_expired(self) -> None:
        now = self.clock()
        for token in [token for token, grant in self._grants.items() if grant.expires <= now]:
            del self._grants[token]


def require(grant: Grant, scope: str) -> None:
    """Raises Problem 403 if the token lacks the scope."""
    if scope not in grant.scopes:
        challenge = f'{CHALLENGE}, error="insufficient_scope", scope="{scope}"'
        raise Problem(
            "forbidden-scope", f"The token lacks the scope {scope}.", headers={"WWW-Authenticate": challenge}
        )


def _credentials(form: Mapping[str, str], authorization: str) -> tuple[str, str]:
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        client, _, secret = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote_plus(client), unquote_plus(secret)


def _oauth(kind: str, error: str, detail: str) -> Problem:
    headers = {"Cache-Control": "no-store"}
    if kind == "invalid-client":
        headers["WWW-Authenticate"] = 'Basic realm="ivn-provision lab portal"'
    return Problem(kind, detail, headers=headers, extra={"error": error, "error_description": detail})
