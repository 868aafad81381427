"""The portal's side: fields, pins, test mode, and pins that have been silent for long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from ivn_provision.verify.drift import Part, compared, moment
from ivn_provision.verify.evidence import Evidence
from ivn_provision.verify.registry import check
from ivn_provision.verify.result import Found, State, passed, skipped, unknown, warned

SILENT_DAYS = 90


@check(
    "portal-site",
    title="The portal's site is as declared",
    target="portal",
    refs=("R-73", "R-80", "row 18", "row 24", "row 37", "row 39"),
)
def portal_site(evidence: Evidence) -> Iterator[Found]:
    """Address, time zone, entry delay, clip and station."""
    yield from compared(evidence, "portal site", Part("site", "the portal would treat alarms otherwise"))


@check(
    "portal-device",
    title="The portal's device is as declared",
    target="portal",
    refs=("R-37", "R-75", "R-76", "row 21", "row 27"),
)
def portal_device(evidence: Evidence) -> Iterator[Found]:
    """Make, model, ports, account and password."""
    yield from compared(evidence, "portal device", Part("device", "the portal could not fetch video"))


@check(
    "portal-pins",
    title="The portal's pins are as declared",
    target="portal",
    refs=("R-63", "R-79", "R-81", "row 33", "row 34"),
)
def portal_pins(evidence: Evidence) -> Iterator[Found]:
    """Each with its camera and event type, and none too many."""
    yield from compared(evidence, "pins", Part("pin", "the alarm would show another door, or none"))


@check("dormant-pins", title="No pin has been silent for long", target="portal", refs=("row 43",))
def dormant_pins(evidence: Evidence) -> Iterator[Found]:
    """Tests count: a pin of which nothing came for 90 days may be dead, and nobody knows."""
    pins = (
        [(each.pin, each.source) for each in (evidence.site.portal.pins or ())]
        if evidence.site.portal
        else []
    )
    if not pins:
        yield skipped("the site file declares no pins")
        return
    if "events" in evidence.missing:
        yield unknown(evidence.missing["events"])
        return
    last: dict[tuple[int | None, str], datetime] = {}
    for event in evidence.events:
        last.setdefault((event.pin, event.source), event.received_at)
    for pin, source in pins:
        yield _silent(evidence, f"{pin} {source[0].upper()}", last.get((pin, source)))


def _silent(evidence: Evidence, name: str, at: datetime | None) -> Found:
    if at is None:
        text = "no event is known" if evidence.all_events else "no event among the newest"
        return Found(State.WARN if evidence.all_events else State.INCONCLUSIVE, text, _TEST, name)
    age = evidence.now - at
    if age > timedelta(days=SILENT_DAYS):
        return warned(f"the last event came {age.days} days ago", _TEST, name)
    return passed(f"the last event came at {moment(at)}", name)


_TEST = "`ivn-provision verify` fires it in a test window"


@check("test-mode", title="The site is not on test", target="portal", refs=("row 38",))
def test_mode(evidence: Evidence) -> Iterator[Found]:
    """While it is, no alarm is handed on."""
    if evidence.site.portal is None:
        yield skipped("the site file declares no portal")
    elif "portal" in evidence.missing:
        yield unknown(evidence.missing["portal"])
    elif not any(evidence.live("site")):
        yield unknown("the portal does not have the site yet", "`ivn-provision apply` makes it")
    elif evidence.test_until:
        yield warned(
            f"the site is on test until {evidence.test_until}: its alarms are not handed on",
            "wait for the run that tests it, or end the test in the portal",
        )
    else:
        yield passed("alarms are handed on")
