"""The axis driver over real sockets: what breaks in between is mended by the next apply, and nothing else is touched."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from lxml import etree

from ivn_provision.drivers.axis import device_write
from ivn_provision.errors import Conflict, IvnError, PartlyApplied, Refused
from ivn_provision.lab.camera.book import Rule
from ivn_provision.lab.camera.soap import ACTION, Fault
from ivn_provision.plan.plan import Action, Standing, Unverified, Work
from tests.support.axis_driver import (
    PROFILES,
    SITE,
    TARGET,
    apply,
    camera_of,
    camera_world,
    live,
    ours,
    plan,
    plan_with,
    reader,
    writer,
)
from tests.support.world import World

GUARD = """\
      users: [{name: guard, role: operator, password: !secret "file:../lab/secrets/lab-0001-ivnview"}]
"""
PORTS = "      io_ports: [{port: 1, name: Door}]\n"
RULE = "ivn-provision: Input 1"


def settled(world: World) -> None:
    """The camera is as declared: one rule, one configuration, one recipient of ours, and nothing to do."""
    assert plan(world).changes == ()
    found = ours(world)
    assert found["rules"] == [RULE]
    assert [len(each) for each in found.values()] == [1, 1, 1]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "fault",
    [
        *(f"{name}={number}" for name in ("lose-write", "cut-after-writes") for number in range(1, 5)),
        *("cut-before-rule", "cut-after-rule", "cut-before-remove", "http-401-after-writes=1"),
    ],
)
def test_an_apply_that_broke_is_mended_by_the_next(tmp_path: Path, profile: str, fault: str) -> None:
    with camera_world(tmp_path, profile) as world:
        camera = camera_of(world)
        apply(world)
        settled(world)
        world.edit(SITE, "input 1 is active", "input 1 was opened")
        world.edit(SITE, "Guard desk, addresses: [guard@", "Guard desk, addresses: [night@")
        camera.fault(fault)
        with pytest.raises(IvnError) as broken:
            apply(world)
        assert broken.value.next_step
        camera.fault(fault, on=False)
        assert RULE in ours(world)["rules"], "the alarm was never without a rule"
        apply(world)
        settled(world)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_second_apply_writes_nothing_and_reads_six_times(tmp_path: Path, profile: str) -> None:
    with camera_world(tmp_path, profile, GUARD + PORTS) as world:
        camera = camera_of(world)
        apply(world)
        before, asked = camera.counters.writes, camera.counters.by_path.total()
        driver = writer(world)
        planned = plan_with(world, driver)
        driver.close()
        assert planned.changes == ()
        assert camera.counters.writes == before
        assert camera.counters.by_path.total() == asked + 6


@pytest.mark.parametrize("profile", PROFILES)
def test_orphans_and_copies_go_and_others_stay(tmp_path: Path, profile: str) -> None:
    with camera_world(tmp_path, profile) as world:
        camera = camera_of(world)
        camera.tamper("rule", "By hand", {"input": "1"})
        apply(world)
        (rule,) = [each for each in camera.book.rules.values() if each.name == RULE]
        configuration = camera.book.configurations[rule.action]
        camera.book.add_configuration(
            "ivn-provision: Left", configuration.template, dict(configuration.parameters)
        )
        other = camera.book.add_configuration(
            configuration.name, configuration.template, dict(configuration.parameters)
        )
        camera.book.add_rule(
            lambda number: Rule(number, RULE, True, rule.start, rule.conditions, "", other.id)
        )
        before = {each.title for each in live(world) if not each.owned}
        assert [each.action for each in plan(world).changes] == [Action.DELETE, Action.DELETE]
        apply(world)
        settled(world)
        assert {each.title for each in live(world) if not each.owned} == before >= {"By hand"}
        (left,) = [each for each in camera.book.rules.values() if each.name == RULE]
        assert left.id > rule.id, "of two rules of one name the newer stays"


def test_a_configuration_that_another_rule_uses_stays(tmp_path: Path) -> None:
    with camera_world(tmp_path, "12.9") as world:
        camera = camera_of(world)
        apply(world)
        (rule,) = [each for each in camera.book.rules.values() if each.name == RULE]
        camera.tamper("rule", "By hand", {"input": "1", "action": str(rule.action)})
        world.edit(SITE, "input 1 is active", "input 1 was opened")
        outcomes = apply(world)
        assert any("stays: another rule uses it" in each.detail for each in outcomes)
        assert rule.action in camera.book.configurations
        assert plan(world).changes == ()


def test_a_mail_page_that_was_written_before_it_broke_is_said(tmp_path: Path) -> None:
    with camera_world(tmp_path, "5.50") as world:
        apply(world)
        world.edit(SITE, "sender: camera-10@", "sender: other@")
        camera = camera_of(world)
        camera.fault("http-401-after-writes=1")
        with pytest.raises(PartlyApplied, match="the camera's mail page was written"):
            apply(world)
        camera.fault("http-401-after-writes=1", on=False)
        apply(world)
        settled(world)


def test_at_256_rules_the_old_one_goes_first_and_that_is_said(tmp_path: Path) -> None:
    with camera_world(tmp_path, "12.9") as world:
        camera = camera_of(world)
        apply(world)
        (rule,) = [each for each in camera.book.rules.values() if each.name == RULE]
        while len(camera.book.rules) < 256:
            camera.book.add_rule(lambda number: Rule(number, f"Full {number}", False, rule.start, (), "", 1))
        world.edit(SITE, "input 1 is active", "input 1 was opened")
        outcomes = apply(world)
        assert any("no room for a second rule (256)" in each.detail for each in outcomes)
        assert len(camera.book.rules) == 256
        settled(world)
        world.edit(SITE, "- name: Input 1", "- name: Another")
        driver = writer(world)
        planned = plan_with(world, driver)
        with pytest.raises(Refused, match="no room for another"):
            driver.check(planned.workable)
        driver.close()


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        ("input: 3", "no digital input 3"),
        ("virtual_input: 64", "no virtual input 64"),
        ("virtual_input: 2", ""),
    ],
)
def test_an_input_that_is_not_there_is_refused_before_anything_is_written(
    tmp_path: Path, profile: str, trigger: str, words: str
) -> None:
    with camera_world(tmp_path, profile) as world:
        world.edit(SITE, "trigger: {input: 1", f"trigger: {{{trigger}")
        if profile != "5.50" and "64" in trigger:
            words = ""
        if words:
            with pytest.raises(Refused, match=words):
                apply(world)
            assert camera_of(world).counters.writes == 0
        else:
            apply(world)
            settled(world)


@pytest.mark.parametrize("profile", PROFILES)
def test_texts_come_back_as_they_were_declared(tmp_path: Path, profile: str) -> None:
    with camera_world(tmp_path, profile) as world:
        world.edit(
            SITE,
            '"%F %T: input 1 is active"',
            r'"<&> \"q\" ' "" + "'a'" + r''' 100%25 %De #n é\n]]> \t end"''',
        )
        world.edit(SITE, "name: Guard desk", "name: <Guard> & 'desk'")
        world.edit(SITE, "recipient: Guard desk", "recipient: <Guard> & 'desk'")
        apply(world)
        settled(world)


def test_a_new_mail_password_is_written_and_then_known(tmp_path: Path) -> None:
    with camera_world(tmp_path, "11.11") as world:
        apply(world)
        before = ours(world)
        secret = world.folder.parent / "lab" / "secrets" / f"{SITE}-smtp"
        secret.write_text("another & <one>\n", encoding="utf-8")
        changed = {(each.address.kind, field.name) for each in plan(world).changes for field in each.fields}
        assert changed == {("recipient", "smtp.password"), ("action_rule", "smtp.password")}
        apply(world)
        settled(world)
        assert ours(world)["configurations"] != before["configurations"]
        (rule,) = [each for each in camera_of(world).book.rules.values() if each.name == RULE]
        found = camera_of(world).book.configurations[rule.action]
        assert found.parameters["password"] == "another & <one>"
        driver = reader(world)
        shown = repr((driver.reading(), driver.read(), driver.probe(), plan(world), driver))
        driver.close()
        assert "another" not in shown
        assert quote("another & <one>") not in shown


@pytest.mark.parametrize("profile", ["5.50", "12.9"])
def test_an_earlier_state_without_a_password_gets_the_declared_one(tmp_path: Path, profile: str) -> None:
    """As `rollback` asks for it: no state that was read holds a password."""
    with camera_world(tmp_path, profile) as world:
        apply(world)
        world.edit(SITE, "input 1 is active", "input 1 was opened")
        driver = writer(world)
        planned = plan_with(world, driver)
        without = {
            address: {name: value for name, value in fields.items() if name != "smtp.password"}
            for address, fields in planned.desired.items()
        }
        driver.apply(Work(planned.workable, without, planned.references))
        driver.close()
        settled(world)


@pytest.mark.parametrize("profile", ["5.50", "12.9"])
def test_a_login_tells_whether_a_declared_password_is_right(tmp_path: Path, profile: str) -> None:
    with camera_world(tmp_path, profile, GUARD) as world:
        camera = camera_of(world)
        apply(world)
        driver = reader(world)
        (question,) = [
            each for each in plan_with(world, driver).unverified if each.address.kind == "axis_user"
        ]
        asked = camera.counters.requests
        (seen,) = driver.observe([question])
        assert (seen.confirmed, camera.counters.requests) == (True, asked + 1)
        settled_one = Unverified(question.address, question.name, "", standing=Standing.ATTESTED)
        assert driver.observe([settled_one]) == ()
        camera.tamper("user", "guard", {"password": "somethingelse"})
        for _ in range(3):
            (seen,) = driver.observe([question])
            assert not seen.confirmed
        assert camera.counters.authentication_failures == 1, "the same wrong password is tried once"
        driver.close()


def test_what_nobody_may_be_called_is_refused(tmp_path: Path) -> None:
    with camera_world(tmp_path, "12.9", GUARD) as world:
        driver = writer(world)
        changes = plan_with(world, driver).workable
        (user,) = [each for each in changes if each.address.kind == "axis_user"]
        for name, words in (
            ("root", "logs in with"),
            ("a-b", "cannot be the name"),
            ("a" * 15, "cannot be the name"),
        ):
            wrong = user.__class__(
                user.address._replace(key=name), user.action, user.fields, user.handle, user.digest
            )
            with pytest.raises(Refused, match=words):
                driver.check([wrong])
        driver.close()
        assert camera_of(world).counters.writes == 0


def test_what_changed_meanwhile_is_a_conflict_and_nothing_is_written(tmp_path: Path) -> None:
    with camera_world(tmp_path, "12.9") as world:
        camera = camera_of(world)
        driver = writer(world)
        planned = plan_with(world, driver)
        apply(world)
        before = camera.counters.writes
        with pytest.raises(Conflict):
            driver.apply(Work(planned.workable, planned.desired, planned.references))
        driver.close()
        assert camera.counters.writes == before


def test_events_of_the_older_kind_and_a_service_that_is_off(tmp_path: Path) -> None:
    with camera_world(tmp_path, "5.50") as world:
        camera = camera_of(world)
        known = camera.params.definitions["Properties.API.WebService.WebService"]
        camera.params.values["Properties.API.WebService.WebService"] = "no"
        driver = reader(world)
        facts, found = driver.probe(), plan_with(world, driver)
        driver.close()
        assert known
        assert any("action service is off" in each for each in facts.notes)
        assert any("never verified" in each for each in facts.notes)
        assert {each.address.kind for each in found.unverified} >= {"action_rule", "recipient"}
        assert not [each for each in found.changes if each.address.kind in {"action_rule", "recipient"}]
        assert camera.counters.soap.total() == 0


def test_a_value_that_is_kept_otherwise_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with camera_world(tmp_path, "5.50", PORTS) as world:
        monkeypatch.setattr(device_write, "port_pairs", lambda *_: [("IOPort.I0.Input.Name", "Other")])
        (outcome,) = [each for each in apply(world) if each.address.kind == "io_port"]
        assert outcome.detail == "the camera keeps name Other instead of Door"
        assert outcome.address.target == TARGET


@pytest.mark.parametrize("profile", ["5.50", "12.9"])
@pytest.mark.parametrize("operation", ["AddActionConfiguration", "AddRecipientConfiguration"])
def test_a_refusal_after_the_mail_page_says_what_was_written_and_no_password(
    tmp_path: Path, profile: str, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page of firmware 5.x is written first. A camera that repeats what it was given must not be quoted."""
    with camera_world(tmp_path, profile) as world:
        camera = camera_of(world)

        def refuse(asked: etree._Element) -> str:
            values = [str(each) for each in asked.xpath("//@Value")]  # type: ignore[union-attr]
            raise Fault(ACTION, "InvalidActionConfigurationFault", f"invalid: {' '.join(values)}")

        monkeypatch.setitem(camera.device.actions._writes, operation, refuse)
        with pytest.raises(IvnError) as broken:
            apply(world)
        error = broken.value
        assert isinstance(error, PartlyApplied) == (camera.counters.writes > 0)
        assert "invalid: " in error.summary
        assert ("the mail page was written" in error.summary) == (
            (profile, operation) == ("5.50", "AddRecipientConfiguration")
        )
        for secret in world.secrets:
            assert secret not in f"{error!r} {error.summary} {error.__cause__!r}"
