"""Plan -> JSON in the shape of Terraform's plan representation, format 1.2, and back.

Everything that Terraform does not have stands under the one key `ivn`; manual changes are only there,
since a reader of Terraform plans would count them as done by the tool.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ivn_provision import __version__
from ivn_provision.diagnostics import Place
from ivn_provision.errors import PlanError
from ivn_provision.model.kinds import KINDS
from ivn_provision.model.resource import Address, Value
from ivn_provision.model.targets import family
from ivn_provision.plan.plan import (
    Action,
    Cause,
    Change,
    FieldChange,
    Foreign,
    SitePlan,
    Standing,
    TargetFacts,
    Unverified,
    count,
)
from ivn_provision.plan.values_json import dump, is_sensitive, is_unknown, load, nested, plain
from ivn_provision.strict_json import Node, WrongShape

FORMAT_VERSION = "1.2"
IVN_VERSION = 1
_MANY = 10**9
_LARGE = 2**63
_ACTIONS: Mapping[Action, list[str]] = {
    Action.CREATE: ["create"],
    Action.UPDATE: ["update"],
    Action.DELETE: ["delete"],
    Action.REPLACE: ["delete", "create"],
}


def to_json(
    plans: Sequence[SitePlan],
    *,
    timestamp: str,
    errors: Mapping[str, str] | None = None,
    partial: bool = False,
) -> dict[str, Any]:
    """The plan of a run.

    `timestamp` is RFC 3339; `errors` are sites that could not be planned; `partial`: something was left out.
    """
    found = frame(plans, timestamp=timestamp, errors=errors, partial=partial)
    found["resource_changes"] += [each for plan in plans for each in resource_changes(plan)]
    found["ivn"]["sites"] += [site_json(plan) for plan in plans]
    return found


def frame(
    plans: Sequence[SitePlan],
    *,
    timestamp: str,
    errors: Mapping[str, str] | None = None,
    partial: bool = False,
) -> dict[str, Any]:
    """The same with its two lists empty: `resource_changes`, and `sites` of `ivn`."""
    errored = bool(errors)
    totals = count(tuple(plans))
    return {
        "format_version": FORMAT_VERSION,
        "applyable": not errored and any(plan.workable for plan in plans),
        "complete": not errored and not partial and not (totals.manual or totals.blocked or totals.open),
        "errored": errored,
        "timestamp": timestamp,
        "resource_changes": [],
        "ivn": {
            "version": IVN_VERSION,
            "tool_version": __version__,
            "errors": dict(errors or {}),
            "summary": {name: getattr(totals, name) for name in totals.__slots__},
            "sites": [],
        },
    }


def resource_changes(plan: SitePlan) -> list[dict[str, Any]]:
    """A site's part of `resource_changes`."""
    return [_resource_change(change) for change in plan.changes if change.workable]


def _resource_change(change: Change) -> dict[str, Any]:
    before = {each.name: each.before for each in change.fields}
    after = {each.name: each.after for each in change.fields}
    paths = [each.name.split(".") for each in change.fields if each.forces_replacement]
    return {
        "address": str(change.address),
        "mode": "managed",
        "type": change.address.kind,
        "name": change.address.key or change.address.kind,
        "provider_name": f"ivn/{family(change.address.target)}",
        "change": {
            "actions": _ACTIONS[change.action],
            "before": None if change.action is Action.CREATE else _plain(before),
            "after": None if change.action is Action.DELETE else _plain(after),
            "after_unknown": nested({name: True for name, value in after.items() if is_unknown(value)}),
            "before_sensitive": nested({name: True for name, value in before.items() if is_sensitive(value)}),
            "after_sensitive": nested({name: True for name, value in after.items() if is_sensitive(value)}),
            **({"replace_paths": paths} if paths else {}),
        },
    }


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return nested({name: plain(value) for name, value in values.items()})


def site_json(plan: SitePlan) -> dict[str, Any]:
    """A site as it stands among `sites`."""
    return {
        "site": plan.site,
        "unchanged": plan.unchanged,
        "changes": [_change(change) for change in plan.changes],
        "foreign": [
            {"address": str(each.address), "title": each.title, "why": each.why} for each in plan.foreign
        ],
        "unverified": [_unverified(each) for each in plan.unverified],
        "targets": [
            {
                "target": each.target,
                "product": each.product,
                "version": each.version,
                "endpoint": each.endpoint,
                "notes": list(each.notes),
            }
            for each in plan.facts
        ],
        "notes": list(plan.notes),
    }


def _unverified(each: Unverified) -> dict[str, Any]:
    return {
        "address": str(each.address),
        "field": each.name,
        "reason": each.reason,
        "value": dump(each.value),
        "open": each.is_open,
        "standing": each.standing.name.lower(),
        "evidence": each.evidence,
        "declared_at": _dump_place(each.declared_at),
    }


def _dump_place(place: Place | None) -> dict[str, Any] | None:
    return {"path": place.path, "line": place.line, "column": place.column} if place else None


def _change(change: Change) -> dict[str, Any]:
    return {
        "address": str(change.address),
        "action": change.action.value,
        "manual": change.manual,
        "blocked_by": str(change.blocked_by) if change.blocked_by else None,
        "title": change.title,
        "reason": change.reason,
        "digest": change.digest,
        "declared_at": _dump_place(change.declared_at),
        **_dump_cause(change.cause),
        "fields": [
            {
                "name": each.name,
                "before": dump(each.before),
                "after": dump(each.after),
                "forces_replacement": each.forces_replacement,
                "reason": each.reason,
                **_dump_cause(each.cause),
            }
            for each in change.fields
        ],
    }


