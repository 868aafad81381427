"""What one reading showed of the Windows below a recorder: services by role, ports, firewall, clock, disks.

Asked in the same round trip as the rest, each verb for itself: a firewall that does not answer must not
keep the recorder from being read. What was not answered is None here, and then unknown, never in sync.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ivn_provision.drivers.xprotect_e.agent_link import Answer, Step
from ivn_provision.model.windows import WindowsPort, ports_of
from ivn_provision.spec.site import Nvr

# By program, never by a fixed name (`facts/xprotect-e.md`, part 3); log_check's program is not known.
_PROGRAMS = {
    "recordingserver.exe": "recording_server",
    "imageserver.exe": "image_server",
    "videoos.event.server.exe": "event_server",
    "imageimportservice.exe": "image_import",
}
_NAMES = {"milestone log check service": "log_check"}


@dataclass(frozen=True, slots=True)
class WindowsAsked:
    """What the site declares and a reading needs to know: ports to look for, and which demands stand."""

    ports: tuple[WindowsPort, ...] = ()
    firewall: bool = False
    listening: bool = False


@dataclass(frozen=True, slots=True)
class Clocks:
    """Our own clock just before and just after the round trip; None where there is none."""

    before: datetime | None
    after: datetime | None


@dataclass(frozen=True, slots=True)
class WindowsSeen:
    """`services` are the product's, `by_role` those whose role is known. `offset` is in seconds: by how much
    the recorder's clock differs for certain, 0 within the uncertainty of the round trip."""

    asked: WindowsAsked
    facts: Answer
    services: tuple[Mapping[str, Any], ...]
    by_role: Mapping[str, Mapping[str, Any]]
    about: Answer | None
    listening: Answer | None
    firewall: Answer | None
    offset: float | None


def asked_of(nvr: Nvr) -> WindowsAsked:
    """What to ask for a site's recorder."""
    windows = nvr.windows
    return WindowsAsked(
        ports_of(nvr),
        firewall=bool(windows and windows.firewall),
        listening=bool(windows and windows.listening),
    )


def windows_steps(asked: WindowsAsked) -> list[Step]:
    """For the `always` part of the one request that reads."""
    ports = [{"protocol": each.protocol, "port": each.port} for each in asked.ports]
    return [{"verb": "windows"}, {"verb": "listening"}, {"verb": "firewall", "ports": ports}]


def windows_seen(
    asked: WindowsAsked,
    facts: Answer,
    services: Sequence[Mapping[str, Any]],
    answers: Sequence[Answer],
    clocks: Clocks,
) -> WindowsSeen:
    """Understand the answers to `windows_steps`, with those of verbs `facts` and `services`."""
    given = {str(each["verb"]): each for each in answers if each["ok"]}
    roles = ((role_of_service(each), each) for each in reversed(services))
    return WindowsSeen(
        asked=asked,
        facts=facts,
        services=tuple(services),
        by_role={role: each for role, each in roles if role},
        about=given.get("windows"),
        listening=given.get("listening"),
        firewall=given.get("firewall"),
        offset=clock_offset(str(facts["utc_now"]), clocks),
    )


def role_of_service(service: Mapping[str, Any]) -> str:
    """The role of a service by its program, "" for another."""
    path = str(service["path"]).strip()
    program = path[1:].partition('"')[0] if path.startswith('"') else path
    name = program.rpartition("\\")[2].casefold()
    found = next((role for known, role in _PROGRAMS.items() if name.startswith(known)), "")
    return found or _NAMES.get(str(service["name"]).casefold(), "")


def role_of_program(program: str) -> str:
    """The role of a running program, or its name where it is not the product's."""
    return _PROGRAMS.get(program.casefold(), program)


def is_program_of(role: str, path: str) -> bool:
    """Is this program file that of a role?"""
    return _PROGRAMS.get(path.rpartition("\\")[2].casefold()) == role


def clock_offset(recorder: str, clocks: Clocks) -> float | None:
    """Seconds that the recorder's clock is ahead (behind: negative), as far as that is certain.

    It was read at some time of the round trip, so half of that is uncertain; and it comes without fractions.
    None without a clock, and for a text that is no time.
    """
    if clocks.before is None or clocks.after is None:
        return None
    try:
        there = datetime.strptime(recorder, "%Y-%m-%dT%H:%M:%S%z") + timedelta(seconds=0.5)
    except ValueError:
        return None
    half = (clocks.after - clocks.before) / 2
    difference = (there - (clocks.before + half)).total_seconds()
    certain = max(0.0, abs(difference) - half.total_seconds() - 0.5)
    return round(certain if difference > 0 else -certain, 1) + 0.0


def drives_of(seen: WindowsSeen) -> tuple[str, ...]:
    """Drives of Windows and of the product's programs; recordings fill theirs by design."""
    paths = (str(each["path"]).strip().lstrip('"') for each in seen.services)
    return tuple(sorted({"C:", *(path[:2].upper() for path in paths if path[1:2] == ":")}))


def free_bytes(seen: WindowsSeen) -> Mapping[str, int]:
    """Free bytes of those drives that were seen."""
    disks = {
        str(each["drive"]).upper(): int(each["free_bytes"]) for each in (seen.about or {}).get("disks", ())
    }
    return {drive: disks[drive] for drive in drives_of(seen) if drive in disks}
