"""The operations of the contract (schemas/portal.openapi.yaml)."""

from __future__ import annotations

import hashlib
import re
import sys
from collections import defaultdict

from starlette.responses import JSONResponse, Response

from ivn_provision.lab.clock import rfc3339
from ivn_provision.lab.portal import leases, paging, requests
from ivn_provision.lab.portal.calls import Call, Core
from ivn_provision.lab.portal.contract import body_schema
from ivn_provision.lab.portal.fire import send_payload
from ivn_provision.lab.portal.objects import EVENT_TYPES, show_alarm_input, show_device, show_site
from ivn_provision.lab.portal.preconditions import check_delete, check_put
from ivn_provision.lab.portal.problems import Problem, not_found
from ivn_provision.lab.portal.store import Json, Spot, Store, Stored
from ivn_provision.lab.portal.tokens import require

_SCHEMAS = {"site": "SiteInput", "device": "DeviceInput", "alarm_input": "AlarmInputInput"}


async def create_token(call: Call) -> Response:
    """`POST /oauth/token`"""
    call.core.counters.auth += 1
    form = await requests.read_form(call.request)
    token = call.core.tokens.issue(form, call.request.headers.get("authorization", ""))
    return JSONResponse(token, headers={"Cache-Control": "no-store"})


async def list_sites(call: Call) -> Response:
    """`GET /sites`: filtered, then cut into pages by key."""
    size, after = requests.page_size(call.request), paging.position(call.request)
    included, wanted = requests.include(call.request), requests.labels(call.request)
    status, changed = requests.status(call.request), requests.since(call.request, "updated_since")
    found = [
        site
        for site in call.core.store.all("site")
        if (not status or site.content["status"] == status)
        and site.updated_at >= changed
        and all(site.content["labels"].get(name) == value for name, value in wanted)
    ]
    rest = [site for site in found if site.path.site > after]
    page, more = rest[:size], len(rest) > size
    nested = _Nesting(call.core.store, included, page)
    return JSONResponse(
        {
            "results": [_site(call, site, nested(site)) for site in page],
            "next_page_token": paging.make_token(page[-1].path.site) if more else None,
            "total_size": len(found),
        }
    )


async def get_site(call: Call) -> Response:
    """`GET /sites/{site_key}`"""
    included = requests.include(call.request)
    site = _existing(call, "site")
    return _object(site, _site(call, site, _Nesting(call.core.store, included, [site])(site)))


async def get_device(call: Call) -> Response:
    """`GET /sites/{site_key}/devices/{device_key}`"""
    return _shown(call, _existing(call, "device"))


async def get_alarm_input(call: Call) -> Response:
    """`GET .../alarm-inputs/{source}/{pin}`"""
    return _shown(call, _existing(call, "alarm_input"))


async def put_object(call: Call) -> Response:
    """`PUT` of a site, device or alarm input. Nothing awaits between the check and the write."""
    spot = requests.spot_of(call.request.path_params, _kind(call), creating=True)
    body = body_schema(_SCHEMAS[spot.kind]).check(await requests.read_json(call.request))
    if "password" in body and call.grant is not None:
        require(call.grant, "secrets:write")
    headers, objects = call.request.headers, call.core.objects
    old = call.core.store.get(spot)
    if old is None and spot.kind != "site" and call.core.store.get(Spot("site", spot.site)) is None:
        raise not_found(f"site {spot.site}")
    call.core.leases.check(spot.site, _run(call))
    check_put(old, headers.get("if-match"), headers.get("if-none-match"), _what(spot))
    put = {"site": objects.put_site, "device": objects.put_device, "alarm_input": objects.put_alarm_input}
    new = put[spot.kind](spot, body)
    if old != new:
        call.core.counters.writes += 1
    _log(call, spot, old, new)
    return _shown(call, new, status=201 if old is None else 200)


async def delete_object(call: Call) -> Response:
    """`DELETE` of a site, device or alarm input with what is below."""
    spot = requests.spot_of(call.request.path_params, _kind(call))
    old = call.core.store.get(spot)
    call.core.leases.check(spot.site, _run(call))
    check_delete(old, call.request.headers.get("if-match"), _what(spot))
    call.core.store.delete(spot)
    call.core.counters.writes += 1
    _log(call, spot, old, None)
    return Response(status_code=204)


def _run(call: Call) -> str:
    return leases.run_of(call.request.headers.get(leases.RUN_HEADER, ""))


def _log(call: Call, spot: Spot, old: Stored | None, new: Stored | None) -> None:
    before, after = (each.etag if each else "" for each in (old, new))
    content = (old.content_hash if old else "", new.content_hash if new else "")
    request = call.request
    written = leases.Written(spot.site, request.url.path, request.method, before, after, _run(call), content)
    call.core.leases.log.append(written)


async def get_lease(call: Call) -> Response:
    """`GET /sites/{site_key}/lease`"""
    return leases.get(call.core.leases, leases.site_key(call.request.path_params["site_key"]))


async def put_lease(call: Call) -> Response:
    """`PUT /sites/{site_key}/lease`"""
    site = leases.site_key(call.request.path_params["site_key"])
    return leases.put(call.core.leases, site, await requests.read_json(call.request))


