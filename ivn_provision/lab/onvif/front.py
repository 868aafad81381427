"""The HTTP face of a simulated camera, with what goes wrong on the wire."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ivn_provision.lab.onvif.device import USERNAME, Device
from ivn_provision.lab.onvif.soap import Fault, envelope, request_of

_MOST = 256 * 1024
_FLOOD = 16 * 1024 * 1024
_TYPE = "application/soap+xml; charset=utf-8"
_PAIR = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')
_BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "boom"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">'
    b'<!ENTITY d SYSTEM "file:///etc/hostname">]>'
)


class Front:
    """Answers for one device. The digest of an HTTP login is RFC 2617, MD5 with `auth`."""

    def __init__(self, device: Device, password: str) -> None:
        self.device, self._password = device, password
        self._nonce = secrets.token_hex(16)
        self.app = Starlette(routes=[Route("/{path:path}", self._answer, methods=["POST"])])

    async def _answer(self, request: Request) -> Response:
        faults = self.device.faults
        raw = await request.body()
        if len(raw) > _MOST:
            return Response(status_code=413)
        if "onvif-redirect" in faults:
            return Response(status_code=307, headers={"Location": "http://192.0.2.66/onvif/device_service"})
        if "onvif-http-login" in faults and not self._is_let_in(request):
            challenge = f'Digest realm="camera", nonce="{self._nonce}", qop="auth", algorithm=MD5'
            return Response(status_code=401, headers={"WWW-Authenticate": challenge})
        try:
            status, body = 200, envelope(self.device.answer(request_of(raw)))
        except Fault as fault:
            status, body = 400, envelope(fault.body)
        if "onvif-slow" in faults:
            return StreamingResponse(_drops(body), status_code=status, media_type=_TYPE)
        if "onvif-huge" in faults:
            return StreamingResponse(_flood(), status_code=status, media_type=_TYPE)
        return Response(_spoiled(body, faults), status_code=status, media_type=_TYPE)

    def _is_let_in(self, request: Request) -> bool:
        found = _PAIR.findall(request.headers.get("authorization", ""))
        given = {name: quoted or plain for name, quoted, plain in found}
        first = _md5(f"{USERNAME}:camera:{self._password}")
        second = _md5(f"POST:{given.get('uri', '')}")
        middle = f"{given.get('nc')}:{given.get('cnonce')}:{given.get('qop')}"
        right = _md5(f"{first}:{self._nonce}:{middle}:{second}")
        is_here = given.get("uri") == request.url.path and given.get("username") == USERNAME
        return is_here and hmac.compare_digest(given.get("response", ""), right)


def _spoiled(body: bytes, faults: set[str]) -> bytes:
    if "onvif-garbled" in faults:
        return body[: len(body) * 2 // 3]
    return _BOMB + body.partition(b"?>")[2] if "onvif-dtd" in faults else body


async def _drops(body: bytes) -> AsyncIterator[bytes]:
    for each in body:
        yield bytes([each])
        await asyncio.sleep(1)


async def _flood() -> AsyncIterator[bytes]:
    yield envelope("")[:40]
    for _ in range(_FLOOD // 65536):
        yield b" " * 65536
        await asyncio.sleep(0)  # nothing else waits once the peer has gone


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
