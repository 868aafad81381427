"""Plan JSON: Terraform's shape, our own fields under `ivn`, and a way back that survives any file."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivn_provision.errors import PlanError
from ivn_provision.plan.plan import SitePlan
from ivn_provision.plan.plan_json import from_json, to_json
from ivn_provision.report.paint import Paint
from ivn_provision.report.plan_text import render
from tests.unit.test_plan_cases import CASES, NAMES, plan_of

STAMP = "2026-11-23T18:00:00Z"
# The published plan representation and change representation, format version 1.2.
PLAN_FIELDS = {
    "format_version", "terraform_version", "applyable", "complete", "errored", "timestamp", "prior_state",
    "configuration", "planned_values", "proposed_unknown", "variables", "resource_changes", "resource_drift",
    "relevant_attributes", "output_changes", "checks",
}  # fmt: skip
RESOURCE_FIELDS = {
    "address", "previous_address", "module_address", "mode", "type", "name", "index", "deposed",
    "provider_name", "change", "action_reason",
}  # fmt: skip
CHANGE_FIELDS = {
    "actions", "before", "after", "after_unknown", "before_sensitive", "after_sensitive", "replace_paths",
    "importing", "generated_config",
}  # fmt: skip
ACTIONS = (
    ["no-op"],
    ["create"],
    ["read"],
    ["update"],
    ["delete"],
    ["delete", "create"],
    ["create", "delete"],
)


def document(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(to_json((plan_of(CASES / name),), timestamp=STAMP)))
    return data


@pytest.mark.parametrize("name", NAMES)
def test_only_terraforms_fields_and_ours_under_one_key(name: str) -> None:
    data = document(name)
    assert set(data) <= PLAN_FIELDS | {"ivn"}
    assert data["format_version"] == "1.2"
    for each in data["resource_changes"]:
        assert set(each) <= RESOURCE_FIELDS
        assert set(each["change"]) <= CHANGE_FIELDS
        assert each["change"]["actions"] in ACTIONS
        assert (each["change"]["before"] is None) == (each["change"]["actions"] == ["create"])
        assert (each["change"]["after"] is None) == (each["change"]["actions"] == ["delete"])


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_read_back_shows_the_same(name: str) -> None:
    plan = plan_of(CASES / name)
    again = from_json(document(name))
    assert render(again, Paint(on=False)) == render((plan,), Paint(on=False))


@pytest.mark.parametrize("name", NAMES)
def test_no_secret_and_no_fingerprint_in_json(name: str) -> None:
    text = json.dumps(document(name))
    assert "s3cret-value" not in text
    assert '"fingerprint"' not in text


def test_manual_changes_are_ours_alone() -> None:
    data = document("hardware-missing-blocks-its-event")
    assert data["resource_changes"] == []
    assert data["applyable"] is False
    assert data["complete"] is False
    (site,) = data["ivn"]["sites"]
    assert [each["manual"] for each in site["changes"]] == [True, False, False]


def test_sensitive_and_unknown_values_are_marked() -> None:
    changes = {
        each["address"]: each["change"]
        for each in document("account-id-known-after-apply")["resource_changes"]
    }
    assert changes["site/portal/device"]["after_sensitive"] == {"password": True}
    assert changes["site/portal/device"]["after"]["password"] is None
    assert changes["site/nvr/mail_server"]["after_unknown"] == {"sender": True}


def test_replacement_names_its_paths() -> None:
    (change,) = document("event-on-another-input-is-replaced")["resource_changes"]
    assert change["change"]["actions"] == ["delete", "create"]
    assert change["change"]["replace_paths"] == [["input"]]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_any_json_is_a_plan_or_our_error(data: Any) -> None:
    with pytest.raises(PlanError):
        from_json(data)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_a_damaged_plan_is_shown_or_refused(data: st.DataObject) -> None:
    plan = document(data.draw(st.sampled_from(NAMES)))
    damage(plan["ivn"], data)
    try:
        plans: tuple[SitePlan, ...] = from_json(plan)
    except PlanError:
        return
    render(plans, Paint(on=False))


def one_change(**values: Any) -> dict[str, Any]:
    """A plan of one change whose single field is set, with `values` in place of the change's own."""
    field = {"name": "n", "before": 1, "after": 2, "forces_replacement": False, "reason": ""}
    change = {
        "address": "s/nvr/camera/1", "action": "update", "manual": False, "blocked_by": None, "title": "",
        "reason": "", "digest": "", "declared_at": None, "fields": [{**field, **values.pop("field", {})}],
    }  # fmt: skip
    site = {
        "site": "s", "unchanged": 0, "changes": [{**change, **values}], "foreign": [], "unverified": [],
        "targets": [], "notes": [],
    }  # fmt: skip
    return {"format_version": "1.2", "ivn": {"version": 1, "sites": [site]}}


