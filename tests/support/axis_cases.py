"""Answers of cameras as cases: a body, the codec that reads it, and what comes out or is said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ivn_provision.drivers.axis import accounts, events, json_api, objects, params, soap
from ivn_provision.errors import IvnError
from ivn_provision.transports.vapix import VapixReply

CASES = Path(__file__).parents[1] / "cases" / "axis"
SOAP = "application/soap+xml; charset=utf-8"


def reply(body: bytes, *, status: int = 200, content_type: str = "text/plain") -> VapixReply:
    return VapixReply(status, content_type, body, "/axis-cgi/any.cgi", "127.0.0.1:80")


def _rules(answer: VapixReply) -> Any:
    return [
        {**asdict(each), "start": str(each.start), "conditions": [str(one) for one in each.conditions]}
        for each in objects.parse_rules(answer)
    ]


def _events(answer: VapixReply) -> Any:
    found = events.parse_events(soap.parse_reply(answer, "GetEventInstancesResponse"))
    return sorted(
        ["/".join(e.path), e.stateful, {name: len(values) for name, values in e.sources}, sorted(e.data)]
        for e in found
    )


CODECS: Mapping[str, Callable[[VapixReply], Any]] = {
    "params": lambda answer: dict(params.parse_list(answer).values),
    "updated": lambda answer: params.check_updated(answer, [("A.B", "1"), ("A.C", "2")]),
    "added": lambda answer: list(params.parse_added(answer)),
    "accounts": lambda answer: [asdict(each) for each in accounts.parse_accounts(answer)],
    "account done": lambda answer: accounts.check_done(answer, "guard"),
    "discovery": lambda answer: sorted(json_api.parse_discovery(answer)),
    "port set": lambda answer: json_api.parse_ports_set(answer, "0"),
    "rules": _rules,
    "configurations": lambda answer: [
        asdict(each) for each in objects.parse_configurations(answer, "ActionConfiguration")
    ],
    "templates": lambda answer: {
        token: [list(each.slots), each.recipient]
        for token, each in objects.parse_templates(answer, "ActionTemplate").items()
    },
    "events": _events,
    "rule added": lambda answer: objects.parse_added(answer, "AddActionRule", "RuleID"),
}


def outcome(case: Mapping[str, Any]) -> dict[str, Any]:
    """`{"read": ..}`, or `{"error": class, "says": summary}`."""
    kind = (
        SOAP
        if case["body"].lstrip().startswith("<") and "text/html" not in case.get("type", "")
        else "text/plain"
    )
    answer = reply(
        case["body"].encode(case.get("charset", "iso-8859-1")),
        status=case.get("status", 200),
        content_type=case.get("type", kind),
    )
    try:
        return {"read": CODECS[case["codec"]](answer)}
    except IvnError as error:
        return {"error": type(error).__name__, "says": error.summary}
