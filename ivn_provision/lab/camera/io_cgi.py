"""`io/port.cgi`, `io/virtualinput.cgi` and `virtualinput/*.cgi`: ports are counted from 1 here (facts/axis.md, 8)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from ivn_provision.lab.camera.calls import Call, plain, whole_number
from ivn_provision.lab.camera.ports import PortBoard
from ivn_provision.lab.nvr.http_wire import HttpResponse

_NAMESPACE = "http://www.axis.com/vapix/http_cgi/virtualinput1"
_SEQUENCE = re.compile(r"(\d{1,3}):((?:[/\\]|\d{1,6})+)", re.ASCII)
_PART = re.compile(r"[/\\]|\d+")
_MOST_SECONDS = 120.0


@dataclass(slots=True)
class Timers:
    """What is to happen later; all of it is dropped at the end."""

    _handles: set[asyncio.TimerHandle] = field(default_factory=set)

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Do it after so many seconds."""
        loop = asyncio.get_running_loop()

        def run() -> None:
            self._handles.discard(handle)
            action()

        handle = loop.call_later(min(seconds, _MOST_SECONDS), run)
        self._handles.add(handle)

    def drop(self) -> None:
        """Nothing of it happens."""
        for each in self._handles:
            each.cancel()
        self._handles.clear()


@dataclass(frozen=True, slots=True)
class IoCgi:
    """`wire(port from 0, active)` changes an input, `virtual(port from 1, active)` a virtual input: was it a change?"""

    board: PortBoard
    virtual_inputs: int
    wire: Callable[[int, bool], object]
    virtual: Callable[[int, bool], bool]
    timers: Timers

    def port(self, call: Call) -> HttpResponse:
        """`checkactive=1,2` -> `port1=active`; `check=1` -> `port1=0` or 1."""
        lines = []
        key = "checkactive" if "checkactive" in call.fields else "check"
        for text in call.fields.get(key, "").split(","):
            number = self._input(text)
            if number is None:
                return plain(f"Error: no input port {text}\r\n")
            active = self.board.active(number)
            state = ("active" if active else "inactive") if key == "checkactive" else str(int(active))
            lines.append(f"port{number + 1}={state}\r\n")
        return plain("".join(lines))

    def virtual_input(self, call: Call) -> HttpResponse:
        r"""`action=1:/2000\`: input 1 on, and off after 2000 ms."""
        match = _SEQUENCE.fullmatch(call.fields.get("action", ""))
        number = self._input(match[1]) if match else None
        if match is None or number is None:
            return plain("Error: invalid action\r\n")
        after = 0.0
        for part in _PART.findall(match[2]):
            if part.isdecimal():
                after += int(part) / 1000
            elif after:
                self.timers.later(after, self._step(number, part))
            else:
                self.wire(number, part == "/")
        return plain("OK\r\n")

    def activate(self, call: Call) -> HttpResponse:
        """On, and off again after `duration` seconds if it is given."""
        number = self._virtual(call)
        if number is None:
            return _virtual_error(call)
        changed = self.virtual(number, True)
        duration = whole_number(call.fields.get("duration", ""))
        if duration:
            self.timers.later(duration, lambda: self.virtual(number, False))
        return _virtual_reply(
            f"<ActivateSuccess><StateChanged>{_word(changed)}</StateChanged></ActivateSuccess>"
        )

    def deactivate(self, call: Call) -> HttpResponse:
        """Off."""
        number = self._virtual(call)
        if number is None:
            return _virtual_error(call)
        changed = _word(self.virtual(number, False))
        return _virtual_reply(
            f"<DeactivateSuccess><StateChanged>{changed}</StateChanged></DeactivateSuccess>"
        )

    def _step(self, number: int, part: str) -> Callable[[], object]:
        return lambda: self.wire(number, part == "/")

    def _input(self, text: str) -> int | None:
        number = (whole_number(text) or 0) - 1
        return number if number in self.board.inputs() else None

    def _virtual(self, call: Call) -> int | None:
        number = whole_number(call.fields.get("port", "")) or 0
        known = call.fields.get("schemaversion") == "1" and 1 <= number <= self.virtual_inputs
        return number if known else None


def _word(changed: bool) -> str:
    return "true" if changed else "false"


def _virtual_reply(success: str) -> HttpResponse:
    return _xml(f"<Success>{success}</Success>")


def _virtual_error(call: Call) -> HttpResponse:
    bad = "port" if call.fields.get("schemaversion") == "1" else "schemaversion"
    text = f"<ErrorCode>30</ErrorCode><ErrorDescription>Invalid argument: {bad}</ErrorDescription>"
    return _xml(f"<Error><GeneralError>{text}</GeneralError></Error>")


def _xml(content: str) -> HttpResponse:
    head = '<?xml version="1.0" encoding="utf-8"?>'
    body = f'{head}<VirtualInputResponse xmlns="{_NAMESPACE}" SchemaVersion="1.0">{content}</VirtualInputResponse>'
    return HttpResponse(200, [("Content-Type", "text/xml")], body.encode())