async def delete_lease(call: Call) -> Response:
    """`DELETE /sites/{site_key}/lease?run=RUN`"""
    site = leases.site_key(call.request.path_params["site_key"])
    return leases.drop(call.core.leases, site, call.request.query_params.get("run", ""))


async def fire(call: Call) -> Response:
    """`POST .../alarm-inputs/soft/{pin}:fire`, once per Idempotency-Key."""
    assert call.grant is not None
    key = call.request.headers.get("idempotency-key", "")
    if not re.fullmatch(r"[A-Za-z0-9._:-]{1,255}", key):
        raise Problem("idempotency-key-required", "Send an Idempotency-Key of 1 to 255 plain characters.")
    target = _existing(call, "alarm_input")
    request = hashlib.sha256(repr(target.path.row()).encode()).hexdigest()
    kept = call.core.store.answer(call.grant.client, key)
    if kept is not None:
        if kept[0] != request:
            raise Problem("idempotency-key-reuse", "This key fired another trigger before.")
        return JSONResponse(kept[1])
    answer = await fire_soft(call.core, target)
    call.core.store.keep_answer(call.grant.client, key, request, answer)
    return JSONResponse(answer)


async def fire_soft(core: Core, target: Stored) -> Json:
    """Send the payload and note the result at the alarm input. Raises Problem `device-unreachable`."""
    store, spot = core.store, target.path
    site, device = store.get(Spot("site", spot.site)), store.get(Spot("device", spot.site, spot.device))
    assert site is not None
    assert device is not None
    payload, fired_at = f"{spot.pin} S", rfc3339(core.clock())
    try:
        endpoint = await send_payload(
            site.content["location_address"], device.content["event_server_port"], payload
        )
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
        "endpoint": endpoint,
    }


async def list_events(call: Call) -> Response:
    """`GET /sites/{site_key}/events`, newest first. A deleted site's events are not reachable."""
    size, position = requests.page_size(call.request), paging.position(call.request)
    since = requests.since(call.request, "received_since")
    if position and not position.isdigit():
        raise paging.bad_token()
    site = _existing(call, "site").path.site
    before = min(int(position), sys.maxsize) if position else sys.maxsize
    found = call.core.store.events(site, before=before, limit=size + 1, since=since)
    page = found[:size]
    return JSONResponse(
        {
            "results": page,
            "next_page_token": paging.make_token(str(page[-1]["id"])) if len(found) > size else None,
            "total_size": call.core.store.count_events(site, since),
        }
    )


async def list_event_types(_call: Call) -> Response:
    """`GET /event-types`"""
    return JSONResponse({"results": list(EVENT_TYPES)})


def _kind(call: Call) -> str:
    params = call.request.path_params
    return "alarm_input" if "pin" in params else "device" if "device_key" in params else "site"


def _what(spot: Spot) -> str:
    names = {"site": f"site {spot.site}", "device": f"device {spot.device} of site {spot.site}"}
    return names.get(spot.kind, f"{spot.source} alarm input {spot.pin} of {spot.site}/{spot.device}")


def _existing(call: Call, kind: str) -> Stored:
    spot = requests.spot_of(call.request.path_params, kind)
    found = call.core.store.get(spot)
    if found is None:
        raise not_found(_what(spot))
    return found


def _shown(call: Call, stored: Stored, *, status: int = 200) -> JSONResponse:
    if stored.path.kind == "site":
        return _object(stored, _site(call, stored), status)
    if stored.path.kind == "alarm_input":
        return _object(stored, show_alarm_input(stored), status)
    inputs = call.core.store.all("alarm_input", stored.path.site, stored.path.device)
    return _object(stored, show_device(stored, [show_alarm_input(each) for each in inputs]), status)


def _site(call: Call, stored: Stored, devices: list[Json] | None = None) -> Json:
    held = call.core.leases
    more = {"lease": held.show(stored.path.site), "alarm_state": held.show_alarm(stored.path.site)}
    return {**show_site(stored, devices), **more}


def _object(stored: Stored, shown: Json, status: int = 200) -> JSONResponse:
    return JSONResponse(shown, status_code=status, headers={"ETag": stored.etag})


class _Nesting:
    """The devices of a site, with alarm inputs where asked for. One query per kind, whatever the page's size."""

    def __init__(self, store: Store, included: frozenset[str], page: list[Stored]) -> None:
        self.included = included
        only = page[0].path.site if len(page) == 1 else ""
        self.devices: dict[str, list[Stored]] = defaultdict(list)
        self.inputs: dict[tuple[str, str], list[Stored]] = defaultdict(list)
        for each in store.all("device", only) if "devices" in included else ():
            self.devices[each.path.site].append(each)
        for each in store.all("alarm_input", only) if "alarm_inputs" in included else ():
            self.inputs[each.path.site, each.path.device].append(each)

    def __call__(self, site: Stored) -> list[Json] | None:
        if not self.included:
            return None
        return [self._device(each) for each in self.devices[site.path.site]]

    def _device(self, device: Stored) -> Json:
        inputs = self.inputs[device.path.site, device.path.device]
        wanted = "alarm_inputs" in self.included
        return show_device(device, [show_alarm_input(each) for each in inputs] if wanted else None)
