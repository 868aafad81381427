"""RFC 9457 problems: every refusal of the portal has this one shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import JSONResponse

_URN = "urn:ivn-provision:problem:"

# kind -> (status, title); the kinds are documented in schemas/portal.openapi.yaml
_KINDS: dict[str, tuple[int, str]] = {
    "malformed": (400, "The request cannot be read"),
    "idempotency-key-required": (400, "An Idempotency-Key is required"),
    "unauthorized": (401, "A valid bearer token is required"),
    "invalid-client": (401, "The client is not known or its secret is wrong"),
    "forbidden-scope": (403, "The token does not have the scope"),
    "not-found": (404, "There is no such object"),
    "method-not-allowed": (405, "The method is not allowed here"),
    "account-number-in-use": (409, "The account number belongs to another site of the station"),
    "lease-held": (409, "Another run holds the site"),
    "device-unreachable": (409, "The recorder cannot be reached from the portal"),
    "test-session-open": (409, "A test session of the site is open"),
    "test-session-refused": (409, "The site is not taken off watch"),
    "site-not-in-test-mode": (409, "No test session of the site is open"),
    "etag-mismatch": (412, "The object has changed since it was read"),
    "already-exists": (412, "The object exists already"),
    "too-large": (413, "The body is too large"),
    "unsupported-media-type": (415, "The content type is not understood"),
    "validation": (422, "The request is not valid"),
    "idempotency-key-reuse": (422, "The Idempotency-Key was used for another request"),
    "precondition-required": (428, "If-Match is required"),
    "rate-limited": (429, "Too many requests"),
    "internal": (500, "The portal failed"),
    "unavailable": (503, "The portal is not available now"),
}
_RETRYABLE = frozenset({"rate-limited", "unavailable"})


@dataclass(frozen=True, slots=True)
class Detail:
    """One entry of `errors`: a JSON pointer into the body, or the name of a parameter."""

    pointer: str
    code: str
    message: str
    parameter: str = ""

    def as_json(self) -> dict[str, str]:
        plain = {"pointer": self.pointer, "code": self.code, "message": self.message}
        return plain | {"parameter": self.parameter} if self.parameter else plain


class Problem(Exception):
    """A refusal. `kind` is the last part of the problem's type URN; `status` where it is not the usual one."""

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        errors: Sequence[Detail] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, str] | None = None,
        status: int = 0,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.status = status or _KINDS[kind][0]
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    def response(self, *, instance: str, request_id: str) -> JSONResponse:
        """The answer on the wire. `extra` members come on top (RFC 6749 wants `error` from a token endpoint)."""
        status, title = self.status, _KINDS[self.kind][1]
        body: dict[str, object] = {
            **self.extra,
            "type": _URN + self.kind,
            "title": title,
            "status": status,
            "detail": self.detail,
            "instance": instance,
            "request_id": request_id,
            "retryable": self.kind in _RETRYABLE,
        }
        if self.errors:
            body["errors"] = [each.as_json() for each in self.errors]
        return JSONResponse(
            body, status_code=status, headers=self.headers, media_type="application/problem+json"
        )


def not_found(what: str) -> Problem:
    """404 for an object or a path."""
    return Problem("not-found", f"There is no {what}.")
