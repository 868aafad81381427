"""A request of the agent protocol: its parts, or the refusal of the whole."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from ivn_provision.lab.nvr.agent_values import AgentRefusal, Json, Object, text

UNREADABLE_MARKER = "BADREQUESTBADREQUEST"
_LONGEST_WAIT = 3600
_MARKER = re.compile(r"[A-Za-z0-9]{16,64}")


@dataclass(frozen=True, slots=True)
class Request:
    """The lists of a request; a step of `steps` may carry `undo`."""

    steps: list[Object]
    always: list[Object]
    lock_seconds: int = 0

    def verbs(self) -> set[str]:
        """Every verb that the request may run."""
        undo = [each for step in self.steps for each in undo_of(step)]
        return {text(each, "verb") for each in (*self.steps, *undo, *self.always)}


def parsed(request_text: str) -> Object:
    """The JSON object of a request."""
    try:
        request = json.loads(request_text)
    except (ValueError, RecursionError) as error:
        raise AgentRefusal("bad_request", "the request is not valid JSON") from error
    if not isinstance(request, dict):
        raise AgentRefusal("bad_request", "the request is not an object")
    return request


def marker_of(request: Object) -> str:
    """The marker that the reply stands between."""
    marker = request.get("marker")
    if not isinstance(marker, str) or not _MARKER.fullmatch(marker):
        raise AgentRefusal("bad_request", "the marker is missing or malformed")
    return marker


def checked(request: Object) -> Request:
    """The parts of a request of this protocol."""
    if request.get("protocol") != 1 or isinstance(request.get("protocol"), bool):
        raise AgentRefusal("bad_request", "unknown protocol")
    steps = _steps(request.get("steps", []), may_undo=True)
    seconds = request.get("lock_seconds", 0)
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 <= seconds <= _LONGEST_WAIT:
        raise AgentRefusal("bad_request", "lock_seconds must be a number from 0 to 3600")
    return Request(steps, _steps(request.get("always", []), may_undo=False), seconds)


def undo_of(step: Object) -> list[Object]:
    """The undo steps of a checked step."""
    value = step.get("undo", [])
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _steps(value: Json, *, may_undo: bool) -> list[Object]:
    if not isinstance(value, list):
        raise AgentRefusal("bad_request", "steps and always must be lists")
    return [_step(each, may_undo=may_undo) for each in value]


def _step(value: Json, *, may_undo: bool) -> Object:
    if not isinstance(value, dict) or not isinstance(value.get("verb"), str):
        raise AgentRefusal("bad_request", "each step must be an object with a verb")
    if "undo" in value and not (may_undo and isinstance(value["undo"], list)):
        raise AgentRefusal("bad_request", "undo must be a list, and belongs to steps only")
    for each in value.get("undo", []):
        _step(each, may_undo=False)
    return value
