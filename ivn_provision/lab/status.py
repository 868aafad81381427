"""What `lab status` shows, as plain JSON: endpoints, sites, assumptions, counters, last mails and events."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from ivn_provision.lab.assembly import Assembly
from ivn_provision.lab.camera.camera import AxisCamera
from ivn_provision.lab.clock import rfc3339
from ivn_provision.lab.mail.message import Mail
from ivn_provision.lab.nvr import Assumption, assumptions
from ivn_provision.lab.portal.store import Json

_LAST = 10

_PORTAL_ASSUMPTIONS = (
    "The portal's HTTP API is PROPOSED by this project (schemas/portal.openapi.yaml) and simulated: the real portal has no public API.",
    "Only the event types Entry Delay and Perimeter Alarm have evidence (manual R-81, R-82).",
    "How the portal reads mails, and that it tells mails apart by the SMTP account id, is assumed (wording: manual R-40).",
    "The portal takes the mail's time as the site's local time.",
    "Entry Delay holds an event for the site's entry delay and releases it by itself; a Perimeter Alarm is released at once, with all that is held; disarming cancels what is held: assumed, written nowhere.",
    "A further mail of a pin within 60 seconds (in the same test session, if one is open) is a duplicate: assumed.",
    "The portal fetches a clip at the mail's own time right after the mail, from the web port with the device's login; no video is moved: assumed.",
    "The site's router forwards port 8080 to the Image Server and lets only the portal to the event port: assumed.",
    "Test sessions, connectivity checks and the reading of received mails are PROPOSED, like all of the portal's API.",
    "A camera that speaks ONVIF is of no particular make: its names are made up, it takes tokens that are up to 30 seconds off its own clock, and each nonce once: assumed.",
    "SMTP with STARTTLS and a login per recorder is assumed; what the real mail server asks for is unknown.",
)


def status_of(assembly: Assembly) -> Json:
    """A snapshot. Holds no secret, only the names of the files that do."""
    return {
        "portal": {"url": assembly.portal.url, "faults": sorted(assembly.portal.faults)},
        "mail": {
            "host": assembly.smtp.server,
            "port": assembly.smtp.port,
            "security": assembly.smtp.security,
            "faults": sorted(assembly.mail.faults),
        },
        "test_windows": [
            {"site": each.site, "run": each.run, "until": each.until, "reason": each.reason}
            for each in assembly.portal.core.sessions.all_running()
        ],
        "ca_file": str(assembly.tls.ca_file),
        "secrets": str(assembly.passwords.directory),
        "sites": [_site(assembly, key) for key in assembly.nvrs],
        "assumptions": [*_PORTAL_ASSUMPTIONS, *(_text(each) for each in assumptions()), *_marks(assembly)],
        "counters": counters_of(assembly),
        "last_mails": [_mail(mail) for mail in list(assembly.mail.messages)[-_LAST:]],
        "last_events": _last_events(assembly),
        "unknown_mails": assembly.portal.events("", limit=_LAST),
    }


def counters_of(assembly: Assembly) -> Json:
    """All counters: portal, mail, and per recorder."""
    return {
        "portal": assembly.portal.counter_values(),
        "mail": _plain(assembly.mail.counters),
        "recorders": {key: _plain(nvr.counters) for key, nvr in assembly.nvrs.items()},
        "cameras": {
            f"{site}/camera-{number}": _plain(each.counters) for site, number, each in assembly.cameras
        },
    }


def _site(assembly: Assembly, key: str) -> Json:
    site, nvr = assembly.nvrs[key].site, assembly.nvrs[key]
    return {
        "key": key,
        "host": site.host,
        "winrm_http_port": site.http_port,
        "winrm_https_port": site.https_port,
        "event_port": nvr.event_port,
        "image_port": nvr.image_port,
        "product": site.product,
        "version": site.version,
        "store": site.store,
        "management_application_open": nvr.windows.management_application_open,
        "username": site.username,
        "cameras": [camera.address for camera in site.cameras],
        "onvif": [
            {"place": place, "origin": each.origin, "faults": sorted(each.faults)}
            for place, each in assembly.onvif.devices.items()
            if place.startswith(f"{key}/")
        ],
        "axis_cameras": [_camera(number, each) for key, number, each in assembly.cameras if key == site.key],
        "scheduled_tasks": [{"name": each.name, "due_at": each.due_at} for each in nvr.windows.tasks.all()],
        "faults": sorted(nvr.faults | nvr.windows.faults.on),
        "last_recorder_events": [_plain(each) for each in list(nvr.events_log)[-_LAST:]],
        "last_recorder_mails": [_plain(each) for each in list(nvr.mail_log)[-_LAST:]],
    }


def _camera(number: int, camera: AxisCamera) -> Json:
    book = camera.book
    return {
        "target": f"camera-{number}",
        "profile": camera.profile.name,
        "product": camera.profile.product,
        "firmware": camera.profile.firmware,
        "address": camera.camera.address,
        "host": camera.host,
        "http_port": camera.http_port,
        "https_port": camera.https_port,
        "username": camera.camera.axis_username,
        "rules": [{"id": e.id, "name": e.name, "enabled": e.enabled} for e in book.rules.values()],
        "configurations": [{"id": e.id, "name": e.name} for e in book.configurations.values()],
        "recipients": [{"id": e.id, "name": e.name} for e in book.recipients.values()],
        "faults": sorted(camera.faults),
        "last_requests": [_plain(each) for each in list(camera.requests)[-_LAST:]],
        "last_mails": [_plain(each) for each in list(camera.mails)[-_LAST:]],
    }


def _marks(assembly: Assembly) -> list[str]:
    """What the profiles of the cameras that run know and assume, each once."""
    used = {each.profile.name: each.profile for _, _, each in assembly.cameras}
    return list(
        dict.fromkeys(
            f"Axis camera, {mark.topic}: {mark.text} [{mark.mark}]"
            for each in used.values()
            for mark in each.marks
        )
    )


def _last_events(assembly: Assembly) -> list[Json]:
    found = [event for key in assembly.nvrs for event in assembly.portal.events(key, limit=_LAST)]
    return sorted(found, key=lambda event: -int(event["id"]))[:_LAST]


def _mail(mail: Mail) -> Json:
    return {
        "received_at": rfc3339(mail.received_at),
        "from": mail.sender,
        "to": list(mail.recipients),
        "login": mail.username,
        "bytes": len(mail.raw),
    }


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    return rfc3339(value) if isinstance(value, datetime) else value


def _text(assumption: Assumption) -> str:
    return f"{assumption.topic}: {assumption.text} [{assumption.mark}]"
