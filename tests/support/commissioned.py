"""A commissioning report made of pieces, with any text in every place that holds one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from ivn_provision.drivers.portal.testing_values import Clip, PortalEvent, Release
from ivn_provision.drivers.xprotect_e.camera_images import CameraImage
from ivn_provision.plan.plan import TargetFacts
from ivn_provision.report.commissioning import About, Commissioning, Waiver, commissioning
from ivn_provision.run.accepting import Acceptance
from ivn_provision.run.checking import Checked
from ivn_provision.run.verifying import Verified
from ivn_provision.secret import SecretRef
from ivn_provision.spec.site import (
    Camera,
    Connect,
    Hardware,
    Nvr,
    Pin,
    Places,
    Portal,
    PortalAuth,
    Recording,
    Site,
    Video,
)
from ivn_provision.spec.values import Tls
from ivn_provision.verify.acceptance.record import Record
from ivn_provision.verify.acceptance.shots import Shot
from ivn_provision.verify.mail.judge import Finding
from ivn_provision.verify.mail.problem import Problem
from ivn_provision.verify.result import Found, Result, State

NOW = datetime(2026, 11, 24, 13, 5, 7, tzinfo=UTC)
JPEG = b"\xff\xd8" + b"picture" + b"\xff\xd9"
HOSTILE = (
    "</title></style><script>document.title='owned'</script>\"'><img src=http://127.0.0.1:9999/x onerror=alert(1)>"
    "<a href='javascript:alert(1)'>{{ 'x' * 9 }}</a>\u202egpj\u200b\x1b[2J\x00\u2028&lt;`x`"
)


def site_of(text: str = "Harbor") -> Site:
    secret = SecretRef("env", "X")
    cameras = [
        Camera(number, text, Hardware("192.0.2.1"), True, Video(), Recording(), None, "")
        for number in (10, 11)
    ]
    pins = [Pin(pin, "soft", 10, "perimeter", text, True, "") for pin in (2, 9)]
    return Site(
        name=text,
        path="s.yml",
        places=Places({}, "s.yml"),
        description=text,
        groups=(text,),
        labels={text: text},
        time_zone="Europe/Berlin",
        nvr=Nvr("xprotect-professional-2014", Connect("winrm", text, 1, text, secret, Tls(), "ntlm")),
        cameras=tuple(cameras),
        portal=Portal(f"https://{text}", Tls(), PortalAuth("i", secret), text, pins=tuple(pins)),
    )


def event_of(text: str) -> PortalEvent:
    return PortalEvent(
        7, NOW + timedelta(seconds=1.25), NOW, 0.0, 2, "soft", 10, "perimeter", "parsed", text, text, text, text,
        text, text, text, Release("immediate", None, None), (Clip("ready", 10, 10),), None, True, text,
    )  # fmt: skip


def result(state: State, text: str = "said", check: str = "pin", subject: str = "2 S") -> Result:
    return Result("Harbor", check, text, (text,), "nvr", Found(state, text, text, subject))


def accepted_of(*states: State, text: str = "Harbor") -> Verified:
    """One pin with a result of each state."""
    problem = Problem("order", text, "body", 1, 3, text, text)
    finding = Finding("order", text, 11, "R-40", problem=problem)
    record = Record(Shot(2, "soft", 10, "perimeter", text), NOW, (event_of(text),), findings=(finding,))
    left = Record(Shot(3, "hardware", 11, "entry_delay", text), skipped=text)
    results = [result(state, text) for state in states]
    acceptance = Acceptance("Harbor", "run", NOW, NOW, (record, left), tuple(results), text)
    return Verified("Harbor", acceptance)


def checked_of(*states: State, text: str = "Harbor", jpeg: bytes = JPEG) -> Checked:
    images = {10: CameraImage(connected=True, is_whole=True, jpeg=jpeg)}
    results = [result(state, text, f"check-{state}", text) for state in states]
    facts = (TargetFacts("nvr", text, text, text), TargetFacts(text, text, text, text))
    return Checked("Harbor", tuple(results), images, facts=facts)


def report_of(text: str = "Harbor", **more: Any) -> Commissioning:
    about = About("run-1", text, text, NOW, NOW + timedelta(minutes=2), text, dirty=True)
    waivers = (Waiver(text, text, text, text),) if text != "Harbor" else ()
    checked = more.get("checked") or checked_of(*State, text=text)
    verified = more.get("verified") or accepted_of(*State, text=text)
    return commissioning(site_of(text), about, checked, verified, waivers)
