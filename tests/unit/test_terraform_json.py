"""Plans as a reader of Terraform plans takes them, by the field table in tests/cases/terraform_json."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ivn_provision.plan.plan import SitePlan
from ivn_provision.plan.plan_json import to_json
from ivn_provision.run.saved_plan import save_plan
from ivn_provision.run.state import StateFolder
from ivn_provision.spec.fleet import find_site
from ivn_provision.spec.ruleset import NO_RULES
from tests.unit.test_plan_cases import CASES, NAMES, plan_of
from tests.unit.test_saved_plan import NOW

TABLE: dict[str, Any] = yaml.safe_load(
    (CASES.parent / "terraform_json" / "plan_fields.yml").read_text(encoding="utf-8")
)
OURS = frozenset({"ivn"})


def problems(plan: Mapping[str, Any]) -> Iterator[str]:
    """Everything that a strict reader of Terraform plans would stumble over."""
    yield from shape("plan", plan, extra=OURS)
    yield from version_problems(plan.get("format_version"))
    for index, each in enumerate(plan.get("resource_changes") or []):
        yield from (f"resource_changes[{index}]: {one}" for one in change_problems(each))


def version_problems(version: Any) -> Iterator[str]:
    low, below = TABLE["format_version"]["constraint"]
    found = re.fullmatch(r"([0-9]+)\.([0-9]+)", version) if isinstance(version, str) else None
    if found is None or not low <= [int(found[1]), int(found[2])] < below:
        yield f"format_version {version!r} is not supported"


def change_problems(resource: Mapping[str, Any]) -> Iterator[str]:
    yield from shape("resource_change", resource)
    change = resource.get("change")
    if not isinstance(change, dict):
        return
    yield from shape("change", change)
    actions, before, after = change.get("actions"), change.get("before"), change.get("after")
    if (before is None) != (actions == ["create"]) or (after is None) != (actions == ["delete"]):
        yield f"before or after does not go with {actions}"
    for name in ("before", "after"):
        yield from marked_problems(name, change[name] or {}, change.get(f"{name}_sensitive"))
    yield from marked_problems("after", after or {}, change.get("after_unknown"))
    for path in change.get("replace_paths") or []:
        if actions not in (["delete", "create"], ["create", "delete"]) or not leads(path, before):
            yield f"replace_paths: {path} leads nowhere"


def marked_problems(name: str, values: Any, marks: Any) -> Iterator[str]:
    """What is marked as secret or not known yet has no value beside its mark."""
    if not isinstance(marks, dict) or not isinstance(values, dict):
        return
    for key, mark in marks.items():
        if mark is True and values.get(key) is not None:
            yield f"{name}: {key} is marked and has a value"
        yield from marked_problems(f"{name}.{key}", values.get(key) or {}, mark)


def leads(path: list[str | int], values: Any) -> bool:
    for step in path:
        if not isinstance(values, dict) or step not in values:
            return False
        values = values[step]
    return True


def shape(what: str, values: Mapping[str, Any], extra: frozenset[str] = frozenset()) -> Iterator[str]:
    fields = TABLE[what]
    yield from (f"unknown field {name}" for name in sorted(set(values) - set(fields) - extra))
    for name, field in fields.items():
        if name not in values:
            if field["required"]:
                yield f"{name} is missing"
        elif not TYPES[field["type"]](values[name]):
            yield f"{name} is not of type {field['type']}"
        elif values[name] not in field.get("one_of", [values[name]]):
            yield f"{name} is not one of {field['one_of']}"


def is_marks(value: Any) -> bool:
    return isinstance(value, dict) and all(each is True or is_marks(each) for each in value.values())


def is_paths(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(path, list) and path and all(type(step) in {str, int} for step in path) for path in value
    )


TYPES: Mapping[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "flag": lambda value: isinstance(value, bool),
    "any": lambda _: True,
    "object": lambda value: isinstance(value, dict),
    "objects": lambda value: isinstance(value, list) and all(isinstance(each, dict) for each in value),
    "actions": lambda value: value in TABLE["actions"],
    "marks": is_marks,
    "paths": is_paths,
}


def parsed(plan: SitePlan) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(to_json((plan,), timestamp="2026-11-24T02:00:00Z")))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_of_terraform_plans_takes_ours(name: str) -> None:
    assert list(problems(parsed(plan_of(CASES / name)))) == []


@pytest.mark.parametrize("name", NAMES)
def test_it_takes_a_saved_plan_too(name: str, tmp_path: Path) -> None:
    site = find_site(CASES / name, "site", rules=NO_RULES)
    document = save_plan(
        StateFolder(tmp_path), [plan_of(CASES / name)], sites=[site], now=NOW, valid_seconds=60
    )
    assert list(problems(json.loads(json.dumps(document)))) == []


def test_the_cases_hold_every_action_of_ours() -> None:
    seen = {
        tuple(each["change"]["actions"])
        for name in NAMES
        for each in parsed(plan_of(CASES / name))["resource_changes"]
    }
    assert seen == {("create",), ("update",), ("delete",), ("delete", "create")}


BROKEN: Mapping[str, Callable[[dict[str, Any]], Any]] = {
    "format_version '2.0' is not supported": lambda plan: plan.update(format_version="2.0"),
    "format_version '0.0' is not supported": lambda plan: plan.update(format_version="0.0"),
    "format_version is not of type text": lambda plan: plan.update(format_version=1.2),
    "unknown field extra": lambda plan: plan.update(extra=1),
    "complete is not of type flag": lambda plan: plan.update(complete="yes"),
    "resource_changes is missing": lambda plan: plan.pop("resource_changes"),
    "resource_changes[0]: mode is not one of ['managed', 'data']": lambda plan: first(plan).update(mode="x"),
    "resource_changes[0]: actions is not of type actions": lambda plan: change(plan).update(
        actions=["create", "update"]
    ),
    "resource_changes[0]: before or after does not go with ['create']": lambda plan: change(plan).update(
        actions=["create"]
    ),
    "resource_changes[0]: replace_paths: ['nowhere'] leads nowhere": lambda plan: change(plan).update(
        replace_paths=[["nowhere"]]
    ),
    "resource_changes[0]: replace_paths is not of type paths": lambda plan: change(plan).update(
        replace_paths=["input"]
    ),
    "resource_changes[0]: after_unknown is not of type marks": lambda plan: change(plan).update(
        after_unknown={"input": "maybe"}
    ),
    "resource_changes[0]: after: input is marked and has a value": lambda plan: change(plan).update(
        after_sensitive={"input": True}
    ),
}


def first(plan: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = plan["resource_changes"][0]
    return found


def change(plan: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = first(plan)["change"]
    return found


@pytest.mark.parametrize("expected", BROKEN)
def test_the_reader_is_strict(expected: str) -> None:
    plan = parsed(plan_of(CASES / "event-on-another-input-is-replaced"))
    assert list(problems(plan)) == []
    broken = copy.deepcopy(plan)
    BROKEN[expected](broken)
    assert expected in list(problems(broken))
