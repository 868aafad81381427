"""Plan -> JSON in the shape of Terraform's plan representation, format 1.2, and back.

Everything that Terraform does not have stands under the one key `ivn`; manual changes are only there,
since a reader of Terraform plans would count them as done by the tool.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ivn_provision import __version__
from ivn_provision.diagnostics import Place
from ivn_provision.errors import PlanError
from ivn_provision.model.kinds import KINDS
from ivn_provision.model.resource import Address
from ivn_provision.plan.plan import (
    Action,
    Change,
    FieldChange,
    Foreign,
    SitePlan,
    TargetFacts,
    Unverified,
    count,
)
from ivn_provision.plan.values_json import dump, is_sensitive, is_unknown, load, nested, plain

FORMAT_VERSION = "1.2"
IVN_VERSION = 1
_ACTIONS: Mapping[Action, list[str]] = {
    Action.CREATE: ["create"],
    Action.UPDATE: ["update"],
    Action.DELETE: ["delete"],
    Action.REPLACE: ["delete", "create"],
}


def to_json(
    plans: tuple[SitePlan, ...], *, timestamp: str, errors: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The plan of a run. `timestamp` is RFC 3339; `errors` are sites that could not be planned."""
    errored = bool(errors)
    totals = count(plans)
    return {
        "format_version": FORMAT_VERSION,
        "applyable": not errored and any(plan.workable for plan in plans),
        "complete": not errored and not (totals.manual or totals.blocked),
        "errored": errored,
        "timestamp": timestamp,
        "resource_changes": [
            _resource_change(change) for plan in plans for change in plan.changes if change.workable
        ],
        "ivn": {
            "version": IVN_VERSION,
            "tool_version": __version__,
            "errors": dict(errors or {}),
            "summary": {name: getattr(totals, name) for name in totals.__slots__},
            "sites": [_site(plan) for plan in plans],
        },
    }


def _resource_change(change: Change) -> dict[str, Any]:
    before = {each.name: each.before for each in change.fields}
    after = {each.name: each.after for each in change.fields}
    paths = [each.name.split(".") for each in change.fields if each.forces_replacement]
    return {
        "address": str(change.address),
        "mode": "managed",
        "type": change.address.kind,
        "name": change.address.key or change.address.kind,
        "provider_name": f"ivn/{change.address.target}",
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


def _site(plan: SitePlan) -> dict[str, Any]:
    return {
        "site": plan.site,
        "unchanged": plan.unchanged,
        "changes": [_change(change) for change in plan.changes],
        "foreign": [
            {"address": str(each.address), "title": each.title, "why": each.why} for each in plan.foreign
        ],
        "unverified": [
            {"address": str(each.address), "field": each.name, "reason": each.reason}
            for each in plan.unverified
        ],
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


def _change(change: Change) -> dict[str, Any]:
    place = change.declared_at
    return {
        "address": str(change.address),
        "action": change.action.value,
        "manual": change.manual,
        "blocked_by": str(change.blocked_by) if change.blocked_by else None,
        "title": change.title,
        "reason": change.reason,
        "digest": change.digest,
        "declared_at": {"path": place.path, "line": place.line, "column": place.column} if place else None,
        "fields": [
            {
                "name": each.name,
                "before": dump(each.before),
                "after": dump(each.after),
                "forces_replacement": each.forces_replacement,
                "reason": each.reason,
            }
            for each in change.fields
        ],
    }


def from_json(data: object) -> tuple[SitePlan, ...]:
    """Read a plan back, for showing it. Raises PlanError where it is not one of ours."""
    if not isinstance(data, dict) or not isinstance(data.get("ivn"), dict):
        raise PlanError("this is not a plan of ivn-provision", next_step="make one with `plan --out FILE`")
    version = data["ivn"].get("version")
    if data.get("format_version") != FORMAT_VERSION or version != IVN_VERSION:
        raise PlanError(
            f"the plan has format {data.get('format_version')!r}/{version!r}, this tool reads {FORMAT_VERSION}/{IVN_VERSION}",
            next_step="make a new plan with this version of the tool",
        )
    return tuple(_read("sites", _read_site, each) for each in _list(data["ivn"], "sites"))


def _read(what: str, reader: Callable[[Any], Any], data: Any) -> Any:
    try:
        return reader(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PlanError(
            f"the plan file is damaged in its {what} ({type(error).__name__})",
            next_step="make a new plan",
        ) from error


def _list(data: Mapping[str, Any], name: str) -> list[Any]:
    found = data.get(name)
    if not isinstance(found, list):
        raise PlanError(f"the plan file is damaged: {name} is not a list", next_step="make a new plan")
    return found


def _read_site(data: Any) -> SitePlan:
    return SitePlan(
        site=str(data["site"]),
        changes=tuple(_read_change(each) for each in _list(data, "changes")),
        unchanged=int(data["unchanged"]),
        foreign=tuple(
            Foreign(_address(each["address"]), str(each["title"]), str(each["why"]))
            for each in _list(data, "foreign")
        ),
        unverified=tuple(
            Unverified(_address(each["address"]), str(each["field"]), str(each["reason"]))
            for each in _list(data, "unverified")
        ),
        facts=tuple(
            TargetFacts(
                str(each["target"]),
                str(each["product"]),
                str(each["version"]),
                str(each["endpoint"]),
                tuple(map(str, _list(each, "notes"))),
            )
            for each in _list(data, "targets")
        ),
        notes=tuple(map(str, _list(data, "notes"))),
    )


def _address(text: object) -> Address:
    """An address of a kind that this tool knows."""
    address = Address.parse(str(text))
    if address.kind not in KINDS:
        raise ValueError(f"unknown kind {address.kind}")
    return address


def _read_change(data: Any) -> Change:
    place = data["declared_at"]
    return Change(
        address=_address(data["address"]),
        action=Action(data["action"]),
        fields=tuple(
            FieldChange(
                str(each["name"]),
                load(each["before"]),
                load(each["after"]),
                forces_replacement=bool(each["forces_replacement"]),
                reason=str(each["reason"]),
            )
            for each in _list(data, "fields")
        ),
        digest=str(data["digest"]),
        declared_at=Place(str(place["path"]), int(place["line"]), int(place["column"])) if place else None,
        manual=bool(data["manual"]),
        blocked_by=_address(data["blocked_by"]) if data["blocked_by"] else None,
        title=str(data["title"]),
        reason=str(data["reason"]),
    )