def _dump_cause(cause: Cause) -> dict[str, str]:
    """Only of a three-way comparison."""
    return {"cause": cause.value} if cause else {}


def from_json(data: object) -> tuple[SitePlan, ...]:
    """Read a plan back, for showing it. Raises PlanError where it is not one of ours."""
    if not isinstance(data, dict) or not isinstance(data.get("ivn"), dict):
        raise PlanError("this is not a plan of ivn-provision", next_step="make one with `plan --out FILE`")
    seen = data.get("format_version"), data["ivn"].get("version")
    if seen != (FORMAT_VERSION, IVN_VERSION) or isinstance(seen[1], (bool, float)):
        raise PlanError(
            f"the plan has format {_brief(seen[0])}/{_brief(seen[1])},"
            f" this tool reads {FORMAT_VERSION}/{IVN_VERSION}",
            next_step="make a new plan with this version of the tool",
        )
    try:
        return tuple(_read_site(each) for each in Node(data)["ivn"]["sites"].items())
    except WrongShape as error:
        raise PlanError(f"the plan file is damaged: {error}", next_step="make a new plan") from error


def _brief(version: object) -> str:
    """A version as far as it is worth showing."""
    known = isinstance(version, str) or (isinstance(version, int) and abs(version) < _MANY)
    return repr(version)[:20] if known else f"of type {type(version).__name__}"


def _read_site(site: Node) -> SitePlan:
    return SitePlan(
        site=site["site"].text(),
        changes=tuple(_read_change(each) for each in site["changes"].items()),
        unchanged=site["unchanged"].integer(0, _MANY),
        foreign=tuple(
            Foreign(_address(each["address"]), each["title"].text(), each["why"].text())
            for each in site["foreign"].items()
        ),
        unverified=tuple(_read_unverified(each) for each in site["unverified"].items()),
        facts=tuple(_read_facts(each) for each in site["targets"].items()),
        notes=_texts(site["notes"]),
    )


def _read_unverified(each: Node) -> Unverified:
    """Plans of version 0.1.0 say address, field and reason only."""
    address, name, reason = _address(each["address"]), each["field"].text(), each["reason"].text()
    if each.find("standing") is None:
        return Unverified(address, name, reason)
    standing, place = each["standing"], each["declared_at"]
    names = {one.name.lower(): one for one in Standing}
    return Unverified(
        address,
        name,
        reason,
        _value(each["value"]),
        names.get(standing.text()) or standing.wrong("is not a standing of a field"),
        each["evidence"].text(),
        None if place.is_null else _place(place),
    )


def _read_facts(target: Node) -> TargetFacts:
    return TargetFacts(
        target["target"].text(),
        target["product"].text(),
        target["version"].text(),
        target["endpoint"].text(),
        _texts(target["notes"]),
    )


def _texts(node: Node) -> tuple[str, ...]:
    return tuple(each.text() for each in node.items())


def _address(node: Node) -> Address:
    """An address of a kind that this tool knows."""
    text = node.text()
    try:
        address = Address.parse(text)
    except ValueError:
        node.wrong("is not SITE/TARGET/KIND[/KEY]")
    if address.kind not in KINDS:
        node.wrong("names a kind that this tool does not know")
    return address


def _read_change(change: Node) -> Change:
    place, blocked_by = change["declared_at"], change["blocked_by"]
    return Change(
        address=_address(change["address"]),
        action=_action(change["action"]),
        fields=tuple(_read_field(each) for each in change["fields"].items()),
        digest=change["digest"].text(),
        declared_at=None if place.is_null else _place(place),
        manual=change["manual"].flag(),
        blocked_by=None if blocked_by.is_null else _address(blocked_by),
        title=change["title"].text(),
        reason=change["reason"].text(),
        cause=_cause(change),
    )


def _read_field(each: Node) -> FieldChange:
    return FieldChange(
        each["name"].text(),
        _value(each["before"]),
        _value(each["after"]),
        forces_replacement=each["forces_replacement"].flag(),
        reason=each["reason"].text(),
        cause=_cause(each),
    )


def _cause(node: Node) -> Cause:
    found = node.find("cause")
    if found is None:
        return Cause.UNKNOWN
    name = found.text()
    return Cause(name) if name in set(Cause) else found.wrong("is not a cause of a difference")


def _action(node: Node) -> Action:
    name = node.text()
    return Action(name) if name in set(Action) else node.wrong("is not an action of a plan")


def _place(node: Node) -> Place:
    return Place(node["path"].text(), node["line"].integer(1, _MANY), node["column"].integer(1, _MANY))


def _value(node: Node) -> Value:
    """A field's value, as `dump` wrote it: plain, marked, or a flat list of those."""
    if isinstance(node.value, list):
        for each in node.items():
            _item(each)
    else:
        _single(node)
    return load(node.value)


def _item(node: Node) -> None:
    if isinstance(node.value, dict):
        node["unknown"].text()
    else:
        node.text()


def _single(node: Node) -> None:
    if isinstance(node.value, str):
        node.text()
    elif isinstance(node.value, float):
        _ = math.isfinite(node.value) or node.wrong("is not a finite number")
    elif isinstance(node.value, int):
        _ = abs(node.value) < _LARGE or node.wrong("is too large a number")
    elif isinstance(node.value, dict):
        _marked(node)


def _marked(node: Node) -> None:
    """`{"sensitive": true}`, `{"unset": true}` or `{"unknown": PATH}`."""
    if (unknown := node.find("unknown")) is not None:
        unknown.text()
    elif not any(each.value is True for name, each in node.members() if name in {"sensitive", "unset"}):
        node.wrong("is not a value of a plan")
