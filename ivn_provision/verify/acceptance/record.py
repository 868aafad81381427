"""What an acceptance saw and how it is judged: one record for each pin that was fired. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo

from ivn_provision.drivers.portal.testing_values import PortalEvent, ReceivedMail
from ivn_provision.verify.acceptance.shots import Shot
from ivn_provision.verify.mail.judge import Envelope, Expected, Finding, Level, judge_mail
from ivn_provision.verify.mail.profile import MailProfile
from ivn_provision.verify.mail.reading import MailReading, read_mail
from ivn_provision.verify.result import Found, State


@dataclass(frozen=True, slots=True)
class Terms:
    """What all pins of a site are judged by. `account_id` is the portal's; seconds as declared."""

    account_id: str
    within_seconds: float
    zone: tzinfo
    location_address: str
    pre_seconds: int
    entry_delay_seconds: int | None
    profile: MailProfile


@dataclass(frozen=True, slots=True)
class Record:
    """A pin that was fired. `events` are the portal's events of it, the first first; `mail` is of the first.

    It was fired between `fired_at` and `fired_until`, by the portal's clock: reaching a recorder takes a moment.
    `by_person`: somebody was asked to trip it at `fired_at`, and did so at a time that nobody knows. `by` says in words
    who tripped an input, "" for a soft trigger.
    `skipped` says why it was not fired; `error` what went wrong with firing or looking, `remedy` what to do then.
    """

    shot: Shot
    fired_at: datetime | None = None
    events: tuple[PortalEvent, ...] = ()
    mail: ReceivedMail | None = None
    reading: MailReading | None = None
    skipped: str = ""
    error: str = ""
    findings: tuple[Finding, ...] = field(default=())
    by_person: bool = False
    fired_until: datetime | None = None
    remedy: str = ""
    by: str = ""

    @property
    def latency_seconds(self) -> float | None:
        """From when firing began to the portal's receipt of the mail; None where that is not known."""
        if self.fired_at is None or not self.events or self.by_person:
            return None
        return max(0.0, (self.events[0].received_at - self.fired_at).total_seconds())


def read(record: Record, mail: ReceivedMail, terms: Terms) -> Record:
    """The record with its mail read and judged."""
    assert record.fired_at is not None
    reading = read_mail(mail.raw, terms.profile)
    envelope = Envelope(mail.sender, mail.recipients, mail.peer, mail.received_at)
    shot = record.shot
    began, until = _fired(record, mail)
    expected = Expected(
        account_id=terms.account_id,
        pin=shot.pin,
        source=shot.source,
        camera=shot.camera,
        fired_at=began,
        fired_until=until,
        within_seconds=terms.within_seconds,
        zone=terms.zone,
        location_address=terms.location_address,
        clip_seconds=terms.pre_seconds,
    )
    findings = judge_mail(reading, envelope, expected, terms.profile)
    return replace(record, mail=mail, reading=reading, findings=findings)


TRAVEL_SECONDS = 5.0
"""A mail of an input that a person tripped may have been under way so long, and its clock be right."""


def _fired(record: Record, mail: ReceivedMail) -> tuple[datetime, datetime]:
    """Between which times it was fired. Of what a person trips only the mail's arrival is known (row 18)."""
    assert record.fired_at is not None
    if not record.by_person:
        return record.fired_at, max(record.fired_at, record.fired_until or record.fired_at)
    earliest = mail.received_at - timedelta(seconds=TRAVEL_SECONDS)
    return min(max(record.fired_at, earliest), mail.received_at), mail.received_at


def judged(record: Record, terms: Terms) -> tuple[Found, ...]:
    """What is to say of a pin: what failed and warned; one `pass` if nothing did."""
    name = record.shot.name
    if record.skipped:
        return (Found(State.SKIPPED, record.skipped, subject=name),)
    if record.error:
        remedy = record.remedy or "look at the recorder and the portal, then run it again"
        return (Found(State.FAIL, record.error, remedy, name),)
    found = [*_arrival(record, terms), *_mail(record), *_event(record, terms), *_clip(record)]
    if any(each.state is not State.PASS for each in found):
        return tuple(found)
    after = "" if record.latency_seconds is None else f" after {record.latency_seconds:.1f} s"
    by = f", tripped by {record.by}" if record.by else ""
    evidence = f"one mail{after}, camera {record.shot.camera}, {_pictures(record)}{by}"
    return (Found(State.PASS, evidence, subject=name),)


def _arrival(record: Record, terms: Terms) -> Iterator[Found]:
    name, count = record.shot.name, len(record.events)
    if count == 0:
        yield Found(
            State.FAIL,
            f"no mail arrived within {terms.within_seconds:g} s",
            _NO_MAIL,
            name,
        )
    elif count > 1:
        yield Found(
            State.FAIL,
            f"{count} mails arrived for one trigger",
            "does the camera mail by itself, is a second event on the input, or does a relay deliver twice? (rows 5, 6, 16)",
            name,
        )


_NO_MAIL = (
    "look at the gates of the mail with `check`; try the test mail of the recorder (R-46); if both are right, use the"
    " workaround for events that do not mail (R-55): untick, save, tick, save"
)


