"""May a site be changed now? Its maintenance window, and what the portal says of alarms. Pure."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Set as AbstractSet
from datetime import datetime, time, timedelta

from ivn_provision.errors import LimitExceeded
from ivn_provision.plan.plan import SitePlan

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def check_moment(
    plan: SitePlan, window: str | None, time_zone: str | None, now: datetime, overrides: AbstractSet[str]
) -> tuple[str, ...]:
    """What stands in the way and is overridden; nothing if nothing does. Raises LimitExceeded.

    `now` has a time zone. A plan that changes nothing is always in time.
    """
    if not plan.workable:
        return ()
    problems = {
        "window": _outside(window, time_zone, now),
        "armed": "the portal says that the site is armed"
        if any(facts.holding.armed for facts in plan.facts)
        else "",
        "incident": next(
            (f"an incident is open: {each.holding.incident}" for each in plan.facts if each.holding.incident),
            "",
        ),
    }
    standing = [name for name, problem in problems.items() if problem]
    against = [name for name in standing if name not in overrides]
    if against:
        raise LimitExceeded(
            f"{plan.site} may not be changed now: {'; '.join(problems[name] for name in against)}; nothing was written",
            where=plan.site,
            next_step=f"wait; or give {' '.join(f'--override {name}' for name in against)}, which is logged",
        )
    return tuple(standing)


def _outside(window: str | None, time_zone: str | None, now: datetime) -> str:
    """Why the time is not in the window; "" if it is, or there is none."""
    if window is None:
        return ""
    if time_zone is None:
        return f"maintenance.window is {window}, and the site has no time_zone to judge it by"
    try:
        local = now.astimezone(zoneinfo.ZoneInfo(time_zone))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return f"this machine does not know the time zone {time_zone}"
    if in_window(window, local):
        return ""
    return f"it is {local:%a %H:%M} there, and maintenance.window is {window}"


def in_window(window: str, local: datetime) -> bool:
    """Is a local time in `Mon-Fri 09:00-16:00`? The end is not; a span over midnight belongs to its first day."""
    days, _, span = window.partition(" ")
    start, end = (_time(part) for part in span.split("-"))
    named = _named(days)
    today, yesterday = _DAYS[local.weekday()], _DAYS[(local - timedelta(days=1)).weekday()]
    clock = local.time()
    if start < end:
        return today in named and start <= clock < end
    return (today in named and clock >= start) or (yesterday in named and clock < end)


def _named(days: str) -> set[str]:
    found = set()
    for part in days.split(","):
        first, _, last = part.partition("-")
        at, to = _DAYS.index(first), _DAYS.index(last or first)
        found |= {_DAYS[day % 7] for day in range(at, to + 1 if to >= at else to + 8)}
    return found


def _time(text: str) -> time:
    found = re.fullmatch(r"(\d\d):(\d\d)", text)
    assert found, "the rule IVN071 let it through"
    return time(int(found[1]), int(found[2]))
