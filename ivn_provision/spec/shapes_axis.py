"""The plain data of `cameras[].axis` of a valid site, as types. The schema guarantees them."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from ivn_provision.secret import SecretRef
from ivn_provision.spec.shapes_tls import TlsData
from ivn_provision.spec.values import Computed


class AxisConnectData(TypedDict):
    host: str
    port: NotRequired[int]
    tls: NotRequired[TlsData]
    username: str
    password: SecretRef
    basic_over_http: NotRequired[bool]


class AxisSmtpData(TypedDict):
    sender: str | Computed
    host: str
    port: NotRequired[int]
    security: Literal["none", "starttls", "tls"]
    username: NotRequired[str]
    password: NotRequired[SecretRef]


class RecipientData(TypedDict):
    name: str
    addresses: list[str | Computed]


class ConditionData(TypedDict, total=False):
    input: int
    virtual_input: int
    active: bool


class SendMailData(TypedDict):
    recipient: str
    subject: str
    message: str


class ActionRuleData(TypedDict):
    name: NotRequired[str]
    enabled: NotRequired[bool]
    trigger: NotRequired[ConditionData]
    conditions: NotRequired[list[ConditionData]]
    wait_seconds: NotRequired[int]
    send_mail: SendMailData


class IoPortData(TypedDict):
    port: int
    name: NotRequired[str]
    direction: NotRequired[Literal["input", "output"]]
    normal: NotRequired[Literal["open", "closed"]]


class ImageData(TypedDict, total=False):
    profile: str
    codec: str
    resolution: str
    compression: int
    fps: int


class TimeData(TypedDict, total=False):
    posix_zone: str
    ntp_server: str


class AxisUserData(TypedDict):
    name: str
    role: Literal["viewer", "operator", "administrator"]
    ptz: NotRequired[bool]
    password: SecretRef


class AxisData(TypedDict):
    connect: AxisConnectData
    smtp: NotRequired[AxisSmtpData]
    recipients: NotRequired[list[RecipientData]]
    action_rules: NotRequired[list[ActionRuleData]]
    io_ports: NotRequired[list[IoPortData]]
    image: NotRequired[ImageData]
    time: NotRequired[TimeData]
    users: NotRequired[list[AxisUserData]]
