"""From a mail to an event of the portal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ivn_provision.lab.clock import rfc3339
from ivn_provision.lab.mail.grammar import Reading, read_mail, read_time
from ivn_provision.lab.mail.message import Mail
from ivn_provision.lab.portal.calls import Core
from ivn_provision.lab.portal.clips import PENDING
from ivn_provision.lab.portal.events import keep_mail
from ivn_provision.lab.portal.releases import release_held, release_of
from ivn_provision.lab.portal.store import Json, Spot, Store, Stored, Wanted

_ELSEWHERE = "127.0.0.252"  # where mails seem to come from under the fault `mail-from-elsewhere`
_MOST_IN_A_MINUTE = 10_000


@dataclass(frozen=True, slots=True)
class _Judgement:
    status: str
    detail: str = ""


def ingest(core: Core, mail: Mail) -> None:
    """Store one event per recipient; a mail to no known account is kept under the site `""`."""
    core.counters.mails += 1
    reading = read_mail(mail.raw)
    for recipient in mail.recipients:
        device = _device_of(core.store, recipient)
        peer = _ELSEWHERE if "mail-from-elsewhere" in core.faults else mail.peer
        event = _event(core, mail, recipient, reading, device) | {"peer": peer}
        number = core.store.add_event(event["site"], event["received_at"], event)
        keep_mail(core.store, number, mail, peer)
        core.counters.events += 1
        if event["parse_status"] == "parsed":
            _follow(core, number, event, mail)


def _follow(core: Core, number: int, event: Json, mail: Mail) -> None:
    """What an alarm sets going: a perimeter event ends the holds, and video is fetched."""
    if event["event_type"] == "perimeter":
        release_held(core.store, event["site"], mail.received_at)
    core.clips.start(number, event, mail.received_at)


def _device_of(store: Store, recipient: str) -> Stored | None:
    wanted = recipient.strip().lower()
    for device in store.all("device"):
        if str(device.generated["smtp"]["account_id"]).lower() == wanted:
            return device
    return None


def _event(core: Core, mail: Mail, recipient: str, reading: Reading, device: Stored | None) -> Json:
    store = core.store
    site = store.get(Spot("site", device.path.site)) if device else None
    pin = _pin_of(store, device, reading)
    judged = _judge(reading, site, device, pin)
    moment = read_time(reading.time_text, _zone(site), mail.received_at)
    session = core.sessions.running(site.path.site, mail.received_at) if site else None
    event: Json = {
        "site": device.path.site if device else "",
        "device": device.path.device if device else None,
        "received_at": rfc3339(mail.received_at),
        "mail_time": rfc3339(moment) if moment else None,
        "offset_seconds": round((moment - mail.received_at).total_seconds(), 3) if moment else None,
        "pin": reading.pin,
        "source": reading.source or None,
        "camera": reading.camera if reading.camera is not None or pin is None else pin.content["camera"],
        "event_type": pin.content["event_type"] if pin else None,
        "parse_status": judged.status,
        "detail": judged.detail,
        "trigger": reading.trigger or None,
        "camera_name": reading.camera_name or None,
        "sender": reading.sender or mail.sender or None,
        "recipient": recipient,
        "subject": reading.subject or None,
        "clips": [],
        "duplicate_of": None,
        "test": session is not None,
        "test_session": session.id if session else None,
        "release": None,
    }
    return event | _as_alarm(core, event, site, mail) if site and judged.status == "parsed" else event


def _as_alarm(core: Core, event: Json, site: Stored, mail: Mail) -> Json:
    """Of a mail that could be read: it is an alarm, or says again what one said."""
    first = _first(core, event, mail)
    if first is not None:
        return {
            "parse_status": "duplicate",
            "duplicate_of": first,
            "detail": f"within {core.duplicate_seconds:g} s of event {first} of the same pin",
        }
    delay = site.content["entry_delay_seconds"]
    release = release_of(event["event_type"], delay, mail.received_at)
    return {"release": release, "clips": [PENDING]}


def _first(core: Core, event: Json, mail: Mail) -> int | None:
    """The alarm of the same pin and test session that came less than `duplicate_seconds` before."""
    since = rfc3339(mail.received_at - timedelta(seconds=core.duplicate_seconds))
    alike = ("device", "pin", "source", "test_session")
    for other in core.store.events(Wanted(event["site"], since=since), _MOST_IN_A_MINUTE):
        same = all(other.get(name) == event[name] for name in alike)
        if same and other["parse_status"] == "parsed" and other["received_at"] > since:
            return int(other["id"])
    return None


def _pin_of(store: Store, device: Stored | None, reading: Reading) -> Stored | None:
    if device is None or reading.pin is None or reading.problem:
        return None
    return store.get(Spot("alarm_input", device.path.site, device.path.device, reading.source, reading.pin))


def _judge(reading: Reading, site: Stored | None, device: Stored | None, pin: Stored | None) -> _Judgement:
    if device is None or site is None:
        return _Judgement("unknown_account", "no device has this SMTP account id")
    if reading.problem:
        return _Judgement("unparsed", reading.problem)
    if pin is None:
        return _Judgement("unknown_pin", f"the device has no {reading.source} alarm input {reading.pin}")
    if not pin.content["enabled"] or site.content["status"] != "active":
        # the word is facts/portal.md 3.2's; that it covers these two cases is this project's assumption
        return _Judgement("blocked_event", "the alarm input is disabled, or the site is not active")
    return _judge_camera(reading, int(pin.content["camera"]))


def _judge_camera(reading: Reading, declared: int) -> _Judgement:
    """A generic event has no camera: empty is normal for it and a failure for a hardware event [I]."""
    if not reading.camera_name and reading.source == "soft":
        return _Judgement("parsed")
    if reading.camera == declared:
        return _Judgement("parsed")
    if reading.camera is None:
        named = f"{reading.camera_name[:100]!r} does not begin with a camera number"
        return _Judgement("camera_mismatch", named if reading.camera_name else "the mail names no camera")
    return _Judgement("camera_mismatch", f"the mail says camera {reading.camera}, the alarm input {declared}")


def _zone(site: Stored | None) -> tzinfo:
    """The recorder writes local time: the site's zone, or UTC where none is set or known."""
    try:
        return ZoneInfo(str(site.content["time_zone"])) if site and site.content["time_zone"] else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
