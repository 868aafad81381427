"""Page tokens: where the next page begins, opaque to the client."""

from __future__ import annotations

import base64
import binascii
import re

from starlette.requests import Request

from ivn_provision.lab.portal.problems import Detail, Problem


def make_token(position: str) -> str:
    """The token of a position (a key or an id)."""
    return base64.urlsafe_b64encode(f"v1:{position}".encode()).decode().rstrip("=")


def position(request: Request) -> str:
    """The position that `page_token` stands for; "" for the first page. Raises Problem 400."""
    token = request.query_params.get("page_token")
    if token is None:
        return ""
    try:
        text = base64.b64decode(
            token.encode() + b"=" * (-len(token) % 4), altchars=b"-_", validate=True
        ).decode()
    except (binascii.Error, UnicodeError, ValueError):
        text = ""
    match = re.fullmatch(r"v1:([a-z0-9-]{1,63})", text)
    if match is None:
        raise bad_token()
    return match[1]


def bad_token() -> Problem:
    """400 for a token that this list did not give."""
    message = "page_token is not one that this list gave"
    return Problem(
        "malformed", message + ".", errors=[Detail("", "parameter", message, parameter="page_token")]
    )
