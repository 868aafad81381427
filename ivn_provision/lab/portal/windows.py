"""The operations on test sessions."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from ivn_provision.lab.portal.calls import Call, existing
from ivn_provision.lab.portal.contract import body_schema
from ivn_provision.lab.portal.idempotency import Once
from ivn_provision.lab.portal.problems import Problem
from ivn_provision.lab.portal.requests import read_json
from ivn_provision.lab.portal.sessions import Session


async def open_session(call: Call) -> Response:
    """`POST /sites/{site_key}/test-sessions`, once per Idempotency-Key."""
    body = body_schema("TestSessionInput").check(await read_json(call.request))
    site = _site(call)
    once = Once(call, ["test-session", site, body])
    sessions, kept = call.core.sessions, once.before()
    if kept is not None:
        return _shown(call, sessions.get(site, kept["id"]), 201)
    if "test-session-refused" in call.core.faults:
        raise Problem("test-session-refused", "The station does not take the site off watch now.")
    session = sessions.open(site, body)
    once.keep({"id": session.id})
    return _shown(call, session, 201)


async def get_session(call: Call) -> Response:
    """`GET /sites/{site_key}/test-sessions/{session_id}`"""
    return _shown(call, call.core.sessions.get(_site(call), call.request.path_params["session_id"]))


async def close_session(call: Call) -> Response:
    """`POST /sites/{site_key}/test-sessions/{session_id}:close`; as often as one likes."""
    return _shown(call, call.core.sessions.close(_site(call), call.request.path_params["session_id"]))


def _site(call: Call) -> str:
    return existing(call, "site").path.site


def _shown(call: Call, session: Session, status: int = 200) -> Response:
    return JSONResponse(call.core.sessions.show(session), status_code=status)
