"""Example site files for the running lab, written as text: the lab shares no code with their reader."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ivn_provision.lab.camera_text import axis_text
from ivn_provision.lab.passwords import PORTAL_CLIENT
from ivn_provision.lab.scenario import FIRST_NUMBER, LabSite, numbered

_FLEET = """\
# What all sites of this lab share. Written by `ivn-provision lab up --write-sites`.
labels: {{dealer: {client}, state: lab}}
nvr:
  product: xprotect-professional-2014
portal:
  url: {portal_url}
  tls: {{ca: "{ca_file}"}}
  auth: {{client_id: {client}, client_secret: !secret "file:{secrets}/portal-client"}}
"""

_SITE = """\
# A site of the lab. Written by `ivn-provision lab up --write-sites`.
site: {key}
description: {title} (simulated by the lab)
time_zone: {time_zone}
nvr:
  product: xprotect-professional-2014
  connect:
    transport: winrm
    host: {host}
    port: {https_port}
    tls: {{ca: "{ca_file}"}}
    auth: ntlm
    username: {username}
    password: !secret "file:{secrets}/{key}-nvr"
  server_access: {{local_port: 80, internet_access: true, internet_port: 8080, max_clients: 10}}
  services: {{event_server_port: {event_port}, log_server_port: 81}}
  users:
    - name: ivnview
      kind: basic
      password: !secret "file:{secrets}/{key}-ivnview"
      administrator: true

cameras:
{cameras}
hardware_events:
  - {{pin: 2, label: Door contact, camera: 10, input: 1, edge: rising, email: true, record: all}}
  - {{pin: 3, label: Gate contact, camera: 11, input: 1, edge: rising, email: true, record: all}}

generic_events:
  - {{pin: 2, email: true}}

mail:
  message:
    enabled: true
    recipients: [!ref portal.smtp_account_id]
  server:
    sender: !ref portal.smtp_account_id
    host: {mail_host}
    port: {mail_port}
    security: starttls
    username: {mail_username}
    password: !secret "file:{secrets}/{key}-smtp"

alarms:
  - name: Door forced
    source: {{hardware_event: 2}}
    time_profile: Always
    enabled: true

portal:
  device:
    make: Milestone
    model: XProtect Professional
    location_address: {host}
    web_server_port: !ref nvr.server_access.internet_port
    event_server_port: !ref nvr.services.event_server_port
    username: ivnview
    password: !secret "file:{secrets}/{key}-ivnview"
  entry_delay_seconds: 45
  clip: {{pre_seconds: 10, post_seconds: 10}}
  pins:
    - {{pin: 2, source: hardware, camera: 10, event_type: perimeter}}
    - {{pin: 3, source: hardware, camera: 11, event_type: entry_delay}}
    - {{pin: 2, source: soft, camera: 10, event_type: perimeter}}

acceptance:
  pins: all
  mail_within_seconds: 30
"""

_CAMERA = """\
  - number: {number}
    label: {label}
    hardware: {{address: {address}, mac: "{mac}"}}
    enabled: true
    video: {{codec: mjpeg, resolution: 1280x800, fps: 8}}
    recording: {{mode: always}}
"""
_ONVIF = """\
    onvif:
      connect:
        host: {host}
        port: {port}
        tls: {tls}
        username: onvif
        password: !secret "file:{secrets}/{key}-onvif"
"""
_LABELS = ("Main Entrance", "Gate", "Loading Dock", "Office")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the lab's services are."""

    portal_url: str
    ca_file: Path
    secrets: Path
    mail_host: str
    mail_port: int


def write_site_files(directory: Path, sites: Iterable[LabSite], ends: Endpoints) -> list[Path]:
    """Write `fleet.yml` and a file per site below `directory`; paths in them are relative to it."""
    directory.mkdir(parents=True, exist_ok=True)
    common = {"ca_file": _relative(ends.ca_file, directory), "secrets": _relative(ends.secrets, directory)}
    fleet = _FLEET.format(client=PORTAL_CLIENT, portal_url=ends.portal_url, **common)
    written = [_write(directory / "fleet.yml", fleet)]
    for site in sites:
        text = _site_text(site, ends, common)
        written.append(_write(directory / f"{site.key}.yml", text))
    return written


def _site_text(site: LabSite, ends: Endpoints, common: dict[str, str]) -> str:
    return _SITE.format(
        key=site.key,
        title=site.key.replace("-", " ").title(),
        host=site.host,
        time_zone=site.time_zone,
        https_port=site.https_port,
        event_port=site.event_port,
        username=site.username,
        mail_host=ends.mail_host,
        mail_port=ends.mail_port,
        mail_username=site.mail_username or site.key,
        cameras="".join(_camera_texts(site, ends, common)),
        **common,
    )


def _camera_texts(site: LabSite, ends: Endpoints, common: dict[str, str]) -> Iterable[str]:
    for number, camera in numbered(site):
        index = number - FIRST_NUMBER
        mac = ":".join(camera.mac[at : at + 2] for at in range(0, 12, 2))
        label = _LABELS[index % len(_LABELS)] + (
            f" {index // len(_LABELS) + 1}" if index >= len(_LABELS) else ""
        )
        yield _CAMERA.format(number=number, label=label, address=camera.address, mac=mac)
        yield axis_text(site, number, camera, common, (ends.mail_host, ends.mail_port))
        if camera.onvif:
            tls = f'{{ca: "{common["ca_file"]}"}}' if camera.onvif == "https" else '"off"'
            secrets, port = common["secrets"], camera.onvif_port
            yield _ONVIF.format(host=site.host, port=port, tls=tls, secrets=secrets, key=site.key)


def _relative(path: Path, directory: Path) -> str:
    text = Path(os.path.relpath(path.resolve(), directory.resolve())).as_posix()
    return json.dumps(text)[1:-1]  # it stands between double quotes


def _write(file: Path, text: str) -> Path:
    file.write_text(text, "utf-8")
    return file
