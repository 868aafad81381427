"""The operations of the contract (schemas/portal.openapi.yaml)."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from ivn_provision.lab.portal import leases, listing, requests
from ivn_provision.lab.portal.calls import Call, existing, words
from ivn_provision.lab.portal.contract import body_schema
from ivn_provision.lab.portal.objects import EVENT_TYPES, show_alarm_input, show_device
from ivn_provision.lab.portal.preconditions import check_delete, check_put
from ivn_provision.lab.portal.problems import not_found
from ivn_provision.lab.portal.store import Json, Spot, Stored
from ivn_provision.lab.portal.tokens import require

_SCHEMAS = {"site": "SiteInput", "device": "DeviceInput", "alarm_input": "AlarmInputInput"}


async def create_token(call: Call) -> Response:
    """`POST /oauth/token`"""
    call.core.counters.auth += 1
    form = await requests.read_form(call.request)
    token = call.core.tokens.issue(form, call.request.headers.get("authorization", ""))
    return JSONResponse(token, headers={"Cache-Control": "no-store"})


async def get_device(call: Call) -> Response:
    """`GET /sites/{site_key}/devices/{device_key}`"""
    return _shown(call, existing(call, "device"))


async def get_alarm_input(call: Call) -> Response:
    """`GET .../alarm-inputs/{source}/{pin}`"""
    return _shown(call, existing(call, "alarm_input"))


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
    check_put(old, headers.get("if-match"), headers.get("if-none-match"), words(spot))
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
    check_delete(old, call.request.headers.get("if-match"), words(spot))
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


async def list_event_types(_call: Call) -> Response:
    """`GET /event-types`"""
    return JSONResponse({"results": list(EVENT_TYPES)})


def _kind(call: Call) -> str:
    params = call.request.path_params
    return "alarm_input" if "pin" in params else "device" if "device_key" in params else "site"


def _shown(call: Call, stored: Stored, *, status: int = 200) -> JSONResponse:
    if stored.path.kind == "site":
        return _object(stored, listing.show(call, stored), status)
    if stored.path.kind == "alarm_input":
        return _object(stored, show_alarm_input(stored), status)
    inputs = call.core.store.all("alarm_input", stored.path.site, stored.path.device)
    return _object(stored, show_device(stored, [show_alarm_input(each) for each in inputs]), status)


def _object(stored: Stored, shown: Json, status: int = 200) -> JSONResponse:
    return JSONResponse(shown, status_code=status, headers={"ETag": stored.etag})
