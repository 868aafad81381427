"""`param.cgi`: what it lists, and the forms that change it (facts/axis.md, 3). Errors come as HTTP 200."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ivn_provision.drivers.axis.forms import Form
from ivn_provision.drivers.axis.replies import garbled, refused, text_of, without_secret
from ivn_provision.errors import IvnError, Uncertain
from ivn_provision.transports.vapix import VapixReply

PATH = "/axis-cgi/param.cgi"
_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_ADDED = re.compile(r"([A-Za-z]{1,16}[0-9]{1,4}) OK")
_ROOT = "root."


@dataclass(frozen=True, slots=True)
class Params:
    """Parameters by name without `root.`; a name is found in any case. Passwords are not in it, only that they are set."""

    values: Mapping[str, str]
    _folded: Mapping[str, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        folded = {name.casefold(): value for name, value in self.values.items()}
        object.__setattr__(self, "_folded", folded)

    def get(self, name: str) -> str | None:
        return self._folded.get(name.casefold())

    def text(self, name: str) -> str:
        """The value without blanks around it; "" where there is none (5.x has trailing ones)."""
        return (self.get(name) or "").strip()

    def groups(self, pattern: str) -> list[int]:
        """The numbers N of groups like `IOPort.I{N}`, in order; `pattern` is what stands before N."""
        form = re.compile(re.escape(pattern) + r"([0-9]{1,4})\.", re.IGNORECASE)
        found = {int(match[1]) for name in self.values if (match := form.match(name))}
        return sorted(found)


def parse_list(reply: VapixReply) -> Params:
    """Of `action=list`. Raises Refused for `# Error`, ProtocolFault."""
    text = text_of(reply)
    if error := _error(text):
        raise refused(reply, error)
    return Params(dict(_pairs(reply, text)))


def _pairs(reply: VapixReply, text: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        name = name[len(_ROOT) :] if name[: len(_ROOT)].lower() == _ROOT else name
        if not equals or not _NAME.fullmatch(name):
            raise garbled(reply, f"a line that is no parameter (line {number})")
        yield name, without_secret(name, value)


def _error(text: str) -> str:
    """The first error in an answer, "" for none."""
    for line in text.splitlines():
        if line.lower().startswith(("# error", "# request failed", "error", "request failed")):
            return line.lstrip("# ").strip()
    return ""


LIST = Form((("action", "list"),))


def update_form(pairs: Iterable[tuple[str, str]]) -> Form:
    """Sets parameters, in this order. Names are ours, values whatever a site declares."""
    return Form((("action", "update"), *(_named(name, value) for name, value in pairs)))


def _named(name: str, value: str) -> tuple[str, str]:
    assert _NAME.fullmatch(name), "names of parameters are made by us"
    return f"{_ROOT}{name}", value


def check_updated(reply: VapixReply, pairs: Sequence[tuple[str, str]], secrets: tuple[str, ...] = ()) -> None:
    """Raises Refused, or Uncertain where parameters before the refused one may have been set."""
    text = text_of(reply)
    error = _error(text)
    if not error and text.strip() == "OK":
        return
    if not error:
        raise garbled(reply, "neither OK nor an error")
    first = len(pairs) < 2 or f"{pairs[0][0]}'".casefold() in error.casefold()
    raise refused(reply, error, secrets) if first else _partly(reply, error, secrets)


def _partly(reply: VapixReply, error: str, secrets: tuple[str, ...]) -> IvnError:
    cause = refused(reply, error, secrets)
    return Uncertain(
        f"{cause.summary}; what came before it may have been set",
        endpoint=reply.endpoint,
        where=reply.path,
        next_step=cause.next_step,
    )


def add_form(template: str, group: str, letter: str, values: Mapping[str, str]) -> Form:
    """Makes a group such as `StreamProfile.S7` from the camera's template."""
    pairs = [(f"{group}.{letter}.{name}", value) for name, value in values.items()]
    return Form((("action", "add"), ("template", template), ("group", group), *pairs))


def parse_added(reply: VapixReply) -> tuple[str, str]:
    """The new group (`S7`), "" where none was made; and the error, "" for none. Raises ProtocolFault."""
    text = text_of(reply)
    made, error = _ADDED.search(text), _error(text)
    if not made and not error:
        raise garbled(reply, "neither a new group nor an error")
    return made[1] if made else "", error


def remove_form(groups: Iterable[str]) -> Form:
    return Form((("action", "remove"), ("group", ",".join(groups))))
