"""What is said of an acceptance as a whole, beside its pins: what else mailed, and how the window was left. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ivn_provision.drivers.portal.testing_values import PortalEvent
from ivn_provision.verify.acceptance.record import Record
from ivn_provision.verify.acceptance.shots import Shot
from ivn_provision.verify.result import Found, Result, failed, passed, warned

_CHECKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "pin": ("The pin's alarm arrives", ("R-53", "R-83")),
    "two-at-once": ("Two alarms at a time both arrive", ("row 13",)),
    "entry-delay": ("A perimeter alarm ends the hold of an entry delay", ("R-80", "R-81", "R-82")),
    "others": ("Nothing mails but what was fired", ("row 15", "row 31")),
    "portal": ("The portal answers to the end", ("row 10",)),
    "window": ("The test window is closed", ("row 38",)),
}
"""By id: title, and requirements or rows of the failure table."""


def results_of(site: str, found: Iterable[tuple[str, Found]]) -> tuple[Result, ...]:
    """`found` are ids of checks with what they found."""
    return tuple(Result(site, check, *_CHECKS[check], "site", one) for check, one in found)


def is_of(event: PortalEvent, shot: Shot) -> bool:
    return event.pin == shot.pin and event.source == shot.source


def of_two(pair: Sequence[Shot], mails: int, missing: Sequence[str]) -> Found:
    """Of two pins fired together, and the mails that came of them."""
    names = " and ".join(each.name for each in pair)
    if missing:
        text = f"of {names}, fired together, there is no mail for {', '.join(missing)}"
        remedy = "is a minimum time between mails set on the recorder (`Ignore similar messages for`), or does a relay limit them?"
        return failed(text, remedy)
    if mails > len(pair):
        return failed(
            f"{names}, fired together, gave {mails} mails", "see what sends a second mail (rows 5, 6, 16)"
        )
    return passed(f"{names} fired together gave two mails")


def others(events: Iterable[PortalEvent], records: Sequence[Record], pair: Sequence[Shot]) -> list[Found]:
    """Mails of the test that nothing accounts for. A contact may have been tripped by somebody; no soft trigger is."""
    known = {event.id for record in records for event in record.events}
    strange = [each for each in events if each.id not in known and not any(is_of(each, two) for two in pair)]
    surely = [each for each in strange if each.source != "hardware"]
    if not strange:
        return []
    count = len(strange)
    names = ", ".join(dict.fromkeys(_name(each) for each in strange))
    text = f"{count} more mail{'' if count == 1 else 's'} arrived, of {names}"
    if surely:
        return [
            failed(
                text,
                "does another event mail the portal (row 15), or does a rule search instead of match (row 31)?",
            )
        ]
    return [warned(text, "did somebody trip it? then it is a real alarm that nobody saw: look at the site")]


def _name(event: PortalEvent) -> str:
    if event.pin is None:
        return f"{event.trigger or event.subject or 'no pin'!r}"
    return f"{event.pin} {'H' if event.source == 'hardware' else 'S'}"


def of_window(until: str, why: str) -> Found:
    """`until` is "" for one that is closed."""
    if not until:
        return passed("the test window is closed")
    return warned(
        f"the test window stays open until {until}: {why}",
        "a mail that comes later is no real alarm until then; find out where it stays",
    )
