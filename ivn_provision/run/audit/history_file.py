"""One audit as it is remembered in a file, and back. The file may come from elsewhere: nothing in it is trusted."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ivn_provision.run.audit.memory import Seen, SiteMemory
from ivn_provision.run.audit.names import ID
from ivn_provision.run.audit.record import Moment, SiteState
from ivn_provision.strict_json import Node, WrongShape, check_sound

FORMAT = 1
MOST_BYTES = 64 * 1024 * 1024
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_WHAT = re.compile(r"[a-z0-9_/-]{1,80}")
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,255}")
_MANY = 10_000_000
_SOME = 16


@dataclass(frozen=True, slots=True)
class Remembered:
    """One audit. `sites` is None in an old one, of which only the numbers are kept, and some `names` of sites; else it has
    every site that was ever audited in this fleet, as it was last seen."""

    moment: Moment
    fleet: str
    selection: str
    sites: Mapping[str, SiteMemory] | None = field(default_factory=dict)
    names: tuple[str, ...] = ()


def without_sites(audit: Remembered) -> Remembered:
    """The numbers alone, and as many names as tell fleets apart: always the same of the same sites."""
    names = sorted(audit.sites or (), key=lambda name: hashlib.sha256(name.encode()).digest())[:_SOME]
    return replace(audit, sites=None, names=tuple(names))


def written(audit: Remembered) -> bytes:
    """The file's content."""
    moment = audit.moment
    document: dict[str, Any] = {
        "format": FORMAT,
        "at": moment.at,
        "fleet": audit.fleet,
        "selection": audit.selection,
        "states": {state.value: count for state, count in moment.states.items() if count},
        "findings": moment.findings,
    }
    if audit.sites is not None:
        document["sites"] = {
            name: [
                site.state.value,
                site.since,
                {id_: [seen.at, seen.what] for id_, seen in sorted(site.seen.items())},
            ]
            for name, site in sorted(audit.sites.items())
        }
    elif audit.names:
        document["names"] = list(audit.names)
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def parsed(content: bytes, *, now: str) -> Remembered:
    """The inverse of `written`. Raises WrongShape, also for times after `now` (RFC 3339)."""
    try:
        document = Node(json.loads(content))
    except (ValueError, RecursionError):
        raise WrongShape("", "is not JSON") from None
    check_sound(document)
    document["format"].integer(FORMAT, FORMAT)
    states = {
        _state(Node(name, f"/states/{name[:20]}")): each.integer(0, _MANY)
        for name, each in document["states"].members()
    }
    moment = Moment(_time(document["at"], now), states, document["findings"].integer(0, _MANY))
    sites, names = document.find("sites"), document.find("names")
    return Remembered(
        moment,
        document["fleet"].text(),
        document["selection"].text(),
        None if sites is None else {_name(name): _site(each, now) for name, each in sites.members()},
        tuple(each.text(_NAME, "the name of a site") for each in names.items())
        if names and sites is None
        else (),
    )


def _site(node: Node, now: str) -> SiteMemory:
    parts = node.items()
    if len(parts) != 3:
        node.wrong("is not three values")
    state, since, seen = parts
    found = {_id(id_, each): _seen(each, now) for id_, each in seen.members()}
    return SiteMemory(_state(state), _time(since, now), found)


def _seen(node: Node, now: str) -> Seen:
    parts = node.items()
    if len(parts) != 2:
        node.wrong("is not two values")
    return Seen(_time(parts[0], now), parts[1].text(_WHAT, "the name of a rule"))


def _id(text: str, node: Node) -> str:
    return text if ID.fullmatch(text) else node.wrong("is no id of a finding")


def _name(text: str) -> str:
    return text if _NAME.fullmatch(text) else Node(text, "/sites").wrong("has no name of a site")


def _state(node: Node) -> SiteState:
    try:
        return SiteState(node.text())
    except ValueError:
        node.wrong("is no state of a site")


def _time(node: Node, now: str) -> str:
    text = node.text(_TIME, "a time such as 2026-11-23T18:00:00Z")
    return text if text <= now else node.wrong("is in the future")
