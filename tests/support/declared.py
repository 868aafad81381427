"""Parts of a site as they are once a file is read, of which a test changes what it is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ivn_provision.diagnostics import Diagnostic
from ivn_provision.secret import SecretRef
from ivn_provision.spec.site import (
    Camera,
    Connect,
    Device,
    GenericEvent,
    Hardware,
    HardwareEvent,
    MailMessage,
    Nvr,
    Places,
    Portal,
    PortalAuth,
    Recording,
    Site,
    Video,
)
from ivn_provision.spec.values import Computed, Tls

ACCOUNT = Computed("portal.smtp_account_id")
BODY = "Trigger Event : $TriggerName$\nCamera is : $CameraName$\nTime: $TriggerTime$"
SUBJECT = "Milestone XProtect Professional Notification"


def camera(number: int = 10, label: str = "Lobby", **changes: object) -> Camera:
    made = Camera(
        number=number,
        label=label,
        hardware=Hardware(f"192.168.10.{number}"),
        enabled=True,
        video=Video(),
        recording=Recording(mode="always"),
        axis=None,
        pointer=f"/cameras/{number}",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def hardware(pin: int = 2, **changes: object) -> HardwareEvent:
    made = HardwareEvent(
        pin,
        "Door",
        10,
        1,
        "rising",
        enabled=True,
        email=True,
        record="all",
        pointer=f"/hardware_events/{pin}",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def generic(pin: int = 2, **changes: object) -> GenericEvent:
    made = GenericEvent(pin, True, True, "match", f"{pin} S", f"/generic_events/{pin}")
    return replace(made, **changes)  # type: ignore[arg-type]


def connect(**changes: object) -> Connect:
    made = Connect(
        "winrm", "192.168.10.52", 5986, "ivn-provision", SecretRef("env", "NVR_PASSWORD"), Tls(), "ntlm"
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def portal(**changes: object) -> Portal:
    made = Portal(
        url="https://portal.ivnview.example/api/v1",
        tls=Tls(),
        auth=PortalAuth("northside", SecretRef("env", "CLIENT")),
        account="harbor",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def device(**changes: object) -> Device:
    made = Device("Milestone", "XProtect", None, None, None, None, None, None)
    return replace(made, **changes)  # type: ignore[arg-type]


def site(**sections: object) -> Site:
    bare = Site("harbor", "harbor.yml", Places({}, "harbor.yml"), nvr=Nvr("x", connect()))
    return replace(bare, **sections)  # type: ignore[arg-type]


def message(**changes: object) -> MailMessage:
    made = MailMessage(enabled=True, recipients=(ACCOUNT,), subject=SUBJECT, body=BODY)
    return replace(made, **changes)  # type: ignore[arg-type]


def codes(found: Iterable[Diagnostic]) -> list[str]:
    return [each.code for each in found]
