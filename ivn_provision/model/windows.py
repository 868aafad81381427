"""What is known of the Windows below a recorder: its ports, and how declared and live values compare."""

from __future__ import annotations

from dataclasses import dataclass

from ivn_provision.model.resource import Value
from ivn_provision.spec.site import Nvr

DOTNET = "4.0"
"""The least .NET Framework (`facts/manual.md`, R-21)."""

SERVICE_PACK = 1
"""The least service pack of Windows 7 and 2008 R2 (R-22)."""

ANY = "any"
"""The scope of a firewall rule that lets everybody in, in every profile."""

NO_RULES = "(none)"
"""That no firewall rule blocks a declared port."""

ROLES = ("recording_server", "image_server", "event_server", "image_import", "log_check")
"""The product's services, by what they do."""

WINDOWS_KINDS = frozenset({"windows_service", "firewall_rule", "listening_port", "windows"})
"""Kinds that do not depend on the product's version."""


@dataclass(frozen=True, slots=True)
class WindowsPort:
    """A declared port: its name in the site file, and the role of the service that listens there."""

    name: str
    protocol: str
    port: int
    role: str


def ports_of(nvr: Nvr) -> tuple[WindowsPort, ...]:
    """The ports that a site declares and the product listens on.

    Generic events work with the Event Server stopped (`facts/xprotect-e.md`, 2.1): their listener is the
    Recording Server's. The Internet port is the router's, the log server's use is unknown (C-01).
    """
    found = []
    if nvr.server_access and nvr.server_access.local_port is not None:
        found.append(WindowsPort("local_port", "tcp", nvr.server_access.local_port, "image_server"))
    if nvr.services and nvr.services.event_server_port is not None:
        found.append(
            WindowsPort("event_server_port", "tcp", nvr.services.event_server_port, "recording_server")
        )
    return tuple(found)


def is_role(_: Value, live: Value) -> bool:
    """Is the live program one of the product's own? Which of them serves generic events is inferred only."""
    return live in ROLES


def at_most(declared: Value, live: Value) -> bool:
    """Is the live number, without its sign, no larger than declared?"""
    most, found = _number(declared), _number(live)
    return most is not None and found is not None and abs(found) <= most


def at_least(declared: Value, live: Value) -> bool:
    """Is the live number no smaller than declared? A text says that nothing is demanded."""
    least, found = _number(declared), _number(live)
    return isinstance(live, str) or (least is not None and found is not None and found >= least)


def version_at_least(declared: Value, live: Value) -> bool:
    """Is the live version no older, part by part as numbers?"""
    return isinstance(declared, str) and isinstance(live, str) and _parts(live) >= _parts(declared)


def one_of_words(declared: Value, live: Value) -> bool:
    """Is the declared name one of the live ones, in any case?"""
    return (
        isinstance(declared, str) and isinstance(live, str) and declared.casefold() in live.casefold().split()
    )


def _number(value: Value) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _parts(version: str) -> tuple[int, ...]:
    """`4.5.1` -> (4, 5, 1), () for no version; what is no number counts as 0."""
    return tuple(int(part) if part.isdecimal() else 0 for part in version.split(".")) if version else ()
