"""What a server says where it does not do what was asked, as errors of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ivn_provision.errors import (
    AuthenticationFailed,
    Conflict,
    IvnError,
    LeaseHeld,
    ProtocolFault,
    Refused,
)
from ivn_provision.transports.masking import said

PROBLEM = "urn:ivn-provision:problem:"
_LEASE_HELD = f"{PROBLEM}lease-held"
_NO_CLIENT = {"invalid_client", "invalid_grant", "unauthorized_client"}  # RFC 6749, 5.2: also with HTTP 400


@dataclass(frozen=True, slots=True)
class Talk:
    """What was asked, and how it was answered: for errors. `sent` are the secrets that went out, `refusals` how
    often the answer was to come back later."""

    endpoint: str
    request: str
    status: int
    sent: tuple[str, ...] = field(repr=False)
    refusals: int = 0

    def said(self, value: object) -> str:
        return said(value, self.sent)

    def safe(self, body: Mapping[str, Any]) -> dict[str, str]:
        """The texts of a problem, without secrets and marks."""
        return {name: self.said(value) for name, value in body.items() if isinstance(value, str)}


def problem(talk: Talk, body: Mapping[str, Any]) -> IvnError:
    """An RFC 9457 problem document (or any JSON error) as an error of ours."""
    times = f", {talk.refusals} times within the deadline" if talk.refusals > 1 else ""
    text = f"the portal refused {talk.request} (HTTP {talk.status}{times}): {_reason(talk, body)}"
    status, endpoint = talk.status, talk.endpoint
    if status in {409, 423} and body.get("type") == _LEASE_HELD:
        return _held(talk, body)
    error = body.get("error")
    if status in {401, 403} or (isinstance(error, str) and error in _NO_CLIENT):
        return AuthenticationFailed(
            text, endpoint=endpoint, next_step="check portal.auth and the scopes of the client"
        )
    if status in {409, 412, 428}:
        return Conflict(
            text, endpoint=endpoint, next_step="run the command again: it plans from what is there now"
        )
    if status == 429 or status >= 500:
        return ProtocolFault(
            text, endpoint=endpoint, next_step="wait and try again; if it stays, tell the portal's operator"
        )
    return Refused(text, endpoint=endpoint, next_step="correct the value in the site file")


def _held(talk: Talk, body: Mapping[str, Any]) -> LeaseHeld:
    """The problem `lease-held` says who writes, and until when."""
    names = ("owner", "run", "expires_at")
    owner, run, ends = (talk.said(body.get(name)) or f"(no {name})" for name in names)
    return LeaseHeld(
        f"{owner} writes to the site in the portal: run {run}, until {ends}",
        owner=owner,
        run=run,
        expires_at=ends,
        endpoint=talk.endpoint,
        next_step="wait for that run; if it broke off, its lease ends by itself at that time",
    )


def _reason(talk: Talk, body: Mapping[str, Any]) -> str:
    """The server's own words, where they are words."""
    words = " ".join(filter(None, (talk.said(body.get(name)) for name in ("title", "detail", "message"))))
    kind = talk.said(body.get("type")).rpartition("/")[2]
    reason = words or kind or talk.said(body.get("error")) or "no reason"
    errors = body.get("errors")
    listed = "; ".join(
        f"{talk.said(each.get('pointer'))}: {talk.said(each.get('message'))}"
        for each in (errors[:5] if isinstance(errors, list) else ())
        if isinstance(each, dict)
    )
    return f"{reason} ({listed})" if listed else reason
