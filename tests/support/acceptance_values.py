"""Made-up events, mails and records of an acceptance, as they should be; a test changes one thing of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ivn_provision.drivers.portal.testing_values import Clip, PortalEvent, ReceivedMail, Release
from ivn_provision.verify.acceptance.record import Record, Terms, read
from ivn_provision.verify.acceptance.shots import Shot
from ivn_provision.verify.mail.profile import profile_of

NOW = datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)
ACCOUNT = "milestone-xp-p-0001@ivnview.com"
TERMS = Terms(
    account_id=ACCOUNT,
    within_seconds=30,
    zone=UTC,
    location_address="198.51.100.7",
    pre_seconds=10,
    entry_delay_seconds=45,
    profile=profile_of("xprotect-professional-2014"),
)
SOFT = Shot(pin=2, source="soft", camera=10, event_type="perimeter")
DOOR = Shot(pin=3, source="hardware", camera=11, event_type="entry_delay", device="192.168.10.62", input=1)


def at(seconds: float) -> datetime:
    """So many seconds after the pin was fired."""
    return NOW + timedelta(seconds=seconds)


def event(shot: Shot = SOFT, number: int = 1, after: float = 2.0, **changes: Any) -> PortalEvent:
    """The event of a pin that was fired at NOW."""
    received = at(after)
    held = shot.event_type == "entry_delay"
    release = Release(
        "held" if held else "immediate", received + timedelta(seconds=45) if held else None, None
    )
    made = PortalEvent(
        id=number,
        received_at=received,
        mail_time=at(0),
        offset_seconds=-after,
        pin=shot.pin,
        source=shot.source,
        camera=shot.camera,
        event_type=shot.event_type,
        parse_status="parsed",
        detail="",
        trigger=shot.name,
        camera_name="",
        sender=ACCOUNT,
        recipient=ACCOUNT,
        subject="",
        peer="198.51.100.7",
        release=release,
        clips=(Clip("ready", 10.0, 10.0),),
        duplicate_of=None,
        test=True,
        test_session="ts-1",
    )
    return replace(made, **changes)


def mail(shot: Shot = SOFT, after: float = 2.0, clock: float = 0.0) -> ReceivedMail:
    """Its mail; `clock` is what the recorder's clock is ahead of the portal's."""
    stamp = at(clock).strftime("%m/%d/%Y %H:%M:%S")
    camera = f"{shot.camera} Gate" if shot.source == "hardware" else ""
    text = f"Trigger Event : {shot.name}\r\nCamera is : {camera}\r\nTime: {stamp}\r\n"
    head = f"From: {ACCOUNT}\r\nTo: {ACCOUNT}\r\nSubject: {TERMS.profile.subject}\r\n\r\n"
    return ReceivedMail(
        raw=(head + text).encode(),
        sender=ACCOUNT,
        recipients=(ACCOUNT,),
        peer="198.51.100.7",
        received_at=at(after),
        tls=True,
        truncated=False,
    )


def record(
    shot: Shot = SOFT,
    *events: PortalEvent,
    after: float = 2.0,
    clock: float = 0.0,
    took: float = 0.0,
    asked: float | None = None,
) -> Record:
    """A pin that was fired at NOW, or that a person was asked for `asked` seconds before. `took`: until when."""
    began = NOW if asked is None else at(-asked)
    made = Record(
        shot,
        fired_at=began,
        fired_until=at(took),
        events=events or (event(shot, after=after),),
        by_person=asked is not None,
    )
    return read(made, mail(shot, after, clock), TERMS)
