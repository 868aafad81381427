"""Saved plans: applied once, unchanged, in time, and only if everything is as it was planned from."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivn_provision.cli.plan import command
from ivn_provision.errors import PlanError, StalePlan, StateError, UsageProblem
from ivn_provision.model.resource import UNSET, Address, Value
from ivn_provision.plan.plan import Action, Change, SitePlan
from ivn_provision.report.paint import Paint
from ivn_provision.report.plan_text import render
from ivn_provision.report.saved_plan_text import render_about
from ivn_provision.run.plan_about import about_of, is_used
from ivn_provision.run.saved_plan import (
    SavedPlan,
    check_fresh,
    load_plan,
    save_plan,
    spec_digest,
    use,
)
from ivn_provision.run.state import StateFolder
from ivn_provision.secret import Fingerprint
from ivn_provision.spec.fleet import find_site
from ivn_provision.spec.ruleset import NO_RULES
from ivn_provision.spec.site import Site
from tests.unit.test_plan_cases import CASES, NAMES, plan_of

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
CASE = "event-on-another-input-is-replaced"
CAMERA = Address("site", "nvr", "camera", "10")


def site_of(name: str) -> Site:
    return find_site(CASES / name, "site", rules=NO_RULES)


def document(state: StateFolder, name: str = CASE, **options: Any) -> dict[str, Any]:
    plan = options.pop("plan", None) or plan_of(CASES / name)
    written = save_plan(
        state, [plan], sites=[site_of(name)], now=NOW, valid_seconds=3600, revision="ab" * 20, **options
    )
    data: dict[str, Any] = json.loads(json.dumps(written, indent=2))
    return data


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    return StateFolder(tmp_path / ".ivn")


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_plan_is_taken_and_fresh(name: str, state: StateFolder) -> None:
    plan = plan_of(CASES / name)
    saved = load_plan(state, document(state, name), now=NOW + timedelta(minutes=59))
    assert saved.about.revision == "ab" * 20
    assert render(saved.plans, Paint(on=False)) == render((plan,), Paint(on=False))
    check_fresh(saved, site_of(name), plan)


@pytest.mark.parametrize("name", NAMES)
def test_no_secret_is_in_it(name: str, state: StateFolder) -> None:
    text = json.dumps(document(state, name))
    assert "s3cret-value" not in text
    assert '"fingerprint"' not in text
    assert state.key().decode() not in text


def stale(action: Callable[[], object]) -> StalePlan:
    with pytest.raises(StalePlan) as caught:
        action()
    assert caught.value.next_step
    return caught.value


def test_an_expired_plan_is_refused(state: StateFolder) -> None:
    data = document(state)
    error = stale(lambda: load_plan(state, data, now=NOW + timedelta(hours=1)))
    assert "expired at 2026-11-24T03:00:00Z" in error.summary


def test_a_plan_is_used_once(state: StateFolder) -> None:
    data = document(state)
    saved = load_plan(state, data, now=NOW)
    use(state, saved)
    assert is_used(state, saved.id)
    assert "applied already" in stale(lambda: use(state, saved)).summary
    assert "applied already" in stale(lambda: load_plan(state, data, now=NOW)).summary
    mark = state.path / "plans" / f"{saved.id}.used"
    assert stat.S_IMODE(mark.stat().st_mode) == 0o600
    assert stat.S_IMODE(mark.parent.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_mark_that_cannot_be_made_stops_the_apply(state: StateFolder) -> None:
    saved = load_plan(state, document(state), now=NOW)
    state.folder("plans").chmod(0o500)
    with pytest.raises(StateError):
        use(state, saved)


def test_a_mark_that_cannot_be_written_stops_the_apply(state: StateFolder) -> None:
    saved = load_plan(state, document(state), now=NOW)
    (state.path / "plans").write_text("in the way", encoding="utf-8")
    with pytest.raises(StateError):
        use(state, saved)


def test_a_plan_of_another_key_is_foreign(state: StateFolder, tmp_path: Path) -> None:
    data = document(StateFolder(tmp_path / "elsewhere"))
    error = stale(lambda: load_plan(state, data, now=NOW))
    assert "another key" in error.summary
    assert "IVN_PROVISION_KEY" in error.next_step


def test_machines_that_share_a_key_share_plans(tmp_path: Path) -> None:
    one, two = (StateFolder(tmp_path / name, b"k" * 64) for name in ("one", "two"))
    assert load_plan(two, document(one), now=NOW).plans


def test_a_plan_of_another_version_is_refused(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivn_provision.plan.plan_json.__version__", "0.0.9")
    data = document(state)
    assert "made by version 0.0.9" in stale(lambda: load_plan(state, data, now=NOW)).summary


def test_a_printed_plan_cannot_be_applied(state: StateFolder) -> None:
    data = document(state)
    del data["ivn"]["saved"]
    assert "only printed" in stale(lambda: load_plan(state, data, now=NOW)).summary


def test_an_incomplete_plan_cannot_be_applied(state: StateFolder) -> None:
    data = document(state, errors={"other": "no connection"})
    assert "other could not be planned" in stale(lambda: load_plan(state, data, now=NOW)).summary


@pytest.mark.parametrize("data", [None, [], {}, {"ivn": 1}, {"ivn": {}}, {"ivn": {"saved": {}}}, "x", 1])
def test_what_is_no_plan_is_refused(data: object, state: StateFolder) -> None:
    with pytest.raises(PlanError):
        load_plan(state, data, now=NOW)


EDITS: Mapping[str, Callable[[dict[str, Any]], Any]] = {
    "expiry": lambda data: data["ivn"]["saved"].update(expires="2036-11-24T03:00:00Z"),
    "id": lambda data: data["ivn"]["saved"].update(id="plan-20261124T020000Z-00000000"),
    "value": lambda data: data["ivn"]["sites"][0]["changes"][0]["fields"][0].update(after="x"),
    "removed change": lambda data: data["ivn"]["sites"][0]["changes"].clear(),
    "removed site": lambda data: data["ivn"]["sites"].clear(),
    "what Terraform's readers see": lambda data: data["resource_changes"].clear(),
    "live": lambda data: data["ivn"]["saved"]["live"].clear(),
    "digest of the site file": lambda data: data["ivn"]["saved"]["spec"].update(site="0" * 64),
    "targets": lambda data: data["ivn"]["saved"]["targets"].append("nvr/*"),
    "new member": lambda data: data.update(note="hello"),
    "no seal": lambda data: data["ivn"].pop("seal"),
    "seal of another type": lambda data: data["ivn"].update(seal=None),
    "seal that is no hex": lambda data: data["ivn"].update(seal="\u00e9"),
    "version": lambda data: data["ivn"].update(tool_version="0.1.1"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_plan_is_refused(edit: str, state: StateFolder) -> None:
    data = document(state)
    EDITS[edit](data)
    assert "was edited" in stale(lambda: load_plan(state, data, now=NOW)).summary


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_edit_is_refused(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    state = StateFolder(tmp_path_factory.getbasetemp() / "one-key")
    plan = document(state)
    change_something(plan, data)
    with pytest.raises(PlanError):
        load_plan(state, plan, now=NOW)


def change_something(node: Any, data: st.DataObject) -> None:
    """One value anywhere becomes another one, or goes."""
    keys = sorted(node) if isinstance(node, dict) else range(len(node))
    key = data.draw(st.sampled_from(list(keys)))
    inner = node[key]
    if isinstance(inner, (dict, list)) and inner and data.draw(st.booleans()):
        change_something(inner, data)
    elif data.draw(st.booleans()):
        del node[key]
    else:
        others = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
        node[key] = data.draw(others.filter(lambda each: each != inner or type(each) is not type(inner)))


def test_new_blanks_are_no_edit(state: StateFolder) -> None:
    data = json.loads(json.dumps(document(state), sort_keys=True))
    assert load_plan(state, data, now=NOW).plans


def with_live(plan: SitePlan, address: Address, digest: str, **fields: Value) -> SitePlan:
    """The plan as if that object had been found otherwise."""
    live = {**plan.live, address: {**plan.live.get(address, {}), **fields}}
    return replace(plan, live=live, digests={**plan.digests, address: digest})


def refused(saved: SavedPlan, now: SitePlan, name: str = CASE) -> str:
    return stale(lambda: check_fresh(saved, site_of(name), now)).summary


def test_what_a_person_changed_since_is_named_with_both_values(state: StateFolder) -> None:
    plan = with_live(plan_of(CASES / CASE), CAMERA, "one", **{"video.codec": "h264"})
    saved = load_plan(state, document(state, plan=plan), now=NOW)
    now = with_live(plan, CAMERA, "two", **{"video.codec": "mjpeg"})
    text = refused(saved, now)
    assert 'site/nvr/camera/10 was changed: video.codec was "h264", and is "mjpeg" now' in text
    assert "nothing was written" in text


def test_a_field_that_came_is_named(state: StateFolder) -> None:
    plan = with_live(plan_of(CASES / CASE), CAMERA, "one", label=UNSET)
    saved = load_plan(state, document(state, plan=plan), now=NOW)
    assert 'label was (not set), and is "x" now' in refused(saved, with_live(plan, CAMERA, "two", label="x"))


def test_a_changed_secret_is_said_and_not_shown(state: StateFolder) -> None:
    plan = with_live(plan_of(CASES / CASE), CAMERA, "one", password=Fingerprint("salt", "a" * 64))
    saved = load_plan(state, document(state, plan=plan), now=NOW)
    text = refused(saved, with_live(plan, CAMERA, "two", password=Fingerprint("salt", "b" * 64)))
    assert "changed in what is not shown: password" in text
    assert "aaaa" not in text
    assert "bbbb" not in text


def test_an_object_that_is_gone_is_named(state: StateFolder) -> None:
    plan = plan_of(CASES / CASE)
    saved = load_plan(state, document(state), now=NOW)
    address = next(iter(each.address for each in plan.changes if each.action is not Action.CREATE))
    digests = {each: digest for each, digest in plan.digests.items() if each != address}
    assert f"{address} is gone" in refused(saved, replace(plan, digests=digests))


def test_an_object_that_came_is_named(state: StateFolder) -> None:
    plan = plan_of(CASES / CASE)
    (address,) = {each.address for each in plan.changes}
    digests = {each: digest for each, digest in plan.digests.items() if each != address}
    saved = load_plan(state, document(state, plan=replace(plan, digests=digests)), now=NOW)
    assert f"{address} is there now, and was not" in refused(saved, plan)


def test_a_new_difference_is_named(state: StateFolder) -> None:
    plan = plan_of(CASES / CASE)
    saved = load_plan(state, document(state, plan=replace(plan, changes=())), now=NOW)
    assert "needs another change now: replace by the tool" in refused(saved, plan)


def test_a_difference_that_is_gone_is_named(state: StateFolder) -> None:
    plan = plan_of(CASES / CASE)
    saved = load_plan(state, document(state), now=NOW)
    assert "does not need this change any more" in refused(saved, replace(plan, changes=()))


def test_another_intent_is_named(state: StateFolder) -> None:
    plan = plan_of(CASES / CASE)
    saved = load_plan(state, document(state), now=NOW)
    (change,) = plan.changes
    fields = tuple(replace(each, after="other") for each in change.fields)
    assert "would be changed otherwise now" in refused(
        saved, replace(plan, changes=(replace(change, fields=fields),))
    )


def test_another_recorder_is_named(state: StateFolder) -> None:
    plan = plan_of(CASES / CASE)
    saved = load_plan(state, document(state), now=NOW)
    facts = tuple(replace(each, version="9.0a") for each in plan.facts)
    text = refused(saved, replace(plan, facts=facts))
    assert "site/nvr was XProtect Professional 2014 8.6a, and is XProtect Professional 2014 9.0a now" in text


def test_a_changed_site_file_is_named(state: StateFolder) -> None:
    saved = load_plan(state, document(state), now=NOW)
    site = site_of(CASE)
    assert site.cameras
    other = replace(site, cameras=(replace(site.cameras[0], label="Elsewhere"), *site.cameras[1:]))
    error = stale(lambda: check_fresh(saved, other, plan_of(CASES / CASE)))
    assert "declared otherwise in the site files" in error.summary
    assert error.where.endswith("site.yml")


def test_a_site_that_is_not_in_the_plan_is_refused(state: StateFolder) -> None:
    saved = load_plan(state, document(state), now=NOW)
    other = replace(site_of(CASE), name="other")
    assert "other was added" in stale(lambda: check_fresh(saved, other, plan_of(CASES / CASE))).summary


def test_what_moves_by_itself_makes_no_plan_stale(state: StateFolder) -> None:
    clock = Address("site", "nvr", "windows")
    plan = with_live(plan_of(CASES / CASE), clock, "one", clock_offset_seconds=0.2)
    plan = replace(plan, desired={**plan.desired, clock: {"clock_offset_seconds": 5}})
    saved = load_plan(state, document(state, plan=plan), now=NOW)
    check_fresh(saved, site_of(CASE), with_live(plan, clock, "two", clock_offset_seconds=0.3))


def test_a_selected_plan_is_compared_with_the_same_selection(state: StateFolder) -> None:
    plan = plan_of(CASES / CASE)
    extra = Change(Address("site", "nvr", "camera", "99"), Action.CREATE, ())
    whole = replace(plan, changes=(*plan.changes, extra))
    chosen = document(state, plan=plan, excludes=["nvr/camera/99"])
    saved = load_plan(state, chosen, now=NOW)
    check_fresh(saved, site_of(CASE), whole)


def test_the_digest_of_a_site_is_of_what_it_declares() -> None:
    site = site_of(CASE)
    same = replace(site, description=site.description, labels={"a": "b"}, attestation_days=3)
    assert spec_digest(site) == spec_digest(same)
    assert site.nvr is not None
    elsewhere = replace(site, nvr=replace(site.nvr, connect=replace(site.nvr.connect, host="192.0.2.9")))
    assert spec_digest(site) != spec_digest(elsewhere)
    assert spec_digest(site) != spec_digest(replace(site, hardware_events=None))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--valid-for", "1h"], "--valid-for needs --out"),
        (["-o", "p", "--valid-for", "x"], "not a duration"),
        (["-o", "p", "--valid-for", "5s"], "not a duration"),
    ],
)
def test_validity_goes_with_a_file_and_is_a_duration(options: list[str], words: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        command.main(options, standalone_mode=False)
    assert words in caught.value.summary


def test_what_a_plan_says_of_itself_drives_no_terminal(state: StateFolder) -> None:
    about = about_of(document(state))
    assert about is not None
    hostile = "\x1b[2J\u202e"
    text = render_about(replace(about, revision=hostile, tool_version=hostile))
    assert all(line.isprintable() for line in text.split("\n"))
