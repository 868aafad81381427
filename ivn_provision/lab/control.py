"""The lab's control API, for `ivn-provision lab status|tamper|fire|…` in another process.

Plain HTTP on a free loopback port with a bearer token; both stand in `<directory>/lab.json` (0600).
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from ivn_provision.errors import LabError
from ivn_provision.lab.assembly import Assembly
from ivn_provision.lab.clock import rfc3339
from ivn_provision.lab.loopback import listen
from ivn_provision.lab.nvr.store import Edit
from ivn_provision.lab.portal.portal import unknown_site
from ivn_provision.lab.server import AsgiServer
from ivn_provision.lab.status import counters_of, status_of
from ivn_provision.lab.tls import write_private

STATE_FILE = "lab.json"
_MAX_BODY_BYTES = 64 * 1024
_SETTLE_SECONDS = 3.0
Action = Callable[[Mapping[str, Any]], Awaitable[object]]


class Control:
    """Serves `assembly` until `stop`; `POST /shutdown` calls `asked_to_stop`."""

    def __init__(self, assembly: Assembly, asked_to_stop: Callable[[], None]) -> None:
        self.assembly = assembly
        self._asked_to_stop = asked_to_stop
        self._token = secrets.token_urlsafe(24)
        self._server: AsgiServer | None = None
        self._actions: dict[str, Action] = {
            "status": self._status,
            "counters": self._counters,
            "tamper": self._tamper,
            "remove": self._remove,
            "gui": self._gui,
            "fire": self._fire,
            "fire_input": self._fire_input,
            "fault": self._fault,
            "portal_state": self._portal_state,
            "shutdown": self._shutdown,
        }

    async def start(self) -> None:
        """Serve, then write the state file: who can read it can use the lab."""
        app = Starlette(routes=[Route("/{action}", self._answer, methods=["POST"])])
        self._server = AsgiServer(app, listen("127.0.0.1", 0, "the lab's control"))
        await self._server.start()
        state = {
            "pid": os.getpid(),
            "control_url": f"http://127.0.0.1:{self._server.port}",
            "token": self._token,
            "portal_url": self.assembly.portal.url,
            "ca_file": str(self.assembly.tls.ca_file),
            "sites": list(self.assembly.nvrs),
        }
        file = self.assembly.directory / STATE_FILE
        # renamed into place: a reader sees all of it or nothing
        draft = file.with_suffix(".new")
        write_private(draft, json.dumps(state, indent=2).encode())
        draft.replace(file)

    async def stop(self) -> None:
        """Answer what is under way, then stop serving."""
        if self._server is not None:
            await self._server.stop()

    async def _answer(self, request: Request) -> JSONResponse:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            return _error(401, "the control token is wrong", "")
        action = self._actions.get(request.path_params["action"])
        if action is None:
            return _error(404, "there is no such action", "")
        try:
            result = await action(await _arguments(request))
        except LabError as error:
            return _error(409, error.summary, error.next_step)
        return JSONResponse({"result": result})

    async def _status(self, _: Mapping[str, Any]) -> object:
        return {"pid": os.getpid(), "directory": str(self.assembly.directory), **status_of(self.assembly)}

    async def _counters(self, _: Mapping[str, Any]) -> object:
        return counters_of(self.assembly)

    async def _tamper(self, given: Mapping[str, Any]) -> object:
        fields = {str(name): str(value) for name, value in dict(given.get("fields", {})).items()}
        self.assembly.tamper(
            str(given.get("site")), str(given.get("kind")), str(given.get("key", "")), fields
        )
        return None

    async def _remove(self, given: Mapping[str, Any]) -> object:
        self.assembly.remove(str(given.get("site")), str(given.get("kind")), str(given.get("key", "")))
        return None

    async def _gui(self, given: Mapping[str, Any]) -> object:
        fields = {str(name): _words(value) for name, value in dict(given.get("fields", {})).items()}
        edit = Edit(str(given.get("action")), str(given.get("kind", "")), str(given.get("key") or ""), fields)
        self.assembly.gui(str(given.get("site")), edit)
        return None

    async def _fire(self, given: Mapping[str, Any]) -> object:
        """Answers when the recorder's mails are out: what is asked next finds them."""
        site = str(given.get("site"))
        nvr = self.assembly.nvr(site)
        before = next(iter(nvr.events_log[-1:]), None)
        answer: object
        edge = str(given.get("edge", "rising"))
        if "pin" in given:
            answer = await self.assembly.fire_soft(site, _number(given, "pin"))
        elif "virtual" in given:
            camera = self.assembly.cameras.get(site, str(given.get("device")))
            camera.fire_virtual(_number(given, "virtual"), active=edge == "rising")
            answer = {"rules": camera.counters.rules_fired}
        else:
            device, number = str(given.get("device")), _number(given, "input")
            answer = {"events": await self.assembly.fire_input(site, device, number, edge)}
        if "virtual" not in given:
            await nvr.settled(before, _SETTLE_SECONDS)
        await self.assembly.cameras.settle(site, _SETTLE_SECONDS)
        return answer

    async def _fire_input(self, given: Mapping[str, Any]) -> object:
        """Answers at once: what the recorder's mails do meanwhile is for others to watch."""
        site, device, number = str(given.get("site")), str(given.get("device")), _number(given, "input")
        at = rfc3339(self.assembly.clock())
        edge = str(given.get("edge", "rising"))
        return {"events": await self.assembly.fire_input(site, device, number, edge), "at": at}

    async def _fault(self, given: Mapping[str, Any]) -> object:
        self.assembly.fault(str(given.get("place")), str(given.get("name")), on=bool(given.get("on", True)))
        return None

    async def _portal_state(self, given: Mapping[str, Any]) -> object:
        site, armed, incident = str(given.get("site")), given.get("armed"), given.get("incident")
        if site not in {each.key for each in self.assembly.sites}:
            raise unknown_site(site, [each.key for each in self.assembly.sites])
        self.assembly.portal_state(
            site,
            armed=None if armed is None else bool(armed),
            incident=None if incident is None else str(incident),
        )
        return self.assembly.portal.leases.show_alarm(site)

    async def _shutdown(self, _: Mapping[str, Any]) -> object:
        self._asked_to_stop()
        return None


def _number(given: Mapping[str, Any], name: str) -> int:
    try:
        return int(given[name])
    except (KeyError, TypeError, ValueError):
        raise LabError(f"the control request has no number {name}") from None


def _words(value: object) -> str:
    """A value as a person types it: true and false, lists with semicolons."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ";".join(map(str, value)) if isinstance(value, list) else str(value)


async def _arguments(request: Request) -> Mapping[str, Any]:
    raw = await request.body()
    try:
        if len(raw) > _MAX_BODY_BYTES:
            raise ValueError("too long")
        parsed = json.loads(raw or b"{}")
        if not isinstance(parsed, dict):
            raise TypeError("not an object")
    except (ValueError, TypeError, RecursionError):
        raise LabError("the control request is not a JSON object") from None
    return parsed


def _error(status: int, summary: str, next_step: str) -> JSONResponse:
    return JSONResponse({"error": summary, "next_step": next_step}, status_code=status)
