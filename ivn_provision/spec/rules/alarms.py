"""Alarm definitions: enabled, always active, on an event that exists.

That an alarm has exactly one source is the schema's business.
"""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.diagnostics import Severity
from ivn_provision.spec.rules.context import Context
from ivn_provision.spec.rules.registry import Finding, rule, show
from ivn_provision.spec.site import Alarm


@rule(
    "IVN016",
    "alarm-name-unique",
    Severity.ERROR,
    title="An alarm's name is used once per recorder",
    requirements=("R-57", "xprotect-e part 4.10"),
)
def alarm_name_unique(context: Context) -> Iterator[Finding]:
    """XProtect itself allows two alarms of one name; this tool recognises an alarm by it."""
    seen: dict[str, Alarm] = {}
    for alarm in context.alarms:
        first = seen.setdefault(alarm.name, alarm)
        if first is not alarm:
            yield Finding(
                f"{alarm.pointer}/name",
                f"two alarms are named {show(alarm.name)}",
                "give each alarm a name of its own",
                ((f"{first.pointer}/name", "first used here"),),
            )


@rule(
    "IVN017",
    "alarm-event-exists",
    Severity.ERROR,
    title="An alarm's source is a declared event",
    requirements=("R-57", "portal row 35"),
)
def alarm_event_exists(context: Context) -> Iterator[Finding]:
    """Checked where the site declares the section the source belongs to."""
    site = context.site
    for alarm in context.alarms:
        pin, other = alarm.hardware_event, alarm.generic_event
        if pin is not None and site.hardware_events is not None and pin not in context.hardware_by_pin:
            yield Finding(
                f"{alarm.pointer}/source/hardware_event",
                f"the alarm {show(alarm.name)} names '{pin} H', which is not declared",
                "declare it under hardware_events, or name a declared pin",
            )
        if other is not None and site.generic_events is not None and other not in context.generic_by_pin:
            yield Finding(
                f"{alarm.pointer}/source/generic_event",
                f"the alarm {show(alarm.name)} names '{other} S', which is not declared",
                "declare it under generic_events, or name a declared pin",
            )


@rule(
    "IVN018",
    "alarm-always",
    Severity.WARNING,
    title="An alarm is active always",
    requirements=("R-57", "portal row 35"),
)
def alarm_always(context: Context) -> Iterator[Finding]:
    """The manual leaves the time profile at `Always`; outside another profile the alarm is not raised."""
    for alarm in context.alarms:
        if alarm.enabled and alarm.time_profile != "Always":
            yield Finding(
                f"{alarm.pointer}/time_profile",
                f"the alarm {show(alarm.name)} is active only in the profile {show(alarm.time_profile)}",
                "write time_profile: Always",
            )


@rule(
    "IVN019",
    "alarm-works",
    Severity.WARNING,
    title="An alarm and its event are enabled",
    requirements=("R-57", "portal row 35"),
)
def alarm_works(context: Context) -> Iterator[Finding]:
    """An alarm definition that is off, or whose event is off, is never raised."""
    for alarm in context.alarms:
        if not alarm.enabled:
            yield Finding(
                f"{alarm.pointer}/enabled", f"the alarm {show(alarm.name)} is off", "write enabled: true"
            )
            continue
        event = context.hardware_by_pin.get(alarm.hardware_event or 0) or context.generic_by_pin.get(
            alarm.generic_event or 0
        )
        if event and not event.enabled:
            yield Finding(
                f"{alarm.pointer}/source",
                f"the alarm {show(alarm.name)} waits for {show(event.name)}, which is disabled",
                "enable the event, or write enabled: false on the alarm",
                ((f"{event.pointer}/enabled", "disabled here"),),
            )