def _mail(record: Record) -> Iterator[Found]:
    states = {Level.FAIL: State.FAIL, Level.WARN: State.WARN, Level.INCONCLUSIVE: State.INCONCLUSIVE}
    for each in record.findings:
        remedy = _REMEDIES.get(each.code, f"see row {each.row} of the failure table, {each.requirement}")
        yield Found(states[each.level], each.message, remedy, record.shot.name)


_REMEDIES = {
    "sender": "the sender must be the SMTP Account ID (R-42): `apply` sets it",
    "recipient": "the recipient must be the SMTP Account ID (R-41): `apply` sets it",
    "subject": "set the template's subject (R-40): `apply` sets it",
    "clock": "set the recorder's clock and its time source",
    "first-hop": "correct portal.device.location_address, or find out which line the mails take",
    "late": "look at the recorder's and the mail server's queues; is a minimum interval set for mails (row 13)?",
}


def _event(record: Record, terms: Terms) -> Iterator[Found]:
    if not record.events:
        return
    event, name = record.events[0], record.shot.name
    if any(not each.test for each in record.events):
        yield Found(
            State.FAIL,
            "the portal took it as a real alarm, although its test window was open",
            "tell the station at once; ask the portal's people why, before you test again (row 38)",
            name,
        )
    if event.parse_status not in {"parsed", "duplicate"}:
        yield Found(
            State.FAIL,
            f"the portal took it as {event.parse_status.replace('_', ' ')}: {event.detail}",
            "compare the event's name, the template and the portal's pins (rows 3, 11, 34)",
            name,
        )
        return
    yield from _release(record, event, terms)


def _release(record: Record, event: PortalEvent, terms: Terms) -> Iterator[Found]:
    """Assumed behaviour of the portal (facts/portal.md, 2.2): an entry delay is held, a perimeter alarm is not."""
    name = record.shot.name
    if event.parse_status == "duplicate":
        return  # it stands for the alarm before it
    status = event.release.status if event.release else "not known"
    if record.shot.event_type == "entry_delay" and terms.entry_delay_seconds:
        if status not in {"held", "released", "cancelled"}:
            yield Found(
                State.FAIL,
                f"the portal did not hold the entry delay{_ASSUMED}",
                "see portal-pins and portal-site",
                name,
            )
        elif (wrong := _held_for(event, terms.entry_delay_seconds)) is not None:
            yield Found(
                State.FAIL,
                f"held for {wrong:g} s, declared are {terms.entry_delay_seconds} s{_ASSUMED}",
                "see portal-site",
                name,
            )
    elif status != "immediate":
        yield Found(
            State.FAIL, f"the portal did not hand it on at once: {status}{_ASSUMED}", "see portal-pins", name
        )


def _held_for(event: PortalEvent, declared: int) -> float | None:
    """For how long it would be held, if that is another time than is declared."""
    if event.release is None or event.release.due_at is None:
        return None
    seconds = (event.release.due_at - event.received_at).total_seconds()
    return seconds if abs(seconds - declared) > 1.0 else None


def _clip(record: Record) -> Iterator[Found]:
    if not record.events or record.events[0].parse_status not in {"parsed", "duplicate"}:
        return
    clips, name = record.events[0].clips, record.shot.name
    if not clips:
        yield Found(State.INCONCLUSIVE, "the portal shows no clip", "look at the event in the portal", name)
    for clip in clips:
        if clip.status == "pending":
            yield Found(
                State.INCONCLUSIVE, "the clip was not ready in time", "look at the event in the portal", name
            )
        elif clip.status != "ready":
            yield Found(
                State.FAIL,
                f"the clip is {clip.status.replace('_', ' ')}",
                "see web-port, portal-login and recording of `check` (rows 17, 18, 21, 25)",
                name,
            )


def _pictures(record: Record) -> str:
    clips = record.events[0].clips if record.events else ()
    seconds = next(
        (
            f"{each.pre:g} s before and {each.post:g} s after"
            for each in clips
            if each.pre is not None and each.post is not None
        ),
        "",
    )
    return f"clip ready: {seconds}" if seconds else "clip ready"


HOLD_ENDS_SECONDS = 2.0
_ASSUMED = " (assumed behaviour of the portal)"
"""Nothing is published about it (facts/portal.md, 2.2)."""


def entry_delay(records: Sequence[Record]) -> tuple[Found, ...]:
    """Does a perimeter alarm end the hold of an entry delay before it? Assumed behaviour (facts/portal.md, 2.2)."""
    held = [each.events[0] for each in records if each.events and each.shot.event_type == "entry_delay"]
    at_once = [each.events[0] for each in records if each.events and each.shot.event_type == "perimeter"]
    found = []
    for event in held:
        after = [each.received_at for each in at_once if each.id > event.id]
        release = event.release
        if not after or release is None or release.due_at is None or min(after) >= release.due_at:
            continue
        name = f"{event.pin} {'H' if event.source == 'hardware' else 'S'}"
        if (
            release.released_at is None
            or abs((release.released_at - min(after)).total_seconds()) > HOLD_ENDS_SECONDS
        ):
            found.append(
                Found(
                    State.FAIL,
                    f"{name} stayed held after the perimeter alarm{_ASSUMED}",
                    "see portal-pins and portal-site",
                )
            )
        else:
            found.append(Found(State.PASS, f"the perimeter alarm handed on {name} at once{_ASSUMED}"))
    return tuple(found)
