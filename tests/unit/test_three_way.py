"""Three-way drift: what was changed by hand, what is not applied yet, and what nobody can say."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ivn_provision.model.desired import Desired, desired_of
from ivn_provision.model.live import Ability, Capabilities, Capability, Facts, Live
from ivn_provision.model.resource import UNSET, Address, Resource, Value
from ivn_provision.plan.build import Reading, build_plan
from ivn_provision.plan.plan import Action, Cause, Change, FieldChange, SitePlan
from ivn_provision.plan.plan_json import from_json, to_json
from ivn_provision.plan.three_way import Declared, is_drift, with_causes
from ivn_provision.report.paint import Paint
from ivn_provision.report.plan_text import render
from ivn_provision.run.fleet.bases import applied
from ivn_provision.run.journal import RunSummary
from ivn_provision.secret import Fingerprint, Secret, SecretRef
from ivn_provision.spec.site import GenericEvent, Nvr, Places, Site
from ivn_provision.spec.values import Computed
from tests.support.doc_pages import ROOT
from tests.support.sites import connect

ROWS: list[dict[str, Any]] = yaml.safe_load((ROOT / "tests/cases/three-way/table.yml").read_text("utf-8"))
ADDRESS = Address("s", "nvr", "generic_event", "2")
FACTS = Facts("lab", "1", Capabilities({}, default=Capability(Ability.MANAGED)))


def declared(what: object) -> Desired | None:
    if what == "no-site":
        return None
    event = GenericEvent(2, True, what is True, "match", "2 S", "/generic_events/0")
    events = None if what == "unmanaged" else () if what == "absent" else (event,)
    nvr = Nvr("xprotect-professional-2014", connect())
    return desired_of(Site("s", "s.yml", Places({}, "s.yml"), nvr=nvr, generic_events=events))


def live(what: object) -> tuple[Resource, ...]:
    if what == "absent":
        return ()
    whole = declared(what)
    assert whole is not None
    return (replace(whole.resources[ADDRESS], handle="{1}", digest="d"),)


def judged(base: Desired | None, head: Desired, seen: tuple[Resource, ...], **more: Any) -> SitePlan:
    plan = build_plan(head, {"nvr": Reading(FACTS, Live(seen, {}), "lab")})
    options = {"resolve": lambda _: None, "same_reference": lambda one, other: one == other, **more}
    return with_causes(plan, Declared(base, head, **options))


@pytest.mark.parametrize("row", ROWS, ids=[f"{r['base']}-{r['head']}-{r['live']}" for r in ROWS])
def test_the_truth_table(row: dict[str, Any]) -> None:
    head = declared(row["head"])
    assert head is not None
    plan = judged(declared(row["base"]), head, live(row["live"]))
    assert [each.cause.value for each in plan.changes] == ([] if row["cause"] == "none" else [row["cause"]])
    assert is_drift(plan) == (row["cause"] in {"by hand", "both"})


_LABEL = st.sampled_from(["a", "b", "c", "d"])


def pin(fields: dict[str, str]) -> Resource:
    return Resource(Address("s", "portal", "pin", "2S"), fields, handle="h", digest="d")


@settings(deadline=None)
@given(st.data())
def test_every_field_has_the_cause_of_its_three_values(data: st.DataObject) -> None:
    base, head, seen = (
        data.draw(st.fixed_dictionaries({"event_type": _LABEL, "label": _LABEL})) for _ in range(3)
    )
    resource = pin(head)
    wanted = Desired("s", {resource.address: resource}, frozenset())
    was = Desired("s", {resource.address: pin(base)}, frozenset())
    plan = build_plan(wanted, {"portal": Reading(FACTS, Live((pin(seen),), {}), "lab")})
    plan = with_causes(plan, Declared(was, wanted, lambda _: None, lambda one, other: one == other))
    found = {field.name: field.cause for change in plan.changes for field in change.fields}
    expected = {
        name: Cause.BY_HAND
        if base[name] == head[name]
        else Cause.NOT_APPLIED
        if base[name] == seen[name]
        else Cause.BOTH
        for name in head
        if head[name] != seen[name]
    }
    assert found == expected
    assert is_drift(plan) == any(each is not Cause.NOT_APPLIED for each in expected.values())


DEVICE = Address("s", "portal", "device", "recorder")
OLD, NEW = SecretRef("env", "OLD"), SecretRef("env", "NEW")
SALTED = Fingerprint("salt", hmac.new(b"salt", b"old", hashlib.sha256).hexdigest())


def password(now: SecretRef, was: SecretRef, known: Secret | None) -> Cause:
    change = Change(DEVICE, Action.UPDATE, (FieldChange("password", SALTED, Secret("x", now)),))
    base, head = (
        Desired("s", {DEVICE: Resource(DEVICE, {"password": each})}, frozenset()) for each in (was, now)
    )
    plan = SitePlan("s", (change,))
    seen = with_causes(plan, Declared(base, head, lambda _: known, lambda one, other: one == other))
    return seen.changes[0].cause


def test_passwords_are_compared_by_reference_and_fingerprint_only() -> None:
    assert password(OLD, OLD, None) is Cause.BY_HAND
    assert password(NEW, OLD, None) is Cause.UNKNOWN
    assert password(NEW, OLD, Secret("old", OLD)) is Cause.NOT_APPLIED
    assert password(NEW, OLD, Secret("another", OLD)) is Cause.BOTH
    assert Cause.UNKNOWN.is_drift


def test_what_the_portal_generates_is_compared_as_it_is() -> None:
    address = Address("s", "nvr", "mail_server", "")
    generated = Computed("portal.smtp_account_id")
    head = Resource(address, {"sender": generated, "host": "new"})
    base = Resource(address, {"sender": "old@x", "host": "old"})
    fields = (FieldChange("sender", "old@x", "gen@x"), FieldChange("host", "other", "new"))
    plan = SitePlan(
        "s",
        (Change(address, Action.UPDATE, fields),),
        desired={address: {"sender": "gen@x", "host": "new"}},
    )
    both = [Desired("s", {address: each}, frozenset()) for each in (base, head)]
    seen = with_causes(plan, Declared(both[0], both[1], lambda _: None, lambda one, other: one == other))
    assert [each.cause for each in seen.changes[0].fields] == [Cause.NOT_APPLIED, Cause.BOTH]
    assert seen.changes[0].cause is Cause.BOTH


def test_causes_are_shown_and_survive_a_plan_file() -> None:
    head = declared(True)
    assert head is not None
    plan = judged(declared(True), head, live(False))
    assert from_json(to_json((plan,), timestamp="2026-01-01T00:00:00Z"))[0].changes[0].cause is Cause.BY_HAND
    text = render((plan,), Paint(on=False), drift=True)
    assert "# s/nvr/generic_event/2 differs: changed by hand" in text
    assert "Drift on 1 of 1 site(s): 1 changed by hand; 0 to add, 1 to change" in text


def run(name: str, standing: str, **more: Any) -> RunSummary:
    options = {"command": "apply", "revision": name, **more}
    return RunSummary(name, "2026-01-01T00:00:00Z", sites={"s": standing}, **options)


@pytest.mark.parametrize(
    ("runs", "revision"),
    [
        ([run("a1", "applied")], "a1"),
        ([run("a2", "unchanged"), run("a1", "applied")], "a2"),
        ([run("a2", "refused"), run("a1", "applied")], "a1"),
        ([run("a2", "failed"), run("a1", "applied")], ""),
        ([run("a2", "reverted"), run("a1", "applied")], ""),
        ([run("a2", "pending"), run("a1", "applied")], ""),
        ([run("a2", "applied", dirty=True), run("a1", "applied")], ""),
        ([run("a2", "applied", partial=True), run("a1", "applied")], ""),
        ([run("a2", "applied", command="rollback --to last^"), run("a1", "applied")], ""),
        ([], None),
    ],
)
def test_the_revision_of_the_last_apply(runs: list[RunSummary], revision: str | None) -> None:
    assert applied(tuple(runs)).get("s") == revision


def test_an_unset_field_is_no_declaration() -> None:
    fields = (FieldChange("label", "x", UNSET),)
    address = Address("s", "portal", "pin", "2S")
    plan = SitePlan("s", (Change(address, Action.UPDATE, fields),))
    was, now = Resource(address, {"label": "x"}), Resource(address, {"label": UNSET})
    both = [Desired("s", {address: each}, frozenset()) for each in (was, now)]
    seen = with_causes(plan, Declared(both[0], both[1], lambda _: None, lambda one, other: one == other))
    assert seen.changes[0].cause is Cause.NOT_APPLIED


def camera(number: int, address: str, name: str) -> Resource:
    fields: dict[str, Value] = {"name": name, "hardware.address": address, "hardware.channel": 1}
    return Resource(Address("s", "nvr", "camera", str(number)), fields, handle="{c}", digest="d")


@pytest.mark.parametrize(
    ("base", "head", "seen", "cause"),
    [
        ((10, "a", "10 Lobby"), (11, "a", "11 Lobby"), (10, "a", "10 Lobby"), Cause.NOT_APPLIED),
        ((10, "a", "10 Lobby"), (11, "a", "11 Lobby"), (10, "a", "10 Hall"), Cause.BOTH),
        ((10, "a", "Lobby"), (11, "a", "Lobby"), (10, "a", "Hall"), Cause.BY_HAND),
        ((10, "a", "10 Lobby"), (10, "b", "10 Lobby"), (99, "a", "10 Lobby"), Cause.NOT_APPLIED),
    ],
    ids=[
        "renumbered",
        "renumbered, and renamed by hand",
        "only renamed by hand",
        "another camera of that number",
    ],
)
def test_a_camera_is_known_by_its_hardware(
    base: tuple[int, str, str], head: tuple[int, str, str], seen: tuple[int, str, str], cause: Cause
) -> None:
    was, wanted = (Desired("s", {each.address: each}, frozenset()) for each in (camera(*base), camera(*head)))
    (change,) = judged(was, wanted, (camera(*seen),)).changes
    assert change.cause is cause


def test_a_journal_that_cannot_be_read_may_be_the_last_of_any_site() -> None:
    runs = (
        RunSummary("3", command="apply", revision="c", sites={"one": "applied"}),
        RunSummary("2", error="damaged"),
        RunSummary("1", command="apply", revision="a", sites={"one": "applied", "two": "applied"}),
    )
    assert applied(runs) == {"one": "c"}
