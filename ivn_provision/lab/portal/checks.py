"""`connectivity-checks`: what the portal itself sees of a recorder. Only this vantage proves port forwarding."""

from __future__ import annotations

import asyncio

from starlette.responses import JSONResponse, Response

from ivn_provision.lab.clock import rfc3339
from ivn_provision.lab.portal.calls import Call, Core, existing
from ivn_provision.lab.portal.idempotency import Once
from ivn_provision.lab.portal.problems import Problem
from ivn_provision.lab.portal.store import Json, Stored
from ivn_provision.lab.portal.system_info import Answer, ask
from ivn_provision.lab.portal.vantage import Shut

_LOGIN_SECONDS = 3.0


async def check_connectivity(call: Call) -> Response:
    """`POST /sites/{site_key}/connectivity-checks`, once per Idempotency-Key."""
    site = existing(call, "site")
    once = Once(call, ["connectivity-check", site.path.site])
    kept = once.before()
    if kept is not None:
        return JSONResponse(kept)
    devices = call.core.store.all("device", site.path.site)
    if len(devices) != 1:
        raise Problem("device-unreachable", f"The site has {len(devices)} devices; one can be checked.")
    return JSONResponse(once.keep(await _check(call.core, site, devices[0])))


async def _check(core: Core, site: Stored, device: Stored) -> Json:
    host, event_port = site.content["location_address"], device.content["event_server_port"]
    web, event, stranger = await asyncio.gather(
        _log_in(core, site, device),
        _knock(core, host, event_port),
        _knock(core, host, event_port, stranger=True),
    )
    port, answer = web
    now = core.clock()
    offset = round((answer.date - now).total_seconds(), 3) if answer.date else None
    return {
        "checked_at": rfc3339(now),
        "web_port": port,
        "event_port": event,
        "stranger_event_port": stranger,
        "login": answer.login,
        "product": answer.product,
        "clock_offset_seconds": offset,
        "source_addresses": [core.vantage.source],
    }


async def _log_in(core: Core, site: Stored, device: Stored) -> tuple[Json, Answer]:
    place = (site.content["location_address"], device.content["web_server_port"])
    username = device.content["username"]
    password = core.vault.password(device.path.site, device.path.device)
    answer = Answer("not_tried")
    try:
        async with core.vantage.connected("web", *place) as streams:
            if username and password:
                answer = Answer("no_answer")
                async with asyncio.timeout(_LOGIN_SECONDS):
                    answer = await ask(streams, username, password)
    except Shut as shut:
        return _port(shut.status, *place), answer
    except TimeoutError:
        pass
    return _port("open", *place), answer


async def _knock(core: Core, host: str | None, port: int | None, *, stranger: bool = False) -> Json:
    """Connect and say nothing: the recorder hears no event."""
    try:
        async with core.vantage.connected("event", host, port, stranger=stranger):
            return _port("open", host, port)
    except Shut as shut:
        return _port(shut.status, host, port)


def _port(status: str, host: str | None, port: int | None) -> Json:
    return {"status": status, "endpoint": f"{host}:{port}" if host and port else None}
