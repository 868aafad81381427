"""SOAP over HTTP to one camera: always to the declared host, bounded answers, TLS as the site file says."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ivn_provision.drivers.onvif.replies import MAX_REPLY, asked_in, is_fault, off, sound
from ivn_provision.errors import AuthenticationFailed, ProtocolFault, TargetError, TlsFailed
from ivn_provision.spec.onvif import Onvif
from ivn_provision.spec.values import Tls
from ivn_provision.transports.line import CONNECT_SECONDS
from ivn_provision.transports.tls import context_of

if TYPE_CHECKING:
    import httpx
    from lxml import etree

ENTRY = "/onvif/device_service"
"""Where every device has its device service (ONVIF Core, 5.1.1)."""


@dataclass(frozen=True, slots=True)
class Wire:
    """What zeep takes for a transport. Old devices drop a second connection: one request at a time."""

    origin: str
    endpoint: str
    client: httpx.AsyncClient
    login: httpx.DigestAuth
    pin: str = ""
    cache: None = None

    def address(self, path: str = ENTRY) -> str:
        """The URL of a service at the declared host."""
        return f"{self.origin}{path}"

    async def post_xml(self, address: str, envelope: etree._Element, headers: Mapping[str, str]) -> Any:
        """One request; an `httpx.Response` with a sound answer or a fault. Only the path of `address` counts.

        Some devices want an HTTP login beside the token in the envelope: a Digest challenge is answered, Basic never.
        Raises ProtocolFault, AuthenticationFailed, TlsFailed and errors of httpx.
        """
        import httpx
        from lxml import etree

        operation = asked_in(envelope)
        request = self.client.build_request(
            "POST",
            self.address(urlsplit(address).path),
            content=etree.tostring(envelope),
            headers={**headers, "Accept-Encoding": "identity"},
            extensions={"trace": self._trace},
        )
        # not by `auth=` of the client, which reads a challenge's body whatever its size
        flow = self.login.auth_flow(request)
        reply, raw = await self._sent(next(flow), operation)
        with suppress(StopIteration):
            reply, raw = await self._sent(flow.send(reply), operation)
        answered = self._judged(reply.status_code, raw, operation)
        return httpx.Response(answered, headers={"Content-Type": "application/soap+xml"}, content=raw)

    async def _sent(self, request: httpx.Request, operation: str) -> tuple[httpx.Response, bytes]:
        reply = await self.client.send(request, stream=True)
        try:
            return reply, await self._body(reply, operation)
        finally:
            await reply.aclose()

    async def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Compare the fingerprint before anything is asked on a new connection (httpx's extension `trace`)."""
        if self.pin and event == "connection.start_tls.complete":
            stream = info["return_value"]
            shown = stream.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
            if not hmac.compare_digest(hashlib.sha256(shown).hexdigest(), self.pin):
                await stream.aclose()  # nobody else has it yet
                raise TlsFailed(
                    "the camera shows another certificate than the declared one",
                    endpoint=self.endpoint,
                    next_step="compare its fingerprint at the camera, then correct cameras[].onvif.connect.tls",
                )

    async def _body(self, reply: httpx.Response, operation: str) -> bytes:
        raw = bytearray()
        if reply.headers.get("Content-Encoding", "identity") != "identity":
            raise off(f"the answer to {operation} is compressed, which was not asked for", self.endpoint)
        async for piece in reply.aiter_raw():
            raw += piece
            if len(raw) > MAX_REPLY:
                raise off(f"the answer to {operation} is larger than 2 MiB", self.endpoint)
        return bytes(raw)

    def _judged(self, status: int, raw: bytes, operation: str) -> int:
        """The status, with which the answer goes on: 200, or 500 for a fault."""
        if 300 <= status < 400:
            raise off(
                f"{operation} is answered with a redirect (HTTP {status}), which is not followed",
                self.endpoint,
            )
        try:
            fault = is_fault(sound(raw, operation, self.endpoint))
        except ProtocolFault as error:
            raise self._unsound(status, operation, error) from None
        if status != 200 and not fault:
            raise off(f"{operation} is answered with HTTP {status}", self.endpoint)
        return 500 if fault else 200

    def _unsound(self, status: int, operation: str, error: ProtocolFault) -> TargetError:
        if status in {401, 403}:
            return refused(self.endpoint, f"HTTP {status}")
        return error if status == 200 else off(f"{operation} is answered with HTTP {status}", self.endpoint)

    async def aclose(self) -> None:
        """For the library: the wire is closed by `opened`."""


def refused(endpoint: str, reason: str) -> AuthenticationFailed:
    """The error for an account that the camera did not let in."""
    return AuthenticationFailed(
        f"the camera refused the ONVIF account ({reason})",
        endpoint=endpoint,
        next_step="check cameras[].onvif.connect; many makes keep ONVIF accounts apart from their others",
    )


@asynccontextmanager
async def opened(connect: Onvif, password: str, seconds: float) -> AsyncIterator[Wire]:
    """A wire to a camera, closed at the end. Raises TlsFailed for a CA file that cannot be read."""
    import httpx

    host = f"[{connect.host}]" if ":" in connect.host else connect.host
    endpoint = f"{host}:{connect.port}"
    scheme, tls = ("http", Tls()) if connect.tls.mode == "off" else ("https", connect.tls)
    client = httpx.AsyncClient(
        verify=context_of(tls, endpoint=endpoint, field="cameras[].onvif.connect.tls"),
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds)),
        limits=httpx.Limits(max_connections=1),
    )
    pin = tls.value if tls.mode == "fingerprint" else ""
    async with client:
        yield Wire(
            f"{scheme}://{endpoint}", endpoint, client, httpx.DigestAuth(connect.username, password), pin
        )
