"""The JSON APIs of newer firmware: one envelope for all, errors with HTTP 200 (facts/axis.md, 4)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ivn_provision.drivers.axis.replies import garbled, refused
from ivn_provision.strict_json import Node, WrongShape, check_sound
from ivn_provision.transports.vapix import Asked, VapixReply

DISCOVERY = "/axis-cgi/apidiscovery.cgi"
PORTS = "/axis-cgi/io/portmanagement.cgi"
PORTS_API = "io-port-management"
_CONTEXT = "ivn-provision"


def call(
    path: str, method: str, params: Mapping[str, object] | None = None, *, writes: bool = False
) -> Asked:
    """A call of one method. Version 1.0 of an API is what all later ones 1.x answer too."""
    body: dict[str, object] = {"apiVersion": "1.0", "context": _CONTEXT, "method": method}
    if params is not None:
        body["params"] = params
    return Asked("POST", path, json.dumps(body).encode(), "application/json", writes)


def parse_data(reply: VapixReply) -> Node:
    """What a call gave. Raises Refused for an error of the API, ProtocolFault."""
    try:
        document = Node(json.loads(reply.body))
        check_sound(document)
        error = document.find("error")
        if error is not None:
            raise refused(reply, _words(error))
        if reply.status != 200:
            raise garbled(reply, f"HTTP {reply.status}")
        return document.find("data") or Node({}, "/data")
    except WrongShape as wrong:
        raise garbled(reply, f"JSON of another shape: {wrong}") from wrong
    except (ValueError, RecursionError) as error:
        raise garbled(reply, "something that is no JSON") from error


def _words(error: Node) -> str:
    code, message = error.find("code"), error.find("message")
    number = code.integer(-(10**9), 10**9) if code is not None else 0
    return f"error {number}: {message.text() if message is not None else 'no message'}"


def parse_discovery(reply: VapixReply) -> frozenset[str]:
    """The ids of the APIs; none where the firmware is older than all of them (404). Raises ProtocolFault, Refused."""
    if reply.status == 404:
        return frozenset()
    data = parse_data(reply)
    try:
        return frozenset(each["id"].text() for each in data["apiList"].items())
    except WrongShape as wrong:
        raise garbled(reply, f"JSON of another shape: {wrong}") from wrong


def parse_ports_set(reply: VapixReply, port: str) -> None:
    """Raises Refused or ProtocolFault unless the port was set."""
    data = parse_data(reply)
    try:
        done = [each.text() for each in data["ports"].items()]
    except WrongShape as wrong:
        raise garbled(reply, f"JSON of another shape: {wrong}") from wrong
    if port not in done:
        raise garbled(reply, "a list of ports without the one that was to be set")
