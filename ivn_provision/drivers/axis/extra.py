r"""Requests that only checks and acceptance make, and what a camera says to them (facts/axis.md, 8).

How `tcptest.cgi` words its answer is not published: it is shown, and judged only where it is plain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from ivn_provision.drivers.axis.forms import Form
from ivn_provision.drivers.axis.json_api import call, parse_data
from ivn_provision.drivers.axis.posix_zone import moments_of
from ivn_provision.drivers.axis.replies import garbled, refused, text_of
from ivn_provision.drivers.axis.seen import CameraClock
from ivn_provision.drivers.clock_offset import offset_of
from ivn_provision.strict_json import WrongShape
from ivn_provision.transports.masking import said
from ivn_provision.transports.vapix import Asked, VapixReply

PULSE_SECONDS = 2
TIME_API = "time-service"
_STATE = re.compile(r"port([0-9]{1,3})=(active|inactive)", re.IGNORECASE | re.ASCII)
_LOCAL = "%b %d, %Y %H:%M:%S"


def mail_server_test(host: str, port: int) -> Asked:
    """The camera itself tries to connect. Only for firmware that may be asked (advisories.py).

    Raises Refused for a host that cannot be one.
    """
    return Form((("address", host), ("port", str(port)))).get("/axis-cgi/tcptest.cgi")


def parse_mail_server_test(reply: VapixReply) -> str:
    """The camera's words, without control characters. Raises ProtocolFault for no text at all."""
    words = said(text_of(reply), ())
    if not words:
        raise garbled(reply, "nothing")
    return words


def inputs_asked(numbers: Iterable[int]) -> Asked:
    """Which of these inputs, counted from 1, are active now?"""
    return Form((("checkactive", ",".join(map(str, sorted(numbers)))),)).get("/axis-cgi/io/port.cgi")


def parse_inputs(reply: VapixReply) -> Mapping[int, bool]:
    """By number. Raises Refused for the camera's own error, ProtocolFault where it says nothing of any input."""
    text = text_of(reply)
    found = {int(match[1]): match[2].lower() == "active" for match in _STATE.finditer(text)}
    if not found:
        if "error" in text.lower():
            raise refused(reply, text)
        raise garbled(reply, "no state of an input")
    return found


def time_asked(apis: frozenset[str]) -> Asked:
    """Newer firmware says its time with the zone, older one in local time."""
    if TIME_API in apis:
        return call("/axis-cgi/time.cgi", "getDateTimeInfo")
    return Form((("action", "get"),)).get("/axis-cgi/date.cgi")


def parse_time(
    reply: VapixReply, before: datetime, after: datetime, *, zone: str, saves: bool
) -> CameraClock:
    """`before` and `after`: when it was asked. `zone` and `saves` are the camera's, for an answer without one.
    Raises Refused, ProtocolFault."""
    if reply.path.endswith("time.cgi"):
        return _said_in_utc(reply, before, after)
    text = text_of(reply).strip()
    if text.lower().startswith(("request failed", "error")):
        raise refused(reply, text)
    try:
        local = datetime.strptime(text, _LOCAL)  # noqa: DTZ007 - it says none
    except ValueError as error:
        raise garbled(reply, "something that is no time") from error
    how = f"local time of {zone}" if zone else "local time of no known zone"
    offsets = [offset_of(each, before, after) for each in moments_of(local, zone, saves=saves)]
    return CameraClock(min(offsets, key=abs, default=None), text, how)


def _said_in_utc(reply: VapixReply, before: datetime, after: datetime) -> CameraClock:
    data = parse_data(reply)
    try:
        text = data["dateTime"].text()
        there = datetime.fromisoformat(text)
    except WrongShape as wrong:
        raise garbled(reply, f"JSON of another shape: {wrong}") from wrong
    except ValueError as error:
        raise garbled(reply, "something that is no time") from error
    if there.tzinfo is None:
        raise garbled(reply, "a time without a zone")
    return CameraClock(offset_of(there.astimezone(UTC), before, after), text, "its own UTC time")


def pulse_asked(number: int) -> Asked:
    r"""The physical input, counted from 1, on and off again: `1:/2000\`. It is as if a contact tripped it."""
    action = f"{number}:/{PULSE_SECONDS * 1000}\\"
    return replace(Form((("action", action),)).get("/axis-cgi/io/virtualinput.cgi"), writes=True)


def check_pulse(reply: VapixReply) -> None:
    """Raises Refused where the camera says an error, ProtocolFault for anything but a text."""
    if reply.status in {400, 404, 405, 501}:
        raise refused(reply, f"HTTP {reply.status}")
    text = text_of(reply)
    if "error" in text.lower() or "failed" in text.lower():
        raise refused(reply, text)
