"""The plain data of `cameras[].onvif`, as types. The schema guarantees them."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from ivn_provision.secret import SecretRef
from ivn_provision.spec.shapes_tls import TlsData


class OnvifConnectData(TypedDict):
    host: str
    port: NotRequired[int]
    tls: NotRequired[TlsData]
    username: str
    password: SecretRef


class OnvifData(TypedDict):
    connect: OnvifConnectData
