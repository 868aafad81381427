"""The HTTP face of the portal: one `Endpoint` per path, one method table each."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ivn_provision.lab.portal import checks, events, fire, handlers, listing, windows
from ivn_provision.lab.portal.calls import BASE, Call, Core
from ivn_provision.lab.portal.problems import Problem

_LOG = logging.getLogger(__name__)
Handler = Callable[[Call], Awaitable[Response]]
_SITE = BASE + "/sites/{site_key}"
_DEVICE = _SITE + "/devices/{device_key}"

# path -> method -> (scope that is needed, handler)
_TABLE: Mapping[str, Mapping[str, tuple[str, Handler]]] = {
    BASE + "/oauth/token": {"POST": ("", handlers.create_token)},
    BASE + "/sites": {"GET": ("sites:read", listing.list_sites)},
    _SITE: {
        "GET": ("sites:read", listing.get_site),
        "PUT": ("sites:write", handlers.put_object),
        "DELETE": ("sites:write", handlers.delete_object),
    },
    _DEVICE: {
        "GET": ("sites:read", handlers.get_device),
        "PUT": ("sites:write", handlers.put_object),
        "DELETE": ("sites:write", handlers.delete_object),
    },
    # before the next one, whose {pin} would take "2:fire"
    _DEVICE + "/alarm-inputs/soft/{pin}:fire": {"POST": ("tests:run", fire.fire)},
    _DEVICE + "/alarm-inputs/{source}/{pin}": {
        "GET": ("sites:read", handlers.get_alarm_input),
        "PUT": ("sites:write", handlers.put_object),
        "DELETE": ("sites:write", handlers.delete_object),
    },
    _SITE + "/lease": {
        "GET": ("sites:read", handlers.get_lease),
        "PUT": ("sites:write", handlers.put_lease),
        "DELETE": ("sites:write", handlers.delete_lease),
    },
    _SITE + "/events": {"GET": ("events:read", events.list_events)},
    _SITE + "/events/{event_id}/mail": {"GET": ("tests:run", events.get_mail)},
    _SITE + "/test-sessions": {"POST": ("tests:run", windows.open_session)},
    # before the next one, whose {session_id} would take "ts-1:close"
    _SITE + "/test-sessions/{session_id}:close": {"POST": ("tests:run", windows.close_session)},
    _SITE + "/test-sessions/{session_id}": {"GET": ("tests:run", windows.get_session)},
    _SITE + "/connectivity-checks": {"POST": ("tests:run", checks.check_connectivity)},
    BASE + "/event-types": {"GET": ("sites:read", handlers.list_event_types)},
}


@dataclass(frozen=True)
class Endpoint:
    """ASGI app for one path: method, token, scope, handler; a Problem becomes the answer."""

    core: Core
    path: str
    methods: Mapping[str, tuple[str, Handler]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except Problem as problem:
            self.core.counters.auth_failures += problem.status == 401
            response = problem.response(instance=scope["path"], request_id=scope["request_id"])
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        self.core.counters.requests_by_route[f"{request.method} {self.path.removeprefix(BASE)}"] += 1
        if request.method not in self.methods:
            allowed = ", ".join(sorted(self.methods))
            raise Problem("method-not-allowed", f"Allowed: {allowed}.", headers={"Allow": allowed})
        needed, handler = self.methods[request.method]
        grant = self.core.tokens.check(request.headers.get("authorization", ""), needed) if needed else None
        return await handler(Call(request, self.core, grant))


def build_app(core: Core) -> Starlette:
    """The ASGI application over `core`."""
    routes = [Route(path, Endpoint(core, path, methods)) for path, methods in _TABLE.items()]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _http_problem, Exception: _crash})  # type: ignore[dict-item]
    app.router.redirect_slashes = False
    return app


async def _http_problem(request: Request, error: HTTPException) -> JSONResponse:
    known = {404: "not-found", 405: "method-not-allowed"}
    problem = Problem(known.get(error.status_code, "malformed"), HTTPStatus(error.status_code).phrase + ".")
    return problem.response(instance=request.url.path, request_id=request.scope["request_id"])


async def _crash(request: Request, error: Exception) -> JSONResponse:
    _LOG.error("the lab's portal failed", exc_info=error)
    problem = Problem("internal", f"{type(error).__name__}; see the lab's log.")
    return problem.response(instance=request.url.path, request_id=request.scope["request_id"])
