"""When the tool may work at the site, and what it tests there."""

from __future__ import annotations

import functools
import re
import zoneinfo
from collections.abc import Iterator

from ivn_provision.diagnostics import Severity
from ivn_provision.spec.rules.context import Context
from ivn_provision.spec.rules.registry import Finding, rule, show

_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_WINDOW = re.compile(rf"{_DAY}(?:-{_DAY})?(?:,{_DAY}(?:-{_DAY})?)* (?P<start>{_TIME})-(?P<end>{_TIME})")
_PIN = re.compile(r"(?P<pin>[1-9][0-9]{0,2}) ?(?P<kind>[HS])")
_SOURCES = {"H": "hardware", "S": "soft"}


@rule(
    "IVN070",
    "time-zone",
    Severity.ERROR,
    title="The time zone is a name of the IANA database",
    requirements=("portal row 18",),
)
def time_zone(context: Context) -> Iterator[Finding]:
    """Clips are found by the time in the mail, and maintenance windows are local time.

    Abbreviations such as `EST` have no daylight saving. Not checked where the machine has no time zone data.
    """
    name = context.site.time_zone
    if name is not None and not _is_time_zone(name):
        yield Finding(
            "/time_zone",
            f"{show(name)} is not a time zone of the IANA database",
            "write a name such as America/New_York or UTC",
        )


@rule(
    "IVN071",
    "maintenance-window",
    Severity.ERROR,
    title="The maintenance window is days and a time span",
    requirements=("tool maintenance.window",),
)
def maintenance_window(context: Context) -> Iterator[Finding]:
    """Days are `Mon` to `Sun`, as a span or a list; times are HH:MM in the site's time zone."""
    text = context.site.maintenance_window
    if text is None:
        return
    found = _WINDOW.fullmatch(text)
    if not found or found["start"] == found["end"]:
        yield Finding(
            "/maintenance/window",
            f"{show(text)} is not a maintenance window",
            "write for example 'Mon-Fri 09:00-16:00' or 'Sat,Sun 10:00-12:00'",
        )


@rule(
    "IVN091",
    "window-has-time-zone",
    Severity.ERROR,
    title="A maintenance window has a time zone to be judged by",
    requirements=("tool maintenance.window",),
)
def window_has_time_zone(context: Context) -> Iterator[Finding]:
    """The window is the site's local time. Without `time_zone` every apply of the site is refused."""
    if context.site.maintenance_window is not None and context.site.time_zone is None:
        yield Finding(
            "/maintenance/window",
            "the maintenance window cannot be judged: the site has no time_zone",
            "declare time_zone, such as America/New_York",
        )


@rule(
    "IVN072",
    "acceptance-pins",
    Severity.ERROR,
    title="The pins of the acceptance test are declared",
    requirements=("R-83",),
)
def acceptance_pins(context: Context) -> Iterator[Finding]:
    """`all`, or a list such as `[2H, 2S]` of pins under `portal.pins`."""
    acceptance = context.site.acceptance
    if not acceptance or acceptance.pins == "all":
        return
    for index, text in enumerate(acceptance.pins):
        found = _PIN.fullmatch(text)
        key = (_SOURCES[found["kind"]], int(found["pin"])) if found else None
        if key is None or key not in context.pin_by_key:
            declared = ", ".join(
                f"{pin}{source[0].upper()}" for source, pin in sorted(context.pin_by_key)[:12]
            )
            yield Finding(
                f"/acceptance/pins/{index}",
                f"{show(text)} is not a declared pin",
                f"declared pins: {declared}" if declared else "declare it in portal.pins",
            )


@functools.lru_cache(maxsize=1024)
def _is_time_zone(name: str) -> bool:
    if not _has_data():
        return True
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        # ValueError: a path that leaves the database; OSError: a folder of it, such as `America`
        return False
    return "/" in name or name == "UTC"


@functools.cache
def _has_data() -> bool:
    try:
        zoneinfo.ZoneInfo("America/New_York")
    except zoneinfo.ZoneInfoNotFoundError:
        return False
    return True
