"""Soft triggers: the portal speaks to the recorder's event server (R-12, R-63)."""

from __future__ import annotations

import asyncio
import contextlib

from ivn_provision.lab.loopback import is_loopback
from ivn_provision.lab.portal.problems import Problem

_TIMEOUT_SECONDS = 5.0


async def send_payload(host: str | None, port: int | None, payload: str) -> str:
    """Send `payload` as ASCII over TCP, without a separator; the endpoint it went to.

    Raises Problem `device-unreachable`: nothing configured, not loopback, refused, or no answer in 5 s.
    """
    if not host or not port:
        missing = "location_address" if not host else "event_server_port"
        raise Problem("device-unreachable", f"{missing} is not set.")
    endpoint = f"{host}:{port}"
    if not is_loopback(host):
        raise Problem(
            "device-unreachable", f"{endpoint}: the lab's portal speaks to loopback addresses only."
        )
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
            writer.write(payload.encode("ascii"))
            await writer.drain()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
    except TimeoutError:
        raise Problem("device-unreachable", f"{endpoint} does not answer.") from None
    except OSError as error:
        raise Problem("device-unreachable", f"{endpoint}: {error.strerror or error}.") from None
    return endpoint
