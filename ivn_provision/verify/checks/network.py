"""Ways in and out: the portal's own view of the recorder, since only that proves port forwarding."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.drivers.portal.testing_values import PortSeen
from ivn_provision.verify.drift import Part, compared, moment
from ivn_provision.verify.evidence import Evidence
from ivn_provision.verify.registry import check
from ivn_provision.verify.result import Found, failed, passed, skipped, unknown

_FORWARD = "forward the port on the router to the recorder's fixed address (R-07, R-08), then look again"


@check(
    "web-port",
    title="The portal reaches the recorder's web port",
    target="network",
    refs=("R-09", "R-76", "row 25", "row 26", "row 27"),
)
def web_port(evidence: Evidence) -> Iterator[Found]:
    """Tried by the portal: a test on the site's own network would not show the router's forwarding."""
    yield _reached(evidence, "web", "web_server_port")


@check(
    "event-port",
    title="The portal reaches the event port",
    target="network",
    refs=("R-12", "row 25", "row 28", "row 29"),
)
def event_port(evidence: Evidence) -> Iterator[Found]:
    """Soft triggers come this way. Tried by the portal: connected and closed, nothing is sent."""
    if not evidence.site.generic_events:
        yield skipped("the site file declares no soft triggers")
        return
    yield _reached(evidence, "event", "event_server_port")


@check("event-port-closed", title="Nobody else reaches the event port", target="network", refs=("row 30",))
def event_port_closed(evidence: Evidence) -> Iterator[Found]:
    """Whoever connects and sends `2 S` fires the trigger: there is no login. Tried from a foreign address."""
    seen = evidence.connectivity
    if seen is None:
        yield _not_seen(evidence)
    elif seen.stranger_event_port.status == "open":
        yield failed(
            f"{seen.stranger_event_port.endpoint} answers a stranger",
            "let the router forward the event port only from the portal's addresses",
        )
    elif seen.stranger_event_port.status == "not_configured":
        yield skipped("no event port is set in the portal")
    else:
        yield passed(f"a stranger is turned away ({seen.stranger_event_port.status})")


@check(
    "egress-address",
    title="Mails come from the declared address",
    target="network",
    refs=("R-09", "R-10", "row 24"),
)
def egress_address(evidence: Evidence) -> Iterator[Found]:
    """The address that the newest mail came from is the one that the portal goes back to for video."""
    device = evidence.site.portal.device if evidence.site.portal else None
    if device is None or device.location_address is None:
        yield skipped("the site file declares no location address")
        return
    event = next((each for each in evidence.events if each.peer), None)
    if event is None:
        yield unknown("no mail of the site is known yet", "`ivn-provision verify` makes some")
    elif event.peer == device.location_address:
        yield passed(f"the mail of {moment(event.received_at)} came from {event.peer}")
    elif not device.location_address.replace(".", "").replace(":", "").isalnum() or not _is_address(
        device.location_address
    ):
        yield unknown(f"the mail of {moment(event.received_at)} came from {event.peer}; a name is declared")
    else:
        yield failed(
            f"the mail of {moment(event.received_at)} came from {event.peer}, declared is {device.location_address}",
            "has the line another address, or a second one? Correct portal.device.location_address, and apply",
        )


@check(
    "server-access",
    title="Access and ports of the recorder are as declared",
    target="nvr",
    refs=("R-16", "row 27", "row 41"),
)
def server_access(evidence: Evidence) -> Iterator[Found]:
    """Local and Internet port, Internet access, and how many clients may log in at a time (default 10)."""
    yield from compared(evidence, "server access", Part("server_access", "the portal could not log in"))


@check(
    "service-ports",
    title="The registered service ports are as declared",
    target="nvr",
    refs=("R-14", "R-15", "row 28"),
)
def service_ports(evidence: Evidence) -> Iterator[Found]:
    """Event Server and Log Server ports."""
    yield from compared(evidence, "service ports", Part("services", "soft triggers would go to another port"))


@check(
    "listeners", title="The recorder listens, and its firewall lets in", target="nvr", refs=("R-08", "row 25")
)
def listeners(evidence: Evidence) -> Iterator[Found]:
    """As declared in `nvr.windows`: who listens on the ports, and rules of the Windows firewall."""
    risk = "nobody could connect"
    blocking = Part("windows", risk, ("blocking_rules",), whole=False)
    parts = (Part("listening_port", risk), Part("firewall_rule", risk), blocking)
    yield from compared(evidence, "listeners and firewall rules", *parts)


def _reached(evidence: Evidence, which: str, field: str) -> Found:
    seen = evidence.connectivity
    if seen is None:
        return _not_seen(evidence)
    port: PortSeen = seen.web_port if which == "web" else seen.event_port
    if port.status == "open":
        return passed(f"the portal connects to {port.endpoint}")
    if port.status == "not_configured":
        return failed("the portal has no such port", f"declare portal.device.{field} and apply")
    return failed(f"the portal cannot connect to {port.endpoint}: {port.status}", _FORWARD)


def _not_seen(evidence: Evidence) -> Found:
    why = evidence.missing.get("connectivity", "the portal was not asked")
    return unknown(why, "only the portal's own view proves port forwarding")


def _is_address(text: str) -> bool:
    import ipaddress

    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@check("clients", title="The portal finds a free place", target="network", refs=("row 41",))
def clients(evidence: Evidence) -> Iterator[Found]:
    """The recorder lets only `max_clients` log in at a time."""
    images = evidence.images
    if images is None:
        yield unknown(evidence.missing.get("images", "no login was tried"))
    elif any(each.is_full for each in images.values()):
        yield failed(
            "the image server has no place for another client",
            "raise nvr.server_access.max_clients, and look who stays logged in",
        )
    elif any(each.connected for each in images.values()):
        yield passed("a client more was let in")
    else:
        yield unknown("no camera let the account in", "see camera-picture")
