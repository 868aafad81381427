"""What the portal says of a test, as values: windows, events, mails, and its own view of a recorder.

Parsed strictly: a value that is not what the proposed API promises is refused with its place (WrongShape).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from ivn_provision.plan.attestations import moment_of
from ivn_provision.strict_json import Node, check_sound

MAX_ID = 10**18 - 1
MAX_MAIL = 256 * 1024
_MANY = 10_000
_FAR = 10.0**9  # seconds
_ID = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)
_PAGE_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)
_LINE = re.compile(r"[^\x00-\x1f\x7f]{1,1000}")
_WINDOWS = ("open", "closed", "expired")
_PARSES = (
    "parsed",
    "unparsed",
    "unknown_account",
    "unknown_pin",
    "camera_mismatch",
    "blocked_event",
    "duplicate",
)
_CLIPS = (
    "pending",
    "ready",
    "short",
    "no_recording",
    "login_failed",
    "unreachable",
    "timeout",
    "unsupported_codec",
)
_RELEASES = ("immediate", "held", "released", "cancelled")
_PORTS = ("open", "refused", "timeout", "not_configured")
_LOGINS = ("ok", "refused", "no_answer", "not_tried")


@dataclass(frozen=True, slots=True)
class TestWindow:
    """A test session of a site. `status` is `open`, `closed` or `expired`, by the portal's clock."""

    __test__: ClassVar[bool] = False  # not a test of pytest
    id: str
    run: str
    status: str
    opened_at: datetime
    until: datetime
    reason: str
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Clip:
    """Video of an event: `pending` until it is final; seconds before and after, None where there is none."""

    status: str
    pre: float | None
    post: float | None

    @property
    def is_final(self) -> bool:
        return self.status != "pending"


@dataclass(frozen=True, slots=True)
class Release:
    """`immediate`, `held`, `released` or `cancelled`: an assumption of this project (facts/portal.md, 2.2)."""

    status: str
    due_at: datetime | None
    released_at: datetime | None


@dataclass(frozen=True, slots=True)
class PortalEvent:
    """One received mail as the portal understood it; text is empty where it says nothing."""

    id: int
    received_at: datetime
    mail_time: datetime | None
    offset_seconds: float | None
    pin: int | None
    source: str
    camera: int | None
    event_type: str
    parse_status: str
    detail: str
    trigger: str
    camera_name: str
    sender: str
    recipient: str
    subject: str
    peer: str
    release: Release | None
    clips: tuple[Clip, ...]
    duplicate_of: int | None
    test: bool
    test_session: str


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """The mail of an event: envelope, the address it came from, and its bytes (at most 256 KiB)."""

    raw: bytes = field(repr=False)
    sender: str
    recipients: tuple[str, ...]
    peer: str
    received_at: datetime
    tls: bool
    truncated: bool


@dataclass(frozen=True, slots=True)
class PortSeen:
    """`open`, `refused`, `timeout` or `not_configured`; `endpoint` is empty for the last."""

    status: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class Connectivity:
    """What the portal sees of the recorder. `stranger_event_port` is from an address that is not the portal's.

    `login` is `ok`, `refused`, `no_answer` or `not_tried`; `clock_offset_seconds` is the recorder's clock minus
    the portal's, whole seconds at best, None where the recorder does not say its time.
    """

    checked_at: datetime
    web_port: PortSeen
    event_port: PortSeen
    stranger_event_port: PortSeen
    login: str
    product: str
    clock_offset_seconds: float | None
    source_addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fired:
    """A soft trigger that the portal sent."""

    pin: int
    payload: str
    fired_at: datetime
    endpoint: str


@dataclass(frozen=True, slots=True)
class EventPage:
    """Newest first; `next_token` is empty on the last page."""

    events: tuple[PortalEvent, ...]
    next_token: str


def window_of(answer: Mapping[str, Any]) -> TestWindow:
    """Raises WrongShape."""
    node = _sound(answer)
    return TestWindow(
        id=node["id"].text(_ID, "the id of a test session"),
        run=_line(node["run"]),
        status=_one_of(node["status"], _WINDOWS),
        opened_at=_time(node["opened_at"]),
        until=_time(node["until"]),
        reason=_line(node["reason"]),
        closed_at=_optional_time(node["closed_at"]),
    )


def page_of(answer: Mapping[str, Any], site: str) -> EventPage:
    """A page of the events of `site`. Raises WrongShape."""
    node = _sound(answer)
    token = node["next_page_token"]
    return EventPage(
        tuple(_event(each, site) for each in node["results"].items()),
        "" if token.is_null else token.text(_PAGE_TOKEN, "a page token"),
    )


