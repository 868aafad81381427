"""`tcptest.cgi`, `date.cgi` and `/config/discover`."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime

from ivn_provision.lab.camera.calls import Call, not_found, plain, whole_number
from ivn_provision.lab.camera.json_api import json_reply
from ivn_provision.lab.camera.profile import Profile
from ivn_provision.lab.loopback import is_loopback
from ivn_provision.lab.nvr.http_wire import HttpResponse

_TCP_SECONDS = 3.0


async def tcp_test(call: Call, source: str) -> HttpResponse:
    """Connect for real, on loopback only. What a camera's text looks like is unknown (facts/axis.md, 8)."""
    host, port = call.fields.get("address", ""), whole_number(call.fields.get("port", "")) or 0
    if not 0 < port < 65536:
        return plain("Error: invalid port\n")
    if not is_loopback(host):
        return plain(f"Error: {host} is not a loopback address\n")
    try:
        async with asyncio.timeout(_TCP_SECONDS):
            _, writer = await asyncio.open_connection(host, port, local_addr=(source, 0))
    except (OSError, TimeoutError):
        return plain(f"Error: could not connect to {host}:{port}\n")
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return plain(f"OK: connected to {host}:{port}\n")


def date_text(call: Call, now: datetime) -> HttpResponse:
    """`Jul 24, 2013 19:19:17`: local time, no zone."""
    if call.fields.get("action") != "get":
        return plain("Request failed: unknown action\n")
    return plain(now.strftime("%b %d, %Y %H:%M:%S\n"))


def config_discover(profile: Profile) -> HttpResponse:
    """The REST APIs of the firmware, or 404 (facts/axis.md, 6). None of them is served."""
    if not profile.config_apis:
        return not_found()
    apis = {}
    for each in profile.config_apis:
        place = f"/config/rest/{each.id}/{each.major}{'beta' if each.state == 'beta' else ''}"
        folder = f"/config/discover/apis/{each.id}/{each.major}"
        apis[each.id] = {
            each.major: {
                "rest_api": place,
                "rest_openapi": f"{folder}/openapi.json",
                "model": f"{folder}/model.json",
                "doc": f"{folder}/doc.html",
                "state": each.state,
                "version": each.version,
            }
        }
    return json_reply({"apis": apis})
