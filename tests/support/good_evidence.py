"""Evidence of a site where all is well, without any wire: what the checks are pure functions over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from ivn_provision.drivers.axis.seen import CameraClock, CameraSeen
from ivn_provision.drivers.portal.objects import DEVICE_FIELDS, GENERATED, NESTED, PIN_FIELDS, SITE_FIELDS
from ivn_provision.drivers.portal.testing_values import Clip, Connectivity, PortalEvent, PortSeen
from ivn_provision.drivers.xprotect_e.camera_images import CameraImage
from ivn_provision.drivers.xprotect_e.layout_set import Layouts
from ivn_provision.drivers.xprotect_e.smtp_probe import SmtpDialogue, Stage
from ivn_provision.drivers.xprotect_e.windows import WINDOWS_CAPABILITIES
from ivn_provision.drivers.xprotect_e.windows_seen import WindowsAsked, WindowsSeen
from ivn_provision.lab.site_files import Endpoints, write_site_files
from ivn_provision.lab.sites import generated_sites
from ivn_provision.model.desired import desired_of
from ivn_provision.model.live import Capabilities, Facts
from ivn_provision.plan.plan import SitePlan
from ivn_provision.secret import SecretRef
from ivn_provision.spec.axis import (
    ActionRule,
    Axis,
    AxisConnect,
    AxisImage,
    AxisRecipient,
    AxisSmtp,
    AxisTime,
    AxisUser,
    InputCondition,
    IoPort,
)
from ivn_provision.spec.fleet import find_site
from ivn_provision.spec.site import Monitoring, Site, Windows
from ivn_provision.spec.values import Tls
from ivn_provision.verify.evidence import Evidence

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
_GIB = 1 << 30


@cache
def whole_site() -> Site:
    """One of the lab's sites, with every section declared."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        ends = Endpoints(
            "https://127.0.0.1:8443/api/v1", folder / "ca.pem", folder / "secrets", "127.0.0.1", 2525
        )
        write_site_files(folder / "sites", generated_sites(1), ends)
        site = find_site(folder / "sites", "lab-0001")
    assert site.nvr is not None
    assert site.portal is not None
    windows = Windows({"recording_server": "auto"}, True, True, 5, "time.windows.com", 10, True)
    portal = replace(site.portal, monitoring=Monitoring("Station", "4711"))
    first, *others = site.cameras or ()
    cameras = (replace(first, axis=whole_axis()), *others)
    return replace(site, nvr=replace(site.nvr, windows=windows), portal=portal, cameras=cameras)


def whole_axis() -> Axis:
    """A camera of which everything is declared."""
    at, word = "/cameras/0/axis", SecretRef("env", "CAMERA")
    first = InputCondition(1, None, active=True, pointer=f"{at}/action_rules/0/trigger")
    return Axis(
        connect=AxisConnect("192.168.10.61", 443, Tls(), "root", word, pointer=f"{at}/connect"),
        smtp=AxisSmtp("cam@guard.example", "mail.guard.example", 25, "none", "cam", word, f"{at}/smtp"),
        recipients=(AxisRecipient("Guard", ("desk@guard.example",), f"{at}/recipients/0"),),
        action_rules=(
            ActionRule("Input 1", True, first, (first,), 0, "Guard", "A", "B", f"{at}/action_rules/0"),
        ),
        io_ports=(IoPort(1, "Door", "input", "open", f"{at}/io_ports/0"),),
        image=AxisImage("ivn-provision", "mjpeg", "1280x800", 30, 8, f"{at}/image"),
        time=AxisTime("EST5EDT", "dhcp", f"{at}/time"),
        users=(AxisUser("ann", "viewer", False, word, f"{at}/users/0"),),
        pointer=at,
    )


