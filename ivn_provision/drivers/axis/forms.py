"""Forms as a camera reads them: what a site declares goes in as values only, percent-encoded once."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from ivn_provision.drivers.axis.replies import CHARSET
from ivn_provision.errors import Refused
from ivn_provision.secret import Secret
from ivn_provision.transports.vapix import Asked

_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Form:
    """Names and values, in order. A Secret becomes plain only when the form is sent."""

    pairs: tuple[tuple[str, str | Secret], ...] = field(repr=False)

    def post(self, path: str, *, writes: bool = True) -> Asked:
        """As a POST: values stay out of URLs and logs. Raises Refused for letters that a camera does not know."""
        return Asked("POST", path, self._encoded().encode("ascii"), _TYPE, writes)

    def get(self, path: str) -> Asked:
        """As a GET; for what only reads."""
        return Asked("GET", f"{path}?{self._encoded()}")

    def _encoded(self) -> str:
        plain = [(name, each.reveal() if isinstance(each, Secret) else each) for name, each in self.pairs]
        for name, value in plain:
            check_text(name, value)
        return urlencode(plain, encoding=CHARSET, quote_via=quote)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown when the camera repeats it."""
        return tuple(each.reveal() for _, each in self.pairs if isinstance(each, Secret))


def check_text(name: str, value: str) -> None:
    """Raises Refused, which does not repeat the value."""
    if problem := _problem(value):
        raise Refused(
            f"{name} {problem}",
            where=name,
            next_step="use letters of Western Europe (ISO-8859-1) only: what a camera makes of others is unknown",
        )


def _problem(value: str) -> str:
    if any(ord(each) < 0x20 or 0x7F <= ord(each) < 0xA0 for each in value):
        return "has control characters"
    try:
        value.encode(CHARSET)
    except UnicodeEncodeError:
        return "has letters that a camera's parameters cannot hold"
    return ""
