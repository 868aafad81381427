"""One request of an account, as the handlers of a camera see it, and what they answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from urllib.parse import parse_qsl

from ivn_provision.lab.nvr.http_wire import HttpRequest, HttpResponse

LARGEST_BODY = 256 * 1024  # bytes
_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 2000
_NUMBER = re.compile(r"[0-9]{1,9}")


class Right(IntEnum):
    """What an account may do; the numbers are those of the security levels (facts/axis.md, 3.2)."""

    ANYONE = 0
    VIEWER = 1
    OPERATOR = 4
    ADMIN = 6


@dataclass(frozen=True)
class Call:
    """A request whose sender is known. `user` is empty for everybody."""

    request: HttpRequest
    user: str
    right: Right
    charset: str = "iso-8859-1"

    @property
    def path(self) -> str:
        return self.request.target.split("?")[0]

    @cached_property
    def fields(self) -> Mapping[str, str]:
        """Arguments of the query and of a form, as texts of the camera's own charset; the first of a name wins."""
        query = self.request.target.partition("?")[2]
        body = self.request.body.decode("latin-1") if self.request.media_type == _FORM else ""
        pairs = [*self._pairs(query), *self._pairs(body)]
        found: dict[str, str] = {}
        for name, value in pairs:
            found.setdefault(name, value)
        return found

    def _pairs(self, text: str) -> list[tuple[str, str]]:
        try:
            return parse_qsl(text, keep_blank_values=True, encoding=self.charset, max_num_fields=_MOST_FIELDS)
        except ValueError:
            return []


def whole_number(text: str) -> int | None:
    """A number of at most nine digits; None for any other text."""
    return int(text) if _NUMBER.fullmatch(text) else None


def plain(text: str, charset: str = "iso-8859-1") -> HttpResponse:
    """text/plain, status 200."""
    return HttpResponse(200, [("Content-Type", "text/plain")], text.encode(charset, "replace"))


def html(status: int, title: str, text: str = "", charset: str = "ISO-8859-1") -> HttpResponse:
    """A page of the web server itself."""
    page = f"<HTML><HEAD><TITLE>{title}</TITLE></HEAD>\n<BODY><H1>{title}</H1>\n{text}</BODY></HTML>\n"
    return HttpResponse(status, [("Content-Type", f"text/html; charset={charset}")], page.encode("latin-1"))


def not_found() -> HttpResponse:
    """How an old firmware says that a JSON API is missing."""
    return html(404, "404 Not Found", "The requested URL was not found on this server.\n")
