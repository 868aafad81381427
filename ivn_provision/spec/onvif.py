"""How a camera of any make is looked at over ONVIF (`cameras[].onvif`)."""

from __future__ import annotations

from dataclasses import dataclass

from ivn_provision.secret import SecretRef
from ivn_provision.spec.values import Tls


@dataclass(frozen=True, slots=True)
class Onvif:
    """Where and as whom; `check` and `audit` read there, and nothing writes."""

    host: str
    port: int
    tls: Tls
    username: str
    password: SecretRef
    pointer: str
