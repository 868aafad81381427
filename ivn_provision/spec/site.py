"""A site as declared: frozen values, built from the merged and validated site file.

`None` means "not declared", and what is not declared is not managed: the tool neither compares nor
writes it. A section that is present is exclusive: an event of ours that it does not list is removed.
Every item knows its `pointer` (RFC 6901, into the merged document); `Site.places` turns that into
file, line and column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ivn_provision.diagnostics import Place
from ivn_provision.secret import SecretRef
from ivn_provision.spec.axis import Axis
from ivn_provision.spec.onvif import Onvif
from ivn_provision.spec.values import Computed, Tls


@dataclass(frozen=True, slots=True)
class Origin:
    """One level's say about a value. `value` is printable (secrets as references)."""

    level: str
    value: str
    place: Place


@dataclass(frozen=True, slots=True)
class Places:
    """Where every node of the merged document was written. Keys are JSON pointers."""

    by_pointer: Mapping[str, tuple[Origin, ...]]
    path: str

    def origins(self, pointer: str) -> tuple[Origin, ...]:
        """All levels that say something here, the winning one last; () if none."""
        return self.by_pointer.get(pointer, ())

    def place(self, pointer: str) -> Place:
        """The winning place of a node, or of its nearest ancestor that was written."""
        while pointer:
            found = self.by_pointer.get(pointer)
            if found:
                return found[-1].place
            pointer = pointer.rpartition("/")[0]
        found = self.by_pointer.get("")
        return found[-1].place if found else Place(self.path, 1, 1, 1, 1)


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """PEM files, absolute."""

    file: str
    key_file: str


@dataclass(frozen=True, slots=True)
class Connect:
    """How a recorder is reached. Paths are absolute; `host_key` is `SHA256:` and base64 without padding."""

    transport: Literal["winrm", "ssh"]
    host: str
    port: int
    username: str
    password: SecretRef | None
    tls: Tls
    auth: Literal["ntlm", "kerberos", "credssp", "certificate", "basic"]
    certificate: ClientCertificate | None = None
    host_key: str = ""
    known_hosts: str = ""
    key_file: str = ""
    key_passphrase: SecretRef | None = None
    agent: bool = False
    pointer: str = "/nvr/connect"


@dataclass(frozen=True, slots=True)
class ServerAccess:
    local_port: int | None = None
    internet_access: bool | None = None
    internet_port: int | None = None
    max_clients: int | None = None
    pointer: str = "/nvr/server_access"


@dataclass(frozen=True, slots=True)
class Services:
    event_server_port: int | None = None
    log_server_port: int | None = None
    pointer: str = "/nvr/services"


ServiceRole = Literal["recording_server", "image_server", "event_server", "image_import", "log_check"]
StartMode = Literal["auto", "manual", "disabled"]


@dataclass(frozen=True, slots=True)
class Windows:
    """What Windows itself must provide. `firewall` false: no rule of our own; `listening` false is no demand."""

    services: Mapping[ServiceRole, StartMode] | None = None
    firewall: bool | None = None
    listening: bool | None = None
    max_clock_offset_seconds: int | None = None
    time_source: str | None = None
    min_free_gib: int | None = None
    prerequisites: bool | None = None
    pointer: str = "/nvr/windows"


@dataclass(frozen=True, slots=True)
class User:
    name: str
    kind: Literal["basic", "windows"]
    password: SecretRef | None
    administrator: bool | None
    pointer: str


@dataclass(frozen=True, slots=True)
class Nvr:
    product: str
    connect: Connect
    server_access: ServerAccess | None = None
    services: Services | None = None
    users: tuple[User, ...] | None = None
    windows: Windows | None = None
    pointer: str = "/nvr"


@dataclass(frozen=True, slots=True)
class Hardware:
    """`mac` is twelve upper-case hex digits without separators; `channel` counts from 1."""

    address: str
    mac: str | None = None
    channel: int = 1


@dataclass(frozen=True, slots=True)
class Video:
    codec: str | None = None
    resolution: str | None = None
    fps: float | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    mode: Literal["always", "event", "motion", "motion_and_event", "never"] | None = None
    pre_buffer_seconds: int | None = None
    post_buffer_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Camera:
    """`axis` is there where the site also manages the camera itself."""

    number: int
    label: str
    hardware: Hardware
    enabled: bool | None
    video: Video
    recording: Recording
    axis: Axis | None
    pointer: str
    onvif: Onvif | None = None

    @property
    def name(self) -> str:
        """`10 Lobby`, R-27."""
        return f"{self.number} {self.label}"


