"""What Windows itself makes declarative, over the wire: plan shows it, apply repairs what is managed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ivn_provision.errors import LabError, PersonNeeded
from ivn_provision.lab.lab import Lab
from ivn_provision.lab.sites import generated_sites, with_store_b
from ivn_provision.plan.plan import Change
from ivn_provision.run.engine import SiteOutcome
from tests.support.world import World, own_addresses

SITE = "lab-0001"
RECORDING, IMAGE = "Milestone Recording Server", "Milestone Image Server"
OWN = {"ivn-provision local_port", "ivn-provision event_server_port"}
SECTION = """  windows:
    services: {recording_server: auto, image_server: auto, event_server: auto, log_check: manual}
    firewall: true
    listening: true
    max_clock_offset_seconds: 5
    time_source: time.windows.com
    min_free_gib: 20
    prerequisites: true
  services: {event_server_port"""


def declared(world: World) -> World:
    world.edit(SITE, "  services: {event_server_port", SECTION)
    return world


def only(outcomes: tuple[SiteOutcome, ...]) -> SiteOutcome:
    outcome = outcomes[0]
    assert outcome.error is None, outcome.error
    return outcome


def changes(outcome: SiteOutcome) -> dict[str, Change]:
    assert outcome.plan is not None
    kinds = {"windows_service", "firewall_rule", "listening_port", "windows"}
    return {
        f"{each.address.kind}/{each.address.key}": each
        for each in outcome.plan.changes
        if each.address.kind in kinds
    }


def fields(change: Change) -> dict[str, tuple[object, object]]:
    return {each.name: (each.before, each.after) for each in change.fields}


def notes(outcome: SiteOutcome) -> str:
    assert outcome.plan is not None
    return "\n".join(note for each in outcome.plan.facts for note in each.notes)


def test_a_healthy_machine_lacks_only_the_rules_of_ours_and_gets_them(world: World) -> None:
    planned = changes(only(declared(world).plan(SITE)))
    assert set(planned) == {
        "firewall_rule/local_port",
        "firewall_rule/event_server_port",
        "windows_service/log_check",
    }
    assert all(change.workable for change in planned.values())
    nvr = world.lab.nvr(SITE)
    before = nvr.counters.processes
    applied = only(world.apply(SITE))
    assert {each.status for each in applied.outcomes} == {"done"}
    assert applied.proof is not None
    assert applied.proof.is_empty
    assert nvr.counters.processes - before == 5, "read, hold, one write, proof, release"
    assert {each.name for each in nvr.windows.system.rules} >= OWN
    again = only(world.plan(SITE)).plan
    assert again is not None
    assert replace(again, facts=()) == replace(applied.proof, facts=())  # but for the lease, which is gone


def test_what_is_tampered_with_is_put_right_in_one_write_without_touching_files(world: World) -> None:
    only(declared(world).apply(SITE))
    lab, nvr = world.lab, world.lab.nvr(SITE)
    lab.tamper(SITE, "windows_service", RECORDING, {"start_mode": "disabled"})
    lab.tamper(SITE, "windows_service", RECORDING, {"state": "stopped"})
    lab.tamper(SITE, "windows_service", IMAGE, {"start_mode": "manual"})
    lab.tamper(SITE, "firewall_rule", "ivn-provision local_port", {"enabled": "false"})
    lab.remove(SITE, "firewall_rule", "ivn-provision event_server_port")
    outcome = only(world.plan(SITE))
    planned = changes(outcome)
    assert fields(planned["windows_service/recording_server"]) == {
        "start_mode": ("disabled", "auto"),
        "state": ("stopped", "running"),
    }
    assert fields(planned["windows_service/image_server"]) == {"start_mode": ("manual", "auto")}
    assert fields(planned["firewall_rule/local_port"]) == {"enabled": (False, True)}
    assert planned["firewall_rule/event_server_port"].action == "create"
    # nobody listens while the service is stopped: shown, and gone after the start
    assert planned["listening_port/event_server_port"].manual
    writes = nvr.counters.file_writes
    applied = only(world.apply(SITE))
    assert applied.proof is not None
    assert applied.proof.is_empty
    assert nvr.counters.file_writes == writes
    assert nvr.windows.state(RECORDING) == "Running"


def test_what_is_not_managed_is_said_and_stays(world: World) -> None:
    only(declared(world).apply(SITE))
    lab = world.lab
    lab.tamper(SITE, "clock", "", {"offset_seconds": "-90"})
    lab.tamper(SITE, "disk", "C:", {"free_gib": "3"})
    lab.tamper(SITE, "time_source", "", {"servers": "ntp.example.org,0x8"})
    lab.tamper(SITE, "firewall_rule", "Corporate", {"ports": "1-100", "action": "block"})
    nvr = lab.nvr(SITE)
    nvr.windows.system.dotnet = ("3.5.30729.5420",)
    outcome = only(world.plan(SITE))
    (change,) = changes(outcome).values()
    assert change.manual
    shown = fields(change)
    offset = shown.pop("clock_offset_seconds")
    assert isinstance(offset[0], float)
    assert -91 < offset[0] < -85
    assert shown == {
        "free_gib": (3, 20),
        "time_source": ("ntp.example.org", "time.windows.com"),
        "dotnet": ("3.5.30729.5420", "4.0"),
        "blocking_rules": ("Corporate (tcp 80)", "(none)"),
    }
    assert all(each.reason for each in change.fields)
    said = notes(outcome)
    assert "s behind this computer's" in said
    assert "only 3.0 GiB are free on drive C:" in said
    before = (nvr.counters.file_writes, list(nvr.windows.system.rules))
    again = world.apply(SITE)[0]
    assert (nvr.counters.file_writes, list(nvr.windows.system.rules)) == before
    assert again.outcomes == ()


def test_a_rule_of_others_counts_and_is_never_touched(world: World) -> None:
    lab = world.lab
    lab.tamper(SITE, "firewall_rule", "Web server", {"ports": "80,443"})
    lab.tamper(SITE, "firewall_rule", "Office", {"ports": "1-65535", "remote": "LocalSubnet"})
    kept = list(lab.nvr(SITE).windows.system.rules)
    planned = changes(only(declared(world).plan(SITE)))
    assert "firewall_rule/local_port" not in planned
    assert "firewall_rule/event_server_port" in planned, "a rule for some addresses opens nothing"
    applied = only(world.apply(SITE))
    assert applied.proof is not None
    assert applied.proof.is_empty
    rules = lab.nvr(SITE).windows.system.rules
    assert [each for each in rules if each.name not in OWN] == kept
    assert {each.name for each in rules} & OWN == {"ivn-provision event_server_port"}


def test_firewall_false_removes_only_what_is_ours(world: World) -> None:
    only(declared(world).apply(SITE))
    world.edit(SITE, "firewall: true", "firewall: false")
    planned = changes(only(world.plan(SITE)))
    assert {name: each.action for name, each in planned.items()} == {
        "firewall_rule/local_port": "delete",
        "firewall_rule/event_server_port": "delete",
    }
    applied = only(world.apply(SITE))
    assert applied.proof is not None
    assert applied.proof.is_empty
    rules = world.lab.nvr(SITE).windows.system.rules
    assert [each.name for each in rules] == ["Windows Remote Management (HTTP-In)"]


def test_what_windows_refuses_is_undone_and_said(world: World) -> None:
    only(declared(world).apply(SITE))
    nvr = world.lab.nvr(SITE)
    world.lab.tamper(SITE, "windows_service", RECORDING, {"start_mode": "manual"})
    world.lab.tamper(SITE, "windows_service", IMAGE, {"start_mode": "manual"})
    nvr.windows.system.refusals = frozenset({IMAGE})
    outcome = world.apply(SITE)[0]
    assert outcome.error is not None
    assert "the recorder is as it was" in str(outcome.error)
    assert "start mode" in str(outcome.error)
    modes = {each.name: each.start_mode for each in nvr.windows.services()}
    assert (modes[RECORDING], modes[IMAGE]) == ("Manual", "Manual")


def test_a_firewall_that_does_not_answer_keeps_nothing_else_from_being_read(world: World) -> None:
    only(declared(world).apply(SITE))
    world.attest = False
    world.lab.nvr(SITE).windows.system.firewall_answers = False
    outcome = only(world.plan(SITE))
    assert outcome.plan is not None
    unknown = {each.address.kind for each in outcome.plan.unverified if each.is_open}
    assert "firewall_rule" in unknown
    assert "firewall_rule" not in {each.address.kind for each in outcome.plan.changes}
    assert "does not answer" in notes(outcome)


def test_notes_need_no_declaration(world: World) -> None:
    assert notes(only(world.plan(SITE))).count("\n") == 0, "only the note about the lab"
    world.lab.tamper(SITE, "clock", "", {"offset_seconds": "45"})
    world.lab.tamper(SITE, "windows_service", IMAGE, {"state": "stopped"})
    outcome = only(world.plan(SITE))
    said = notes(outcome)
    assert "s ahead of this computer's" in said
    assert f"the service {IMAGE} starts by itself but is stopped" in said
    assert "nobody from outside can reach local_port 80" in said
    assert changes(outcome) == {}


def test_a_write_of_files_that_fails_takes_the_changes_of_windows_back(world: World) -> None:
    declared(world)
    nvr = world.lab.nvr(SITE)
    world.lab.tamper(SITE, "windows_service", RECORDING, {"start_mode": "manual"})
    rules, content = list(nvr.windows.system.rules), nvr.configuration_path.read_bytes()
    world.lab.fault(SITE, "disk-full")
    outcome = world.apply(SITE)[0]
    assert outcome.error is not None
    modes = {each.name: each.start_mode for each in nvr.windows.services()}
    assert modes[RECORDING] == "Manual"
    assert nvr.windows.system.rules == rules
    assert nvr.configuration_path.read_bytes() == content
    assert nvr.windows.state(RECORDING) == "Running"
    world.lab.fault(SITE, "disk-full", on=False)
    applied = only(world.apply(SITE))
    assert applied.proof is not None
    assert applied.proof.is_empty


def test_windows_is_managed_on_a_version_that_no_layout_knows(tmp_path: Path) -> None:
    sites = with_store_b(generated_sites(1, own_addresses()))
    with Lab(tmp_path / "lab", sites, portal_port=0, mail_port=0) as lab:
        lab.write_sites(tmp_path / "sites")
        world = declared(World(lab, tmp_path / "sites"))
        lab.tamper(SITE, "windows_service", IMAGE, {"start_mode": "manual"})
        planned = changes(only(world.plan(SITE)))
        assert planned["windows_service/image_server"].workable
        assert planned["firewall_rule/local_port"].workable
        files = {each: each.read_bytes() for each in files_of(lab.nvr(SITE).windows.tree.root)}
        applied = world.apply(SITE)[0]
        assert isinstance(applied.error, PersonNeeded), "the product's own files stay a person's task"
        assert applied.proof is not None
        assert not [change for change in applied.proof.changes if change.workable]
        assert {each.name for each in lab.nvr(SITE).windows.system.rules} >= OWN
        after = {each: each.read_bytes() for each in files_of(lab.nvr(SITE).windows.tree.root)}
        assert after == files


@pytest.mark.parametrize(
    ("kind", "key", "fields"),
    [
        ("windows_service", "Nobody", {"state": "running"}),
        ("windows_service", RECORDING, {"start_mode": "Automatic"}),
        ("firewall_rule", "x", {"action": "deny"}),
        ("clock", "", {"offset_seconds": "late"}),
        ("clock", "", {"minutes": "3"}),
        ("time_source", "", {"zone": "UTC"}),
        ("disk", "Z:", {"free_gib": "1"}),
    ],
)
def test_a_technician_who_asks_for_nonsense_is_told(
    world: World, kind: str, key: str, fields: dict[str, str]
) -> None:
    with pytest.raises(LabError) as raised:
        world.lab.tamper(SITE, kind, key, fields)
    assert raised.value.next_step


def files_of(root: Path) -> list[Path]:
    """What the product keeps; the agent's own lock is none of it."""
    found = (each for each in root.rglob("*") if each.is_file())
    return [each for each in found if "ivn-provision" not in each.parts]