def test_the_smallest_plan_is_read() -> None:
    (plan,) = from_json(one_change())
    assert [str(each.address) for each in plan.changes] == ["s/nvr/camera/1"]


PLACE = {"path": "a.yml", "line": 1, "column": 1}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"manual": "false"}, "/manual is not true or false"),
        ({"manual": 0}, "/manual is not true or false"),
        ({"manual": None}, "/manual is not true or false"),
        ({"title": 1}, "/title is not text"),
        ({"title": "\ud800"}, "/title holds half of a surrogate pair"),
        ({"digest": None}, "/digest is not text"),
        ({"action": []}, "/action is not text"),
        ({"action": "read"}, "/action is not an action of a plan"),
        ({"address": "s/nvr/nosuch/1"}, "/address names a kind that this tool does not know"),
        ({"address": "s"}, "/address is not SITE/TARGET/KIND[/KEY]"),
        ({"blocked_by": False}, "/blocked_by is not text"),
        ({"blocked_by": ""}, "/blocked_by is not SITE/TARGET/KIND[/KEY]"),
        ({"declared_at": []}, "/declared_at is not an object"),
        ({"declared_at": {**PLACE, "line": "1"}}, "/declared_at/line is not a whole number"),
        ({"declared_at": {**PLACE, "line": True}}, "/declared_at/line is not a whole number"),
        ({"declared_at": {**PLACE, "column": 10**400}}, "/declared_at/column is not from 1 to"),
        ({"fields": {}}, "/fields is not a list"),
        ({"field": {"forces_replacement": "no"}}, "/forces_replacement is not true or false"),
        ({"field": {"after": [["a"]]}}, "/after/0 is not text"),
        ({"field": {"after": [1]}}, "/after/0 is not text"),
        ({"field": {"after": {"sensitive": "true"}}}, "/after is not a value of a plan"),
        ({"field": {"after": {"unknown": 1}}}, "/after/unknown is not text"),
        ({"field": {"after": 10**400}}, "/after is too large a number"),
        ({"field": {"after": float("inf")}}, "/after is not a finite number"),
        ({"field": {"name": None}}, "/name is not text"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else None,
)
def test_nothing_is_converted(values: dict[str, Any], words: str) -> None:
    with pytest.raises(PlanError) as caught:
        from_json(one_change(**values))
    assert words in caught.value.summary
    assert "/ivn/sites/0/changes/0" in caught.value.summary
    assert caught.value.next_step


@pytest.mark.parametrize("unchanged", [True, "1", 1.0, -1, float("inf"), 10**400, None])
def test_a_count_is_a_whole_number(unchanged: object) -> None:
    plan = one_change()
    plan["ivn"]["sites"][0]["unchanged"] = unchanged
    with pytest.raises(PlanError, match="/ivn/sites/0/unchanged"):
        from_json(plan)


@pytest.mark.parametrize(
    "version", [2, True, 1.0, "1", None, {"a": "x" * 10_000}, 10**400, "\x1b[2J" * 50], ids=lambda _: ""
)
def test_another_version_is_named_briefly(version: object) -> None:
    plan = one_change()
    plan["ivn"]["version"] = version
    with pytest.raises(PlanError) as caught:
        from_json(plan)
    assert "this tool reads 1.2/1" in caught.value.summary
    assert len(caught.value.summary) < 120
    assert caught.value.summary.isprintable()


def damage(node: Any, data: st.DataObject) -> None:
    """Replace or remove one node somewhere below."""
    if isinstance(node, dict) and node:
        key = data.draw(st.sampled_from(sorted(node)))
        if isinstance(node[key], (dict, list)) and node[key] and data.draw(st.booleans()):
            damage(node[key], data)
        elif data.draw(st.booleans()):
            del node[key]
        else:
            node[key] = data.draw(JSON)
    elif isinstance(node, list) and node:
        index = data.draw(st.integers(0, len(node) - 1))
        if isinstance(node[index], (dict, list)) and data.draw(st.booleans()):
            damage(node[index], data)
        else:
            node[index] = data.draw(JSON)
