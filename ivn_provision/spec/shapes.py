"""The plain data of a valid site, as types. The schema guarantees them; `build.py` reads them."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from ivn_provision.secret import SecretRef
from ivn_provision.spec.shapes_axis import AxisData
from ivn_provision.spec.shapes_onvif import OnvifData
from ivn_provision.spec.shapes_tls import TlsData
from ivn_provision.spec.site import ServiceRole, StartMode
from ivn_provision.spec.values import Computed


class CertificateData(TypedDict):
    file: str
    key_file: str


class ConnectData(TypedDict):
    transport: NotRequired[Literal["winrm", "ssh"]]
    host: str
    port: NotRequired[int]
    tls: NotRequired[TlsData]
    auth: NotRequired[Literal["ntlm", "kerberos", "credssp", "certificate", "basic"]]
    username: str
    password: NotRequired[SecretRef]
    certificate: NotRequired[CertificateData]
    host_key: NotRequired[str]
    known_hosts: NotRequired[str]
    key_file: NotRequired[str]
    key_passphrase: NotRequired[SecretRef]
    agent: NotRequired[bool]


class ServerAccessData(TypedDict, total=False):
    local_port: int
    internet_access: bool
    internet_port: int
    max_clients: int


class ServicesData(TypedDict, total=False):
    event_server_port: int
    log_server_port: int


class WindowsData(TypedDict, total=False):
    services: dict[ServiceRole, StartMode]
    firewall: bool
    listening: bool
    max_clock_offset_seconds: int
    time_source: str
    min_free_gib: int
    prerequisites: bool


class UserData(TypedDict):
    name: str
    kind: NotRequired[Literal["basic", "windows"]]
    password: NotRequired[SecretRef]
    administrator: NotRequired[bool]


class NvrData(TypedDict):
    product: str
    connect: ConnectData
    server_access: NotRequired[ServerAccessData]
    services: NotRequired[ServicesData]
    users: NotRequired[list[UserData]]
    windows: NotRequired[WindowsData]


class HardwareData(TypedDict):
    address: str
    mac: NotRequired[str]
    channel: NotRequired[int]


class VideoData(TypedDict, total=False):
    codec: str
    resolution: str
    fps: float


class RecordingData(TypedDict, total=False):
    mode: Literal["always", "event", "motion", "motion_and_event", "never"]
    pre_buffer_seconds: int
    post_buffer_seconds: int


class CameraData(TypedDict):
    number: int
    label: str
    hardware: HardwareData
    enabled: NotRequired[bool]
    video: NotRequired[VideoData]
    recording: NotRequired[RecordingData]
    axis: NotRequired[AxisData]
    onvif: NotRequired[OnvifData]


class HardwareEventData(TypedDict):
    pin: int
    label: NotRequired[str]
    camera: int
    input: int
    edge: NotRequired[Literal["rising", "falling"]]
    enabled: NotRequired[bool]
    email: NotRequired[bool]
    record: NotRequired[Literal["all", "none"]]


class GenericEventData(TypedDict):
    pin: int
    enabled: NotRequired[bool]
    email: NotRequired[bool]
    rule: NotRequired[Literal["match", "search"]]
    match: NotRequired[str]


class MessageData(TypedDict):
    enabled: NotRequired[bool]
    recipients: list[str | Computed]
    subject: NotRequired[str]
    body: NotRequired[str]


class MailServerData(TypedDict):
    sender: str | Computed
    host: str
    port: int
    security: Literal["none", "starttls", "tls"]
    username: NotRequired[str]
    password: NotRequired[SecretRef]


class MailData(TypedDict, total=False):
    message: MessageData
    server: MailServerData


class AlarmSourceData(TypedDict, total=False):
    hardware_event: int
    generic_event: int


class AlarmData(TypedDict):
    name: str
    source: AlarmSourceData
    time_profile: NotRequired[str]
    enabled: NotRequired[bool]


class AuthData(TypedDict):
    client_id: str
    client_secret: SecretRef


class DeviceData(TypedDict):
    make: str
    model: str
    location_address: NotRequired[str]
    web_server_port: NotRequired[int]
    event_server_port: NotRequired[int]
    log_server_port: NotRequired[int]
    username: NotRequired[str]
    password: NotRequired[SecretRef]


class ClipData(TypedDict):
    pre_seconds: int
    post_seconds: int


class MonitoringData(TypedDict):
    station: str
    account_number: str


class PinData(TypedDict):
    pin: int
    source: Literal["hardware", "soft"]
    camera: int
    event_type: str
    label: NotRequired[str]
    enabled: NotRequired[bool]


class PortalData(TypedDict):
    url: str
    auth: AuthData
    account: NotRequired[str]
    tls: NotRequired[TlsData]
    smtp_account_id: NotRequired[str]
    device: NotRequired[DeviceData]
    entry_delay_seconds: NotRequired[int]
    clip: NotRequired[ClipData]
    monitoring: NotRequired[MonitoringData]
    pins: NotRequired[list[PinData]]


class AcceptanceData(TypedDict, total=False):
    pins: Literal["all"] | list[str]
    mail_within_seconds: int


class MaintenanceData(TypedDict):
    window: str


class LimitsData(TypedDict, total=False):
    deletes: int
    cameras_stopped: int
    outage_seconds: int
    pins_without_video: int
    sites: int
    fleet_percent: int


class SiteData(TypedDict):
    site: str
    description: NotRequired[str]
    groups: NotRequired[list[str]]
    labels: NotRequired[dict[str, str]]
    network: NotRequired[str]
    time_zone: NotRequired[str]
    maintenance: NotRequired[MaintenanceData]
    nvr: NotRequired[NvrData]
    cameras: NotRequired[list[CameraData]]
    hardware_events: NotRequired[list[HardwareEventData]]
    generic_events: NotRequired[list[GenericEventData]]
    mail: NotRequired[MailData]
    alarms: NotRequired[list[AlarmData]]
    portal: NotRequired[PortalData]
    acceptance: NotRequired[AcceptanceData]
    attestation_days: NotRequired[int]
    limits: NotRequired[LimitsData]
