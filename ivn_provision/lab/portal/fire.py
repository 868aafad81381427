"""Soft triggers: the portal speaks to the recorder's event server (R-12, R-63)."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.responses import JSONResponse, Response

from ivn_provision.lab.clock import rfc3339
from ivn_provision.lab.portal.calls import Call, Core, existing
from ivn_provision.lab.portal.idempotency import Once
from ivn_provision.lab.portal.problems import Problem
from ivn_provision.lab.portal.store import Json, Spot, Stored
from ivn_provision.lab.portal.vantage import Shut

_SEND_SECONDS = 3.0


async def fire(call: Call) -> Response:
    """`POST .../alarm-inputs/soft/{pin}:fire`, once per Idempotency-Key, while a test session is open."""
    target = existing(call, "alarm_input")
    once = Once(call, target.path.row())
    kept = once.before()
    if kept is not None:
        return JSONResponse(kept)
    if call.core.sessions.running(target.path.site) is None:
        raise Problem(
            "site-not-in-test-mode", "An alarm without a test session would be a real one: open one first."
        )
    return JSONResponse(once.keep(await fire_soft(call.core, target)))


async def fire_soft(core: Core, target: Stored) -> Json:
    """Send the payload and note the result at the alarm input. Raises Problem `device-unreachable`."""
    store, spot = core.store, target.path
    site, device = store.get(Spot("site", spot.site)), store.get(Spot("device", spot.site, spot.device))
    assert site is not None
    assert device is not None
    payload, fired_at = f"{spot.pin} S", rfc3339(core.clock())
    host, port = site.content["location_address"], device.content["event_server_port"]
    try:
        await _send(core, host, port, payload)
    except Problem as problem:
        store.note(spot, {"last_fired_at": fired_at, "last_result": problem.detail})
        raise
    store.note(spot, {"last_fired_at": fired_at, "last_result": "sent"})
    core.counters.fired += 1
    return {
        "pin": spot.pin,
        "source": "soft",
        "payload": payload,
        "fired_at": fired_at,
        "result": "sent",
        "endpoint": f"{host}:{port}",
    }


async def _send(core: Core, host: str | None, port: int | None, payload: str) -> None:
    """ASCII over TCP, without a separator; the recorder takes the end of the connection for the end of the text."""
    try:
        async with core.vantage.connected("event", host, port) as (_, writer), asyncio.timeout(_SEND_SECONDS):
            writer.write(payload.encode("ascii"))
            await writer.drain()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
    except Shut as shut:
        raise Problem("device-unreachable", shut.why) from None
    except (TimeoutError, OSError):
        raise Problem("device-unreachable", f"{host}:{port} does not take the text.") from None