def mail_of(answer: Mapping[str, Any]) -> ReceivedMail:
    """Raises WrongShape."""
    node = _sound(answer)
    return ReceivedMail(
        raw=_bytes(node["raw"]),
        sender=node["sender"].text(),
        recipients=tuple(each.text() for each in node["recipients"].items()),
        peer=_line(node["peer"]),
        received_at=_time(node["received_at"]),
        tls=node["tls"].flag(),
        truncated=node["truncated"].flag(),
    )


def connectivity_of(answer: Mapping[str, Any]) -> Connectivity:
    """Raises WrongShape."""
    node = _sound(answer)
    return Connectivity(
        checked_at=_time(node["checked_at"]),
        web_port=_port(node["web_port"]),
        event_port=_port(node["event_port"]),
        stranger_event_port=_port(node["stranger_event_port"]),
        login=_one_of(node["login"], _LOGINS),
        product=_optional_text(node["product"]),
        clock_offset_seconds=_optional_number(node["clock_offset_seconds"], -_FAR, _FAR),
        source_addresses=tuple(_line(each) for each in node["source_addresses"].items()),
    )


def fired_of(answer: Mapping[str, Any], pin: int) -> Fired:
    """Raises WrongShape."""
    node = _sound(answer)
    sent = Fired(
        pin=node["pin"].integer(1, 999),
        payload=_line(node["payload"]),
        fired_at=_time(node["fired_at"]),
        endpoint=_line(node["endpoint"]),
    )
    if sent.pin != pin:
        node["pin"].wrong("is not the pin that was asked for")
    if sent.payload != f"{pin} S":
        node["payload"].wrong("is not what such a pin sends")
    return sent


def _event(node: Node, site: str) -> PortalEvent:
    if node["site"].text() != site:
        node["site"].wrong("is not the site that was asked for")
    pin, camera, first = (node[name] for name in ("pin", "camera", "duplicate_of"))
    source = node["source"]
    return PortalEvent(
        id=node["id"].integer(1, MAX_ID),
        received_at=_time(node["received_at"]),
        mail_time=_optional_time(node["mail_time"]),
        offset_seconds=_optional_number(node["offset_seconds"], -(10.0**12), 10.0**12),
        pin=None if pin.is_null else pin.integer(1, 999),
        source="" if source.is_null else _one_of(source, ("hardware", "soft")),
        camera=None if camera.is_null else camera.integer(1, 999),
        event_type=_optional_text(node["event_type"]),
        parse_status=_one_of(node["parse_status"], _PARSES),
        detail=node["detail"].text(),
        trigger=_optional_text(node["trigger"]),
        camera_name=_optional_text(node["camera_name"]),
        sender=_optional_text(node["sender"]),
        recipient=node["recipient"].text(),
        subject=_optional_text(node["subject"]),
        peer=_optional_text(node["peer"]),
        release=_release(node["release"]),
        clips=tuple(_clip(each) for each in node["clips"].items()),
        duplicate_of=None if first.is_null else first.integer(1, MAX_ID),
        test=node["test"].flag(),
        test_session=_optional_text(node["test_session"]),
    )


def _release(node: Node) -> Release | None:
    if node.is_null:
        return None
    status = _one_of(node["status"], _RELEASES)
    return Release(status, _optional_time(node["due_at"]), _optional_time(node["released_at"]))


def _clip(node: Node) -> Clip:
    seconds = (_optional_number(node[name], 0.0, float(_MANY)) for name in ("pre", "post"))
    return Clip(_one_of(node["status"], _CLIPS), *seconds)


def _port(node: Node) -> PortSeen:
    return PortSeen(_one_of(node["status"], _PORTS), _optional_text(node["endpoint"]))


def _sound(answer: Mapping[str, Any]) -> Node:
    node = Node(answer)
    check_sound(node)
    return node


def _one_of(node: Node, words: tuple[str, ...]) -> str:
    text = node.text()
    return text if text in words else node.wrong(f"is not one of {', '.join(words)}")


def _line(node: Node) -> str:
    return node.text(_LINE, "one line")


def _optional_text(node: Node) -> str:
    return "" if node.is_null else node.text()


def _optional_number(node: Node, low: float, high: float) -> float | None:
    return None if node.is_null else node.number(low, high)


def _optional_time(node: Node) -> datetime | None:
    return None if node.is_null else _time(node)


def _time(node: Node) -> datetime:
    text = node.text()
    try:
        return moment_of(text).astimezone(UTC)
    except (ValueError, OverflowError):
        node.wrong("is not a time")


def _bytes(node: Node) -> bytes:
    text = node.text()
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        node.wrong("is not base64")
    return raw if len(raw) <= MAX_MAIL else node.wrong("is longer than 256 KiB")