@dataclass(frozen=True, slots=True)
class HardwareEvent:
    pin: int
    label: str
    camera: int
    input: int
    edge: Literal["rising", "falling"]
    enabled: bool
    email: bool
    record: Literal["all", "none"] | None
    pointer: str

    @property
    def name(self) -> str:
        """`2 H Door`, R-50."""
        return f"{self.pin} H {self.label}".rstrip()


@dataclass(frozen=True, slots=True)
class GenericEvent:
    """`match` is the rule's text; when not declared it is the event's name (R-61)."""

    pin: int
    enabled: bool
    email: bool
    rule: Literal["match", "search"]
    match: str
    pointer: str

    @property
    def name(self) -> str:
        """`2 S`, R-59."""
        return f"{self.pin} S"


@dataclass(frozen=True, slots=True)
class MailMessage:
    enabled: bool
    recipients: tuple[str | Computed, ...]
    subject: str
    body: str
    pointer: str = "/mail/message"


@dataclass(frozen=True, slots=True)
class MailServer:
    sender: str | Computed
    host: str
    port: int
    security: Literal["none", "starttls", "tls"]
    username: str | None
    password: SecretRef | None
    pointer: str = "/mail/server"


@dataclass(frozen=True, slots=True)
class Mail:
    message: MailMessage | None = None
    server: MailServer | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """Exactly one of `hardware_event` and `generic_event` (pins) is the source."""

    name: str
    hardware_event: int | None
    generic_event: int | None
    time_profile: str
    enabled: bool
    pointer: str


@dataclass(frozen=True, slots=True)
class PortalAuth:
    client_id: str
    client_secret: SecretRef


@dataclass(frozen=True, slots=True)
class Device:
    make: str
    model: str
    location_address: str | None
    web_server_port: int | None
    event_server_port: int | None
    log_server_port: int | None
    username: str | None
    password: SecretRef | None
    pointer: str = "/portal/device"


@dataclass(frozen=True, slots=True)
class Clip:
    pre_seconds: int
    post_seconds: int


@dataclass(frozen=True, slots=True)
class Monitoring:
    """The station's account: unique per station across the fleet (`facts/portal.md`, row 37)."""

    station: str
    account_number: str
    pointer: str = "/portal/monitoring"


@dataclass(frozen=True, slots=True)
class Pin:
    pin: int
    source: Literal["hardware", "soft"]
    camera: int
    event_type: str
    label: str | None
    enabled: bool
    pointer: str


@dataclass(frozen=True, slots=True)
class Portal:
    """`account` is the site's key in the portal (default: the site's name)."""

    url: str
    tls: Tls
    auth: PortalAuth
    account: str
    device: Device | None = None
    smtp_account_id: str | None = None
    entry_delay_seconds: int | None = None
    clip: Clip | None = None
    monitoring: Monitoring | None = None
    pins: tuple[Pin, ...] | None = None
    pointer: str = "/portal"


@dataclass(frozen=True, slots=True)
class Acceptance:
    pins: Literal["all"] | tuple[str, ...] = "all"
    mail_within_seconds: int = 60


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a plan may break (plan/limits.py)."""

    deletes: int = 5
    cameras_stopped: int = 64
    outage_seconds: int = 180
    pins_without_video: int = 0
    sites: int = 25
    fleet_percent: int = 25


@dataclass(frozen=True, slots=True)
class Site:
    name: str
    path: str
    places: Places
    description: str = ""
    groups: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    network: str = ""
    time_zone: str | None = None
    maintenance_window: str | None = None
    nvr: Nvr | None = None
    cameras: tuple[Camera, ...] | None = None
    hardware_events: tuple[HardwareEvent, ...] | None = None
    generic_events: tuple[GenericEvent, ...] | None = None
    mail: Mail | None = None
    alarms: tuple[Alarm, ...] | None = None
    portal: Portal | None = None
    acceptance: Acceptance | None = None
    attestation_days: int = 90
    limits: Limits = Limits()