@cache
def known_fields() -> Mapping[str, frozenset[str]]:
    """Every field that is declared by a whole site, or that a driver knows, by kind."""
    pairs = {
        (kind.kind, name)
        for layout in Layouts.packaged().known
        for kind in layout.kinds.values()
        for name in kind.fields
    }
    pairs.add(("action_configuration", "name"))
    pairs |= {(kind, name) for kind, name in WINDOWS_CAPABILITIES if name}
    pairs |= {("site", name) for name in (*SITE_FIELDS, *NESTED)}
    pairs |= {("device", name) for name in (*DEVICE_FIELDS, *GENERATED, "password")}
    pairs |= {("pin", name) for name in PIN_FIELDS}
    pairs |= {
        (each.kind, name) for each in desired_of(whole_site()).resources.values() for name in each.fields
    }
    return {kind: frozenset(name for of, name in pairs if of == kind) for kind, _ in pairs}


@cache
def good_evidence() -> Evidence:
    """Everything was looked at, and nothing is wrong."""
    site = whole_site()
    desired = {address: each.fields for address, each in desired_of(site).resources.items()}
    able = Capabilities({})
    return Evidence(
        site=site,
        now=NOW,
        plan=SitePlan(site.name, desired=desired, live=desired),
        facts={
            "nvr": Facts("XProtect Professional 2014", "8.6a", able),
            "portal": Facts("I-View Now portal", "proposed API v1", able),
            "camera-10": Facts("AXIS P3245-LVE", "11.11.73", able),
        },
        windows=_windows(),
        logins={"ivnview": 200},
        smtp=SmtpDialogue((Stage("rcpt", ok=True, code=250, text="ok"),), (), None, "127.0.0.1", "127.0.0.1"),
        images={
            each.number: CameraImage(connected=True, is_whole=True, size=9) for each in site.cameras or ()
        },
        connectivity=_connectivity(),
        cameras={10: camera_seen()},
        events=tuple(_event(number, pin, source) for number, (pin, source) in enumerate(_PINS, start=1)),
        all_events=True,
    )


def camera_seen() -> CameraSeen:
    """A camera of which everything was seen, and all is well."""
    return CameraSeen(
        model="P3245-LVE",
        product="AXIS P3245-LVE",
        firmware="11.11.73",
        inputs=frozenset({1}),
        active={1: False},
        clock=CameraClock(0.0, "2026-11-24T12:00:00Z", "its own UTC time"),
        mail_server="OK: connected to mail.guard.example:25",
        mailers=(),
    )


_PINS = ((2, "hardware"), (3, "hardware"), (2, "soft"))


def _windows() -> WindowsSeen:
    service = {
        "name": "Milestone Recording Server",
        "path": r"C:\Program Files\Milestone\RecordingServer.exe",
        "start_mode": "Auto",
        "state": "Running",
    }
    disks = [{"drive": "C:", "free_bytes": 100 * _GIB, "size_bytes": 200 * _GIB}]
    return WindowsSeen(
        asked=WindowsAsked(),
        facts={},
        services=(service,),
        by_role={"recording_server": service},
        about={"disks": disks},
        listening={},
        firewall={},
        offset=0.0,
    )


def _connectivity() -> Connectivity:
    return Connectivity(
        checked_at=NOW,
        web_port=PortSeen("open", "127.0.0.1:8080"),
        event_port=PortSeen("open", "127.0.0.1:1234"),
        stranger_event_port=PortSeen("refused", "127.0.0.1:1234"),
        login="ok",
        product="",
        clock_offset_seconds=0.0,
        source_addresses=(),
    )


def _event(number: int, pin: int, source: str) -> PortalEvent:
    site = whole_site()
    device = site.portal.device if site.portal else None
    return PortalEvent(
        id=number,
        received_at=NOW - timedelta(days=1),
        mail_time=NOW - timedelta(days=1),
        offset_seconds=0.2,
        pin=pin,
        source=source,
        camera=10,
        event_type="perimeter",
        parse_status="parsed",
        detail="",
        trigger=f"{pin} {source[0].upper()}",
        camera_name="",
        sender="",
        recipient="",
        subject="",
        peer=(device.location_address if device else None) or "",
        release=None,
        clips=(Clip("ready", 10.0, 10.0),),
        duplicate_of=None,
        test=False,
        test_session="",
    )
