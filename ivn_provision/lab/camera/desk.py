"""The paths of a camera: which right each wants, and who answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ivn_provision.lab.camera.calls import Call, Right, html, not_found
from ivn_provision.lab.camera.device import Device
from ivn_provision.lab.camera.io_cgi import IoCgi, Timers
from ivn_provision.lab.camera.json_api import JsonApi, Method
from ivn_provision.lab.camera.json_apis import device_info, discovery, system_ready, time_service
from ivn_provision.lab.camera.param_cgi import ParamCgi
from ivn_provision.lab.camera.port_api import PortApi
from ivn_provision.lab.camera.profile_api import BAD_METHOD, StreamProfileApi
from ivn_provision.lab.camera.small_cgis import config_discover, date_text, tcp_test
from ivn_provision.lab.nvr.http_wire import HttpResponse

Answered = tuple[HttpResponse, str]
Answer = Callable[[Call], Awaitable[Answered]]
SERVICES = "/vapix/services"


@dataclass(frozen=True, slots=True)
class Place:
    """A path with the right it wants, and its answer."""

    right: Right
    answer: Answer
    methods: tuple[str, ...] = ("GET", "POST")


def places(device: Device, timers: Timers, host: str) -> dict[str, Place]:
    """All paths of this firmware."""
    io = IoCgi(device.board, device.profile.virtual_inputs, device.wire, device.virtual, timers)
    params = ParamCgi(device.params, device.mishaps.write, device.changed, device.profile.charset)

    async def connect(call: Call) -> Answered:
        return await tcp_test(call, host), ""

    found = {
        "/axis-cgi/param.cgi": Place(Right.VIEWER, _plainly(params.answer)),
        "/axis-cgi/pwdgrp.cgi": Place(Right.ADMIN, _plainly(device.accounts.answer)),
        SERVICES: Place(Right.ADMIN, _named(device.actions.answer), ("POST",)),
        "/axis-cgi/io/port.cgi": Place(Right.VIEWER, _plainly(io.port)),
        "/axis-cgi/io/virtualinput.cgi": Place(Right.VIEWER, _plainly(io.virtual_input)),
        "/axis-cgi/virtualinput/activate.cgi": Place(Right.VIEWER, _plainly(io.activate)),
        "/axis-cgi/virtualinput/deactivate.cgi": Place(Right.VIEWER, _plainly(io.deactivate)),
        "/axis-cgi/tcptest.cgi": Place(Right.ADMIN, connect),
        "/axis-cgi/usergroup.cgi": Place(Right.VIEWER, _plainly(device.accounts.who)),
        "/axis-cgi/date.cgi": Place(Right.VIEWER, _plainly(lambda call: date_text(call, device.local_now()))),
        "/config/discover": Place(
            Right.VIEWER, _plainly(lambda _: config_discover(device.profile)), ("GET",)
        ),
    }
    return found | _json_places(device)


def _json_places(device: Device) -> dict[str, Place]:
    """The JSON APIs that the profile has a path for."""
    profile, params, write = device.profile, device.params, device.mishaps.write
    ports = PortApi(device.board, params, write, device.changed)
    streams = StreamProfileApi(params, write, device.changed)
    methods: dict[str, tuple[Right, dict[str, Method]]] = {
        "api-discovery": (Right.VIEWER, discovery(profile)),
        "basic-device-info": (Right.ANYONE, device_info(params)),
        "io-port-management": (Right.OPERATOR, ports.methods()),
        "stream-profiles": (Right.OPERATOR, streams.methods()),
        "systemready": (Right.ANYONE, system_ready(profile, device.making.now)),
        "time-service": (Right.OPERATOR, time_service(params, device.local_now)),
    }
    found = {}
    for api in profile.apis.values():
        if api.path and api.id in methods:
            right, known = methods[api.id]
            code = {"stream-profiles": BAD_METHOD, "basic-device-info": 2004}.get(api.id, 2102)
            answer = JsonApi(api, known, bad_method=code).answer
            found[api.path] = Place(right, _named(answer), ("POST",))
    return found


async def answered(known: dict[str, Place], call: Call) -> Answered:
    """The answer to a request whose sender may ask. Raises Cut."""
    place = known.get(call.path)
    if place is None:
        return not_found(), ""
    if call.request.method not in place.methods:
        return html(405, "405 Method Not Allowed"), ""
    return await place.answer(call)


def right_of(known: dict[str, Place], call: Call) -> Right:
    """What the request wants: `getAllProperties` is for operators, the rest of that API for everybody."""
    place = known.get(call.path)
    if place is None:
        return Right.VIEWER
    if (
        call.path.endswith("/basicdeviceinfo.cgi")
        and b"getAllUnrestrictedProperties" not in call.request.body
    ):
        return Right.OPERATOR
    return place.right


def _plainly(function: Callable[[Call], HttpResponse]) -> Answer:
    async def answer(call: Call) -> Answered:
        return function(call), ""

    return answer


def _named(function: Callable[[Call], Answered]) -> Answer:
    async def answer(call: Call) -> Answered:
        return function(call)

    return answer
