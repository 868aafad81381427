"""The recorder's ports, and the same ports as the portal was told."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.diagnostics import Severity
from ivn_provision.spec.rules.context import Context
from ivn_provision.spec.rules.registry import Finding, rule
from ivn_provision.spec.site import Nvr

REGISTERED_LOG_SERVER = 81
_LOCAL_PORT = "/nvr/server_access/local_port"
_INTERNET_PORT = "/nvr/server_access/internet_port"
_EVENT_PORT = "/nvr/services/event_server_port"
_LOG_PORT = "/nvr/services/log_server_port"

# facts/manual.md, part 3 and C-02, C-03
_OTHER_SERVICES = {
    22331: "the Event Server's service port",
    6050: "the Notification and Configuration Interface's port",
}


@rule(
    "IVN052",
    "ports-distinct",
    Severity.ERROR,
    title="The recorder's services listen on different ports",
    requirements=("R-11", "R-12", "C-01", "portal check S13"),
)
def ports_distinct(context: Context) -> Iterator[Finding]:
    """Image server, event listener and log server are three listeners on one machine."""
    seen: dict[int, str] = {}
    for pointer, port in _listeners(context.nvr):
        first = seen.setdefault(port, pointer)
        if first != pointer:
            yield Finding(
                pointer,
                f"port {port} is used by two services",
                "the products' defaults are local_port 80, event_server_port 1234, log_server_port 81",
                ((first, "first used here"),),
            )


@rule(
    "IVN053",
    "event-server-port",
    Severity.ERROR,
    title="The event server port is the generic-event listener's",
    requirements=("R-12", "R-13", "R-15", "C-02", "C-03", "portal row 28"),
)
def event_server_port(context: Context) -> Iterator[Finding]:
    """The manual calls two ports "Event Server port": 22331 is the service's, 1234 the listener's.

    Soft triggers need the listener. 6050 belongs to two other interfaces.
    """
    ports = [(_EVENT_PORT, _services_port(context, "event"))]
    if context.device:
        ports.append((f"{context.device.pointer}/event_server_port", context.device.event_server_port))
    for pointer, port in ports:
        if port in _OTHER_SERVICES:
            yield Finding(
                pointer,
                f"{port} is {_OTHER_SERVICES[port]}, not the generic-event listener's",
                "write 1234, the listener's default",
            )


@rule(
    "IVN054",
    "web-port-not-log-port",
    Severity.WARNING,
    title="The web server port is not the log server's",
    requirements=("R-11", "R-16", "C-01", "portal row 28"),
)
def web_port_not_log_port(context: Context) -> Iterator[Finding]:
    """The manual mixes up 80 and 81: the portal's web server port comes only from the Internet port.

    The registered Log Server shows 81.
    """
    log_port = _services_port(context, "log") or REGISTERED_LOG_SERVER
    ports = [(_INTERNET_PORT, _internet_port(context))]
    if context.device:
        ports.append((f"{context.device.pointer}/web_server_port", context.device.web_server_port))
    for pointer, port in ports:
        if port is not None and port in {log_port, REGISTERED_LOG_SERVER}:
            yield Finding(
                pointer,
                f"{port} is the log server's port",
                "write the port that the router forwards to the recorder's local port",
            )


@rule(
    "IVN055",
    "web-port-agrees",
    Severity.ERROR,
    title="The portal's web server port is the recorder's Internet port",
    requirements=("R-16", "R-76", "C-06", "portal row 27"),
)
def web_port_agrees(context: Context) -> Iterator[Finding]:
    """`Client Port`, `Internet port` and `Web Server Port` are one value under three names."""
    yield from _agree(context, "web_server_port", _internet_port(context), _INTERNET_PORT)


@rule(
    "IVN056",
    "event-port-agrees",
    Severity.ERROR,
    title="The portal's event server port is the recorder's",
    requirements=("R-12", "R-62", "R-77", "portal row 28"),
)
def event_port_agrees(context: Context) -> Iterator[Finding]:
    """The portal sends soft triggers to this port; another one reaches nobody."""
    yield from _agree(context, "event_server_port", _services_port(context, "event"), _EVENT_PORT)


@rule(
    "IVN057",
    "log-port-agrees",
    Severity.WARNING,
    title="The portal's log server port is the recorder's",
    requirements=("R-11", "C-01"),
)
def log_port_agrees(context: Context) -> Iterator[Finding]:
    """The manual contradicts itself on this port (80 or 81) and on its use, so this only warns."""
    yield from _agree(context, "log_server_port", _services_port(context, "log"), _LOG_PORT)


@rule(
    "IVN058",
    "internet-access",
    Severity.ERROR,
    title="The recorder allows internet access where the portal has a device",
    requirements=("R-08", "R-09", "R-16"),
)
def internet_access(context: Context) -> Iterator[Finding]:
    """The portal fetches clips and live view from outside; XProtect's `Enable internet access` is off by default."""
    access = context.nvr.server_access if context.nvr else None
    if context.device and access and access.internet_access is False:
        yield Finding(
            f"{access.pointer}/internet_access",
            "the portal connects to this recorder, but internet access is switched off",
            "write internet_access: true",
            ((context.device.pointer, "the portal's device"),),
        )


@rule(
    "IVN059",
    "max-clients",
    Severity.WARNING,
    title="The recorder has room for a second client",
    requirements=("portal row 41",),
)
def max_clients(context: Context) -> Iterator[Finding]:
    """With one client allowed a guard at a viewer keeps the portal out. 0 means unlimited, the default is 10."""
    access = context.nvr.server_access if context.nvr else None
    if access and access.max_clients == 1:
        yield Finding(
            f"{access.pointer}/max_clients",
            "with one client allowed, any viewer keeps the portal out",
            "write 10 (the product's default), or 0 for no limit",
        )


def _listeners(nvr: Nvr | None) -> Iterator[tuple[str, int]]:
    if nvr and nvr.server_access and nvr.server_access.local_port is not None:
        yield _LOCAL_PORT, nvr.server_access.local_port
    if nvr and nvr.services:
        for pointer, port in (
            (_EVENT_PORT, nvr.services.event_server_port),
            (_LOG_PORT, nvr.services.log_server_port),
        ):
            if port is not None:
                yield pointer, port


def _internet_port(context: Context) -> int | None:
    access = context.nvr.server_access if context.nvr else None
    return access.internet_port if access else None


def _services_port(context: Context, which: str) -> int | None:
    services = context.nvr.services if context.nvr else None
    if not services:
        return None
    return services.event_server_port if which == "event" else services.log_server_port


def _agree(context: Context, field: str, recorder: int | None, pointer: str) -> Iterator[Finding]:
    if not context.device or recorder is None:
        return
    told: int | None = getattr(context.device, field)
    if told is not None and told != recorder:
        yield Finding(
            f"{context.device.pointer}/{field}",
            f"the portal is told port {told}, but the recorder has {recorder}",
            f"write !ref {pointer[1:].replace('/', '.')}",
            ((pointer, "the recorder's port"),),
        )
