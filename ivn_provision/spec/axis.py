"""What a site declares of an Axis camera that it manages over VAPIX (`cameras[].axis`): frozen values.

Numbers of ports and virtual inputs count from 1. As everywhere, None means "not declared".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ivn_provision.secret import SecretRef
from ivn_provision.spec.values import Computed, Tls

Role = Literal["viewer", "operator", "administrator"]


@dataclass(frozen=True, slots=True)
class AxisConnect:
    """How a camera is reached. `basic_over_http`: may the password travel readable?"""

    host: str
    port: int
    tls: Tls
    username: str
    password: SecretRef
    basic_over_http: bool = False
    pointer: str = ""


@dataclass(frozen=True, slots=True)
class AxisSmtp:
    """The mail server that the camera uses by itself (R-72)."""

    sender: str | Computed
    host: str
    port: int
    security: Literal["none", "starttls", "tls"]
    username: str
    password: SecretRef | None
    pointer: str


@dataclass(frozen=True, slots=True)
class AxisRecipient:
    """R-71."""

    name: str
    addresses: tuple[str | Computed, ...]
    pointer: str


@dataclass(frozen=True, slots=True)
class InputCondition:
    """The state of one input (R-68, R-70). Exactly one of `input` and `virtual_input` is set in a valid site."""

    input: int | None
    virtual_input: int | None
    active: bool
    pointer: str

    def __str__(self) -> str:
        """`input 1 active`, `virtual input 3 inactive`."""
        what = f"input {self.input}" if self.input is not None else f"virtual input {self.virtual_input}"
        return f"{what} {'active' if self.active else 'inactive'}"


@dataclass(frozen=True, slots=True)
class ActionRule:
    """R-67 to R-70: a rule that sends a mail. `recipient` names one of the camera's recipients."""

    name: str
    enabled: bool
    trigger: InputCondition
    conditions: tuple[InputCondition, ...]
    wait_seconds: int
    recipient: str
    subject: str
    message: str
    pointer: str


@dataclass(frozen=True, slots=True)
class IoPort:
    """`normal` is the state of the circuit at rest."""

    port: int
    name: str | None
    direction: Literal["input", "output"] | None
    normal: Literal["open", "closed"] | None
    pointer: str


@dataclass(frozen=True, slots=True)
class AxisImage:
    """A stream profile. `fps` 0 is as many as the camera can."""

    profile: str
    codec: str | None
    resolution: str | None
    compression: int | None
    fps: int | None
    pointer: str


@dataclass(frozen=True, slots=True)
class AxisTime:
    """`ntp_server` is a host, or `dhcp`."""

    posix_zone: str | None
    ntp_server: str | None
    pointer: str


@dataclass(frozen=True, slots=True)
class AxisUser:
    """An account on the camera."""

    name: str
    role: Role
    ptz: bool
    password: SecretRef
    pointer: str


@dataclass(frozen=True, slots=True)
class Axis:
    """Everything that is declared of one camera itself."""

    connect: AxisConnect
    smtp: AxisSmtp | None
    recipients: tuple[AxisRecipient, ...] | None
    action_rules: tuple[ActionRule, ...] | None
    io_ports: tuple[IoPort, ...] | None
    image: AxisImage | None
    time: AxisTime | None
    users: tuple[AxisUser, ...] | None
    pointer: str
