"""Valid plain data -> `Site`, with the defaults that this project sets (facts/manual.md)."""

from __future__ import annotations

import os
from functools import lru_cache

from ivn_provision.spec.build_axis import build_axis
from ivn_provision.spec.build_connect import build_connect
from ivn_provision.spec.build_onvif import build_onvif
from ivn_provision.spec.build_portal import build_portal
from ivn_provision.spec.shapes import (
    AcceptanceData,
    AlarmData,
    CameraData,
    GenericEventData,
    HardwareData,
    HardwareEventData,
    MailData,
    MailServerData,
    MessageData,
    NvrData,
    SiteData,
    UserData,
)
from ivn_provision.spec.site import (
    Acceptance,
    Alarm,
    Camera,
    GenericEvent,
    Hardware,
    HardwareEvent,
    Limits,
    Mail,
    MailMessage,
    MailServer,
    Nvr,
    Places,
    Recording,
    ServerAccess,
    Services,
    Site,
    User,
    Video,
    Windows,
)

SUBJECT = "Milestone XProtect Professional Notification"
"""R-40; the same for Enterprise (C-08)."""

BODY = "Trigger Event : $TriggerName$\nCamera is : $CameraName$\nTime: $TriggerTime$"
"""R-40, without blank lines (C-14)."""

_NO_VIDEO = Video()
_NO_RECORDING = Recording()
_video = lru_cache(maxsize=1024)(Video)
_recording = lru_cache(maxsize=1024)(Recording)
"""Cameras of a site hardly differ in these, and a frozen value may be shared."""


def build_site(data: SiteData, path: str, places: Places) -> Site:
    """The site of `data`, which the schema has accepted."""
    return Site(
        name=data["site"],
        path=path,
        places=places,
        description=data.get("description", ""),
        groups=tuple(data.get("groups", ())),
        labels=data.get("labels", {}),
        network=data.get("network", ""),
        time_zone=data.get("time_zone"),
        maintenance_window=data["maintenance"]["window"] if "maintenance" in data else None,
        nvr=_nvr(data["nvr"], places) if "nvr" in data else None,
        cameras=tuple(_camera(each, index, places) for index, each in enumerate(data["cameras"]))
        if "cameras" in data
        else None,
        hardware_events=_hardware_events(data),
        generic_events=_generic_events(data),
        mail=_mail(data["mail"]) if "mail" in data else None,
        alarms=tuple(_alarm(each, index) for index, each in enumerate(data["alarms"]))
        if "alarms" in data
        else None,
        portal=build_portal(data["portal"], data["site"], places) if "portal" in data else None,
        acceptance=_acceptance(data["acceptance"]) if "acceptance" in data else None,
        attestation_days=data.get("attestation_days", 90),
        limits=Limits(**data["limits"]) if "limits" in data else Limits(),
    )


def _nvr(data: NvrData, places: Places) -> Nvr:
    return Nvr(
        product=data["product"],
        connect=build_connect(data["connect"], places),
        server_access=ServerAccess(**data["server_access"]) if "server_access" in data else None,
        services=Services(**data["services"]) if "services" in data else None,
        users=tuple(_user(each, index) for index, each in enumerate(data["users"]))
        if "users" in data
        else None,
        windows=Windows(**data["windows"]) if "windows" in data else None,
    )


def _user(data: UserData, index: int) -> User:
    return User(
        name=data["name"],
        kind=data.get("kind", "basic"),
        password=data.get("password"),
        administrator=data.get("administrator"),
        pointer=f"/nvr/users/{index}",
    )


def _camera(data: CameraData, index: int, places: Places) -> Camera:
    return Camera(
        number=data["number"],
        label=data["label"],
        hardware=_hardware(data["hardware"]),
        enabled=data.get("enabled"),
        video=_video(**data["video"]) if "video" in data else _NO_VIDEO,
        recording=_recording(**data["recording"]) if "recording" in data else _NO_RECORDING,
        axis=build_axis(data["axis"], f"/cameras/{index}/axis", places) if "axis" in data else None,
        pointer=f"/cameras/{index}",
        onvif=build_onvif(data["onvif"], f"/cameras/{index}/onvif", places) if "onvif" in data else None,
    )


def _hardware(data: HardwareData) -> Hardware:
    mac = data.get("mac")
    if mac is not None:
        mac = mac.replace(":", "").replace("-", "").upper()
    return Hardware(data["address"], mac, data.get("channel", 1))


def _hardware_events(data: SiteData) -> tuple[HardwareEvent, ...] | None:
    if "hardware_events" not in data:
        return None
    return tuple(_hardware_event(each, index) for index, each in enumerate(data["hardware_events"]))


def _hardware_event(data: HardwareEventData, index: int) -> HardwareEvent:
    return HardwareEvent(
        pin=data["pin"],
        label=data.get("label", ""),
        camera=data["camera"],
        input=data["input"],
        edge=data.get("edge", "rising"),
        enabled=data.get("enabled", True),
        email=data.get("email", True),
        record=data.get("record"),
        pointer=f"/hardware_events/{index}",
    )


def _generic_events(data: SiteData) -> tuple[GenericEvent, ...] | None:
    if "generic_events" not in data:
        return None
    return tuple(_generic_event(each, index) for index, each in enumerate(data["generic_events"]))


def _generic_event(data: GenericEventData, index: int) -> GenericEvent:
    return GenericEvent(
        pin=data["pin"],
        enabled=data.get("enabled", True),
        email=data.get("email", True),
        rule=data.get("rule", "match"),
        match=data.get("match", f"{data['pin']} S"),
        pointer=f"/generic_events/{index}",
    )


def _mail(data: MailData) -> Mail:
    return Mail(
        message=_message(data["message"]) if "message" in data else None,
        server=_mail_server(data["server"]) if "server" in data else None,
    )


def _message(data: MessageData) -> MailMessage:
    return MailMessage(
        enabled=data.get("enabled", True),
        recipients=tuple(data["recipients"]),
        subject=data.get("subject", SUBJECT),
        body=data.get("body", BODY).rstrip("\n"),
    )


def _mail_server(data: MailServerData) -> MailServer:
    return MailServer(
        sender=data["sender"],
        host=data["host"],
        port=data["port"],
        security=data["security"],
        username=data.get("username"),
        password=data.get("password"),
    )


def _alarm(data: AlarmData, index: int) -> Alarm:
    return Alarm(
        name=data["name"],
        hardware_event=data["source"].get("hardware_event"),
        generic_event=data["source"].get("generic_event"),
        time_profile=data.get("time_profile", "Always"),
        enabled=data.get("enabled", True),
        pointer=f"/alarms/{index}",
    )


def _acceptance(data: AcceptanceData) -> Acceptance:
    pins = data.get("pins", "all")
    return Acceptance(
        pins="all" if pins == "all" else tuple(pins),
        mail_within_seconds=data.get("mail_within_seconds", 60),
    )


def default_name(path: str) -> str:
    """The name that a site file's own name asks for: its stem."""
    return os.path.splitext(os.path.basename(path))[0]
