"""What the portal does with an alarm: event type, entry delay, length of the clip."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.diagnostics import Severity
from ivn_provision.spec.rules.context import Context
from ivn_provision.spec.rules.registry import Finding, rule, show

# facts/portal.md, part 2.3: the only two with evidence in the manual
EVENT_TYPES = frozenset({"entry_delay", "perimeter"})

# facts/portal.md, part 2.2: SIA CP-01 and UL limits, in seconds
ENTRY_DELAY_RANGE = (30, 240)
ENTRY_DELAY_LONG = 60

SHORTEST_CLIP = 3


@rule(
    "IVN032",
    "event-type-known",
    Severity.ERROR,
    title="A pin's event type is one that the portal is known to offer",
    requirements=("R-81", "R-82", "portal check S4"),
)
def event_type_known(context: Context) -> Iterator[Finding]:
    """Only `Entry Delay` and `Perimeter Alarm` have evidence in the manual; others are refused."""
    for pin in context.pins:
        if pin.event_type not in EVENT_TYPES:
            yield Finding(
                f"{pin.pointer}/event_type",
                f"{show(pin.event_type)} is not a known event type",
                f"write one of: {', '.join(sorted(EVENT_TYPES))}",
            )


@rule(
    "IVN033",
    "entry-delay-declared",
    Severity.WARNING,
    title="A site with an entry delay pin declares the delay",
    requirements=("R-80", "R-81"),
)
def entry_delay_declared(context: Context) -> Iterator[Finding]:
    """The delay lives in the portal, and the manual gives no default: undeclared, it is whatever stands there."""
    if not context.portal or context.portal.entry_delay_seconds is not None:
        return
    for pin in context.pins:
        if pin.event_type == "entry_delay" and pin.enabled:
            yield Finding(
                f"{pin.pointer}/event_type",
                f"pin {pin.pin} has an entry delay, but the site declares no length for it",
                "write portal.entry_delay_seconds, not shorter than the alarm panel's delay",
            )
            return


@rule(
    "IVN034",
    "entry-delay-range",
    Severity.WARNING,
    title="The entry delay is between 30 and 240 seconds",
    requirements=("portal row 39", "portal check S10"),
)
def entry_delay_range(context: Context) -> Iterator[Finding]:
    """The limits of alarm panels after SIA CP-01. The portal's own limits are not known, so this only warns."""
    seconds = context.portal.entry_delay_seconds if context.portal else None
    lowest, highest = ENTRY_DELAY_RANGE
    if seconds is not None and not lowest <= seconds <= highest:
        yield Finding(
            "/portal/entry_delay_seconds",
            f"an entry delay of {seconds} s is outside {lowest} to {highest} s",
            "take the alarm panel's entry delay; 30 s is the usual default",
        )


@rule(
    "IVN035",
    "entry-delay-long",
    Severity.WARNING,
    title="The entry delay is at most 60 seconds",
    requirements=("portal row 39", "portal check S10"),
)
def entry_delay_long(context: Context) -> Iterator[Finding]:
    """CP-01 wants entry delay and abort time within 60 s together; UL 2610 allows 60 s at most."""
    seconds = context.portal.entry_delay_seconds if context.portal else None
    if seconds is not None and ENTRY_DELAY_LONG < seconds <= ENTRY_DELAY_RANGE[1]:
        yield Finding(
            "/portal/entry_delay_seconds",
            f"an entry delay of {seconds} s is longer than {ENTRY_DELAY_LONG} s",
            "check it against the alarm panel and the rules that the site is certified for",
        )


@rule(
    "IVN036",
    "clip-length",
    Severity.ERROR,
    title="A clip has at least 3 seconds before and after the alarm",
    requirements=("R-04", "portal check S9"),
)
def clip_length(context: Context) -> Iterator[Finding]:
    """The manual: at least 3 s as a rule, normally about 10 s each side."""
    if not context.clip:
        return
    for side, seconds in (("pre", context.clip.pre_seconds), ("post", context.clip.post_seconds)):
        if seconds < SHORTEST_CLIP:
            yield Finding(
                f"/portal/clip/{side}_seconds",
                f"{seconds} s is shorter than {SHORTEST_CLIP} s",
                f"write {side}_seconds: 10",
            )
