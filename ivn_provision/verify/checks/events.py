"""Events on the recorder: names, rules, gates of mail, alarms. The names carry the pins (R-50, R-59)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ivn_provision.verify.drift import Part, compared
from ivn_provision.verify.evidence import Evidence
from ivn_provision.verify.registry import check
from ivn_provision.verify.result import Found, failed, passed, skipped, unknown

_EVENTS = ("hardware_event", "generic_event")


@check(
    "event-names",
    title="Every event is there, on its input, under its exact name",
    target="nvr",
    refs=("R-50", "R-52", "R-59", "row 3", "row 5", "row 6"),
)
def event_names(evidence: Evidence) -> Iterator[Found]:
    """`2 H` and `2 S`: the portal finds the pin by the name. Events of ours that are too many mail as well."""
    yield from compared(
        evidence,
        "events",
        Part(
            "hardware_event",
            "the mail would name no pin, or another",
            ("name", "device", "input", "edge", "camera"),
        ),
        Part("generic_event", "the soft trigger would not be heard", ("name",)),
    )


@check(
    "event-rules", title="Soft triggers match exactly their own text", target="nvr", refs=("R-61", "row 31")
)
def event_rules(evidence: Evidence) -> Iterator[Found]:
    """Rule Match on the event's own name; with Search `1 S` would also hear `11 S`."""
    part = Part("generic_event", "another text would fire it, or none", ("rule", "match"), whole=False)
    yield from compared(evidence, "rules of generic events", part)


@check("event-recording", title="Every alarm input starts recording", target="nvr", refs=("R-32", "row 17"))
def event_recording(evidence: Evidence) -> Iterator[Found]:
    """On all cameras."""
    part = Part("hardware_event", "the alarm would have no video", ("record",), whole=False)
    yield from compared(evidence, "recording by events", part)


@check(
    "mail-gates",
    title="The gates of an alarm mail are open",
    target="nvr",
    refs=("R-38", "R-51", "row 10", "row 14"),
)
def mail_gates(evidence: Evidence) -> Iterator[Found]:
    """A mail passes three gates: e-mail on at all, the event's own box, and the camera's e-mail schedule.

    No layout shows the third one: it stays inconclusive here, and `verify` shows whether mails come.
    """
    yield from compared(
        evidence,
        "first two gates of mails",
        Part("mail_message", "no alarm would be mailed", ("enabled",), whole=False),
        *(
            Part(kind, "this alarm would not be mailed", ("email", "enabled"), whole=False)
            for kind in _EVENTS
        ),
    )
    if any(evidence.site.hardware_events or ()):
        yield unknown(
            "the cameras' e-mail schedules are not shown by any reading",
            "look that they say Always; `ivn-provision verify` shows whether mails come",
            "e-mail schedules",
        )


@check("mail-exclusive", title="Nothing else mails the portal", target="nvr", refs=("row 15",))
def mail_exclusive(evidence: Evidence) -> Iterator[Found]:
    """Events that are not declared and send mail: the portal gets mails that name no pin, or one it does not know."""
    if (blind := _blind(evidence)) is not None:
        yield blind
        return
    mailing = {each.address: each.title for each in evidence.foreign if _mails(each.fields)}
    known = {*(evidence.plan.desired if evidence.plan else ())}
    known |= {change.address for kind in _EVENTS for change, _ in evidence.changes(kind)}
    for kind in _EVENTS:
        ours = [address for address, fields in evidence.live(kind) if _mails(fields)]
        mailing |= {address: address.key for address in ours if address not in known}
    for address, title in mailing.items():
        yield failed(
            f"the event {title!r} sends mail to the portal",
            "untick its e-mail box in the Management Application, or name and declare it as a pin",
            str(address),
        )
    if not mailing:
        yield passed("no event that is not declared sends mail")


def _mails(fields: Mapping[str, object]) -> bool:
    return fields.get("email") is True and fields.get("enabled") is not False


def _blind(evidence: Evidence) -> Found | None:
    """Why the recorder's events cannot be judged; None if they were read."""
    if evidence.site.nvr is None:
        return skipped("the site file declares no recorder")
    if "nvr" in evidence.missing:
        return unknown(f"not looked at: {evidence.missing['nvr']}")
    if any(evidence.is_unread(kind) for kind in _EVENTS):
        return unknown("this version does not show its events", "look at them with `ivn-provision runbook`")
    return None


@check("alarms", title="The alarm definitions are as declared", target="nvr", refs=("R-57", "row 35"))
def alarms(evidence: Evidence) -> Iterator[Found]:
    """Enabled, with the right source, in the time profile that is declared (Always)."""
    part = Part("alarm", "the alarm would not be raised for operators")
    yield from compared(evidence, "alarm definitions", part)


@check("restore-mails", title="One trip makes one mail", target="nvr", refs=("row 5", "row 6"))
def restore_mails(evidence: Evidence) -> Iterator[Found]:
    """Two events of ours on one input, rising and falling: the second one mails when the input is restored."""
    if (blind := _blind(evidence)) is not None:
        yield blind
        return
    seen: dict[tuple[object, object], list[str]] = {}
    for address, fields in evidence.live("hardware_event"):
        if _mails(fields):
            seen.setdefault((fields.get("device"), fields.get("input")), []).append(address.key)
    twice = {key: pins for key, pins in seen.items() if len(pins) > 1 and None not in key}
    for (device, number), pins in twice.items():
        yield failed(
            f"input {number} of {device} is bound to events {', '.join(sorted(pins))}",
            "bind one event to an input: remove the others from the site file or the recorder",
        )
    if not seen:
        yield skipped("there are no hardware events that mail")
    elif not twice:
        yield passed("every input has one event that mails")
