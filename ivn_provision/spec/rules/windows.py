"""What is declared of Windows against what the product and the portal need of it."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.diagnostics import Severity
from ivn_provision.spec.rules.context import Context
from ivn_provision.spec.rules.registry import Finding, rule
from ivn_provision.spec.site import ServiceRole, Windows

_SERVICES = "/nvr/windows/services"
_MAIN: tuple[ServiceRole, ...] = ("recording_server", "image_server", "event_server")


@rule(
    "IVN081",
    "service-needed",
    Severity.ERROR,
    title="A service that the site needs is not disabled",
    requirements=("R-13", "R-16", "R-47", "R-59"),
)
def service_needed(context: Context) -> Iterator[Finding]:
    """Events need the Recording Server, alarms the Event Server, and the portal the Image Server's port."""
    needs: tuple[tuple[ServiceRole, object, str, str], ...] = (
        ("recording_server", context.events, "the site's events need it", "the events"),
        ("event_server", context.alarms, "the site's alarms need it", "alarms"),
        ("image_server", context.device, "the portal's device needs it", "portal.device"),
    )
    for role, section, why, name in needs:
        if section and _mode(context, role) == "disabled":
            yield Finding(
                f"{_SERVICES}/{role}",
                f"the {role} is disabled, but {why}",
                f"write auto, or take {name} out of the site",
            )


@rule(
    "IVN082",
    "service-starts-by-itself",
    Severity.WARNING,
    title="The product's main services start by themselves",
    requirements=("R-29",),
)
def service_starts_by_itself(context: Context) -> Iterator[Finding]:
    """With start mode manual nothing records and nothing answers after Windows restarts, until a person starts it."""
    for role in _MAIN:
        if _mode(context, role) == "manual":
            yield Finding(
                f"{_SERVICES}/{role}",
                f"after a restart of Windows the {role} waits for a person to start it",
                "write auto",
            )


@rule(
    "IVN083",
    "windows-ports-declared",
    Severity.ERROR,
    title="What firewall and listening speak of is declared",
    requirements=("R-12", "R-15", "R-16"),
)
def windows_ports_declared(context: Context) -> Iterator[Finding]:
    """They look at `server_access.local_port` and `services.event_server_port`; without both nothing is looked at."""
    windows, nvr = _windows(context), context.nvr
    if not windows or not nvr:
        return
    local = nvr.server_access.local_port if nvr.server_access else None
    event = nvr.services.event_server_port if nvr.services else None
    if local is not None or event is not None:
        return
    for name, wanted in (("firewall", windows.firewall), ("listening", windows.listening)):
        if wanted:
            yield Finding(
                f"{windows.pointer}/{name}",
                f"{name} is true, but the site declares no port",
                "declare nvr.server_access.local_port or nvr.services.event_server_port",
            )


def _windows(context: Context) -> Windows | None:
    return context.nvr.windows if context.nvr else None


def _mode(context: Context, role: ServiceRole) -> str | None:
    windows = _windows(context)
    return windows.services.get(role) if windows and windows.services else None
