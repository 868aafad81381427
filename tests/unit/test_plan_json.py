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
