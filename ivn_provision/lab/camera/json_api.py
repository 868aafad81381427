"""The frame of the JSON APIs: versions, methods, errors (facts/axis.md, 4). Errors are HTTP 200 too."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ivn_provision.lab.camera.calls import Call
from ivn_provision.lab.camera.profile import Api
from ivn_provision.lab.nvr.http_wire import HttpResponse

Json = dict[str, Any]
Method = Callable[[Json], Json]
BAD_VERSION, BAD_JSON, BAD_METHOD, MISSING, BAD_VALUE, NOT_AUTHORISED = 2100, 2101, 2102, 2103, 2104, 2105


class JsonError(Exception):
    """A refusal with its code; `details` goes into the error."""

    def __init__(self, code: int, message: str, details: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.details = code, message, details


class JsonApi:
    """One API: its methods by name. `bad_method` is the code of an unknown one, which is not the same everywhere."""

    def __init__(self, api: Api, methods: Mapping[str, Method], *, bad_method: int = BAD_METHOD) -> None:
        self._api, self._methods, self._bad_method = api, methods, bad_method

    def answer(self, call: Call) -> tuple[HttpResponse, str]:
        """The reply and the name of the method. Raises Cut, if a fault says so."""
        asked: Json = {}
        try:
            asked = _asked(call.request.body)
            result = {"data": self._carried_out(asked)}
        except JsonError as error:
            told = {"details": dict(error.details)} if error.details else {}
            result = {"error": {"code": error.code, "message": error.message, **told}}
        method = str(asked.get("method", ""))
        head: Json = {"apiVersion": self._api.version}
        head |= {"context": asked["context"]} if "context" in asked else {}
        head |= {"method": method} if self._api.says_method and method else {}
        return json_reply({**head, **result}), method

    def _carried_out(self, asked: Json) -> Json:
        method, params = asked.get("method"), asked.get("params", {})
        if not isinstance(method, str):
            raise JsonError(MISSING, "Required parameter missing: method")
        if method == "getSupportedVersions":
            return {"apiVersions": [self._api.version]}
        if str(asked.get("apiVersion", "")).split(".")[0] != self._api.version.split(".")[0]:
            raise JsonError(BAD_VERSION, "The requested API version is not supported")
        if method not in self._methods:
            raise JsonError(self._bad_method, "Method not supported")
        if not isinstance(params, dict):
            raise JsonError(BAD_VALUE, "Invalid parameter value: params")
        return self._methods[method](params)


def json_reply(data: Json, status: int = 200) -> HttpResponse:
    """application/json"""
    return HttpResponse(status, [("Content-Type", "application/json")], json.dumps(data).encode())


def items_of(params: Json, name: str) -> list[Json]:
    """A list of objects. Raises JsonError."""
    found = params.get(name)
    if found is None:
        raise JsonError(MISSING, f"Required parameter missing: {name}")
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise JsonError(BAD_VALUE, f"Invalid parameter value: {name}")
    return found


def _asked(body: bytes) -> Json:
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise JsonError(BAD_JSON, "Invalid JSON") from None
    if not isinstance(asked, dict):
        raise JsonError(BAD_JSON, "Invalid JSON: no object")
    return asked
