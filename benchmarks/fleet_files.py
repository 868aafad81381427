"""Site files of about 300 lines for measuring: valid, no two alike, and checkable one by one by other tools too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GROUPS = ("north", "south")
CAMERAS = 14
EVENTS = 8

_FLEET = """\
# What all generated sites have in common.
labels: {dealer: northside}
time_zone: America/New_York
maintenance: {window: "Mon-Fri 09:00-16:00"}
nvr:
  server_access: {local_port: 80, internet_access: true, internet_port: 8080, max_clients: 10}
portal:
  entry_delay_seconds: 45
  clip: {pre_seconds: 10, post_seconds: 10}
"""

_HEAD = """\
# Generated for measuring.
site: bench-{number:05d}
description: Generated site {number}, dry dock and chandlery
groups: [{group}]
labels:
  state: live
  batch: b{batch}

nvr:
  product: xprotect-professional-2014
  connect:
    transport: winrm
    host: nvr-{number:05d}.example
    port: 5986
    tls: verify
    auth: ntlm
    username: ivn-provision
    password: !secret env:BENCH_NVR_PASSWORD
  server_access:
    local_port: 80
    internet_access: true
    internet_port: 8080
    max_clients: 10
  services:
    event_server_port: 1234
    log_server_port: 81
  users:
    - name: ivnview
      kind: basic
      password: !secret keyring:bench-{number:05d}/ivnview
      administrator: true

cameras:
"""

_CAMERA = """\
  - number: {number}                          # "{number} Entrance {number}" on the recorder
    label: Entrance {number}
    hardware:
      address: 192.168.10.{address}
      mac: "00:40:8C:{high:02X}:{low:02X}:{number:02X}"
    enabled: true
    video:
      codec: mjpeg
      resolution: 1280x800
      fps: 8
    recording: {{mode: always}}
"""

_EVENT = """\
  - pin: {pin}
    label: Rising signal on input 1 of camera {camera}
    camera: {camera}
    input: 1
    edge: rising
    email: true
    record: all
"""

_MIDDLE = """\

generic_events:                         # soft triggers
  - pin: 2
    email: true

mail:
  message:
    enabled: true
    recipients: [!ref portal.smtp_account_id]
  server:
    sender: !ref portal.smtp_account_id
    host: smtp.ivnview.example
    port: 587
    security: starttls
    username: bench-{number:05d}
    password: !secret file:secrets/smtp

alarms:
  - name: Front door forced
    source:
      hardware_event: 2
    time_profile: Always
    enabled: true

portal:
  url: https://portal.ivnview.example/api/v1
  auth:
    client_id: northside
    client_secret: !secret env:BENCH_CLIENT_SECRET
  device:
    make: Milestone
    model: XProtect Professional
    location_address: 198.18.{high}.{low}
    web_server_port: !ref nvr.server_access.internet_port
    event_server_port: !ref nvr.services.event_server_port
    username: ivnview
    password: !secret keyring:bench-{number:05d}/ivnview
  pins:
"""

_TAIL = """\
    - {pin: 2, source: soft, camera: 10, event_type: perimeter}

acceptance:
  pins: all
  mail_within_seconds: 30
"""


@dataclass(frozen=True, slots=True)
class Fleet:
    """A folder with `fleet.yml`, `groups/` and site files."""

    folder: Path
    sites: tuple[Path, ...]

    @property
    def lines_per_site(self) -> int:
        return len(self.sites[0].read_text("utf-8").splitlines())


def write_fleet(folder: Path, count: int) -> Fleet:
    """Write `fleet.yml`, two groups and `count` site files, 200 to a folder."""
    (folder / "groups").mkdir(parents=True)
    (folder / "fleet.yml").write_text(_FLEET, "utf-8")
    for group in GROUPS:
        (folder / "groups" / f"{group}.yml").write_text(f"labels: {{region: {group}}}\n", "utf-8")
    return Fleet(folder, tuple(_write_site(folder, number) for number in range(1, count + 1)))


def _write_site(folder: Path, number: int) -> Path:
    path = folder / f"batch-{number // 200:03d}" / f"bench-{number:05d}.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(site_text(number), "utf-8")
    return path


def site_text(number: int) -> str:
    """The text of one site file."""
    return "".join(_parts(number))


def _parts(number: int) -> Iterator[str]:
    yield _HEAD.format(number=number, group=GROUPS[number % len(GROUPS)], batch=number // 200)
    high, low = divmod(number, 256)
    for camera in range(10, 10 + CAMERAS):
        yield _CAMERA.format(number=camera, address=50 + camera, high=high, low=low)
    yield "\nhardware_events:\n"
    for event in range(EVENTS):
        yield _EVENT.format(pin=2 + event, camera=10 + event)
    yield _MIDDLE.format(number=number, high=high, low=low)
    for event in range(EVENTS):
        kind = "entry_delay" if event % 2 else "perimeter"
        yield f"    - {{pin: {2 + event}, source: hardware, camera: {10 + event}, event_type: {kind}}}\n"
    yield _TAIL
