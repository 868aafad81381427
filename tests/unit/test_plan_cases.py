"""Declared + live -> plan, as data: `tests/cases/plan/<name>/{site.yml, live.yml, expected.txt}`.

`live.yml` lists what drivers would have read; run with IVN_UPDATE=1 to rewrite the expected texts, then read
the difference.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ivn_provision.drivers.portal.driver import PRODUCT, VERSION
from ivn_provision.drivers.xprotect_e.layout_set import Layouts
from ivn_provision.model.desired import desired_of
from ivn_provision.model.live import Ability, Capabilities, Capability, Facts, Live
from ivn_provision.model.resource import UNSET, Address, LiveRef, Resource, Value
from ivn_provision.plan.build import Reading, build_plan
from ivn_provision.plan.plan import SitePlan
from ivn_provision.report.paint import Paint
from ivn_provision.report.plan_text import render
from ivn_provision.run.planning import with_secrets
from ivn_provision.secret import Fingerprint, Secret, SecretRef
from ivn_provision.spec.fleet import find_site
from ivn_provision.spec.ruleset import NO_RULES

CASES = Path(__file__).resolve().parents[1] / "cases" / "plan"
NAMES = sorted(path.name for path in CASES.iterdir() if path.is_dir())


def plan_of(folder: Path) -> SitePlan:
    site = find_site(folder, "site", rules=NO_RULES)
    readings = readings_of(yaml.safe_load((folder / "live.yml").read_text(encoding="utf-8")))
    desired = with_secrets(desired_of(site), readings, lambda ref: Secret("s3cret-value", ref))
    return build_plan(desired, readings)


def readings_of(data: Mapping[str, Any]) -> dict[str, Reading]:
    layout = Layouts.packaged().choose("XProtect Professional 2014", "8.6a", lab=True)
    assert layout is not None
    portal = Capabilities({}, default=Capability(Ability.MANAGED, evidence="proposed"))
    facts = {
        "nvr": Facts("XProtect Professional 2014", "8.6a", layout.capabilities()),
        "portal": Facts(PRODUCT, VERSION, portal),
    }
    found = {}
    for target, objects in data["targets"].items():
        resources = tuple(resource_of(target, each) for each in objects)
        live = Live(resources, data.get("computed", {}) if target == "portal" else {})
        found[target] = Reading(facts[target], live, f"{target}.example")
    return found


def resource_of(target: str, data: Mapping[str, Any]) -> Resource:
    return Resource(
        Address("site", target, data["kind"], str(data.get("key", ""))),
        {name: value_of(value) for name, value in data["fields"].items()},
        handle=str(data.get("handle", "")),
        digest="digest",
        owned=data.get("owned", True),
        title=data.get("title", ""),
    )


def value_of(value: Any) -> Value:
    if isinstance(value, dict):
        if "ref" in value:
            return LiveRef(value["ref"], with_kind=value.get("with_kind", False))
        return Fingerprint("salt", value["fingerprint"])
    if isinstance(value, list):
        return tuple(value)
    return UNSET if value is None else value


@pytest.mark.parametrize("name", NAMES)
def test_case(name: str) -> None:
    text = render((plan_of(CASES / name),), Paint(on=False)) + "\n"
    expected = CASES / name / "expected.txt"
    if os.environ.get("IVN_UPDATE"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_no_case_shows_a_secret(name: str) -> None:
    plan = plan_of(CASES / name)
    assert "s3cret-value" not in render((plan,), Paint(on=True))
    assert "s3cret-value" not in repr(plan)


def test_there_are_cases() -> None:
    assert len(NAMES) >= 10
    assert SecretRef("env", "X").name == "X"
