"""Plays against a lab of several sites: waves, failures, the way back, limits, notices, reports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from tests.support.command import ivn_here
from tests.support.doc_pages import ROOT
from tests.support.played import Plays, document, words
from tests.support.webhooks import Taken, webhook_server
from tests.support.world import started

SITES = [f"lab-{number:04}" for number in range(1, 8)]
ROLL_OUT = """playbook: roll-out
waves: [1, 3, 100%]
max_failures: 0
gates: [proof, checks]
steps:
  - do: validate
  - do: plan
  - do: apply
"""


@pytest.fixture
def plays(tmp_path: Path) -> Iterator[Plays]:
    """Seven sites on which nothing is provisioned yet."""
    with started(tmp_path, count=len(SITES)) as world:
        made = Plays(world)
        made.attest(SITES)
        yield made


def test_a_roll_out_and_a_second_one_that_has_nothing_to_do(plays: Plays) -> None:
    plays.write(ROLL_OUT)
    first = plays.play("playbook.yml")
    assert first.code == 0, first.err
    assert set(words(first).values()) == {"changed"}
    assert [len(wave) for wave in document(first)["waves"]] == [1, 3, 3]
    assert all(plays.is_declared(site) for site in SITES)
    second = plays.play("playbook.yml")
    assert (second.code, set(words(second).values())) == (0, {"done"})
    assert all(plays.runs(site) == ["applied", "unchanged"] for site in SITES)


def test_too_many_failures_put_the_wave_back_and_nobody_else_begins(plays: Plays) -> None:
    plays.write(ROLL_OUT)
    plays.world.lab.fault("lab-0003", "service-start-fails-once")
    ran = plays.play("playbook.yml")
    assert ran.code == 3
    found = words(ran)
    assert found["lab-0001"] == "changed"
    assert found["lab-0003"] == "failed"
    assert {found[site] for site in ("lab-0002", "lab-0004")} <= {"put back", "not begun"}
    assert {found[site] for site in SITES[4:]} == {"not begun"}
    assert plays.is_declared("lab-0001")
    assert all(plays.is_untouched(site) for site in SITES[1:])
    assert plays.runs("lab-0005") == []


def test_stop_leaves_what_is_written(plays: Plays) -> None:
    plays.write(
        ROLL_OUT.replace("max_failures: 0", "on_failure: stop").replace("[proof, checks]", "[checks]")
    )
    plays.world.lab.fault("lab-0002", "event-port-closed")
    ran = plays.play("playbook.yml")
    found = words(ran)
    assert (ran.code, found["lab-0002"]) == (3, "failed")
    assert {found[site] for site in ("lab-0001", "lab-0003", "lab-0004")} == {"changed"}
    assert all(plays.is_declared(site) for site in SITES[:4])
    assert all(plays.is_untouched(site) for site in SITES[4:])


def test_one_may_fail_and_is_put_back_alone(plays: Plays) -> None:
    """A port that strangers cannot reach is found by a check after the apply: the site goes back, the play goes on."""
    plays.write(ROLL_OUT.replace("max_failures: 0", "max_failures: 15%"))
    plays.world.lab.fault("lab-0002", "event-port-closed")
    ran = plays.play("playbook.yml")
    found = words(ran)
    assert (ran.code, document(ran)["standing"]) == (3, "done")
    assert found.pop("lab-0002") == "failed, put back"
    assert set(found.values()) == {"changed"}
    assert plays.is_untouched("lab-0002")


def test_a_site_that_is_down_and_a_file_that_is_broken_are_failures_like_others(plays: Plays) -> None:
    plays.write(ROLL_OUT.replace("max_failures: 0", "max_failures: 2"))
    plays.world.edit("lab-0003", "port: 15986", "port: 15999")
    plays.world.edit("lab-0005", "site: lab-0005", "site: lab-0006")
    ran = plays.play("playbook.yml")
    found = words(ran)
    assert ran.code == 3
    assert [site for site in SITES if found[site] == "failed"] == ["lab-0003", "lab-0005"]
    assert [site for site in SITES if found[site] == "changed"] == [
        "lab-0001",
        "lab-0002",
        "lab-0004",
        "lab-0006",
        "lab-0007",
    ]


def test_limits_hold_for_each_wave_and_a_playbook_may_raise_them(plays: Plays) -> None:
    fleet = plays.world.folder / "fleet.yml"
    fleet.write_text(fleet.read_text("utf-8") + "limits: {sites: 2}\n", encoding="utf-8")
    plays.write(ROLL_OUT)
    looked = plays.play("playbook.yml", "--check")
    assert looked.code == 0
    assert [each.split(",")[0] for each in document(looked)["refused"]] == ["3 sites", "3 sites"]
    ran = plays.play("playbook.yml")
    found = words(ran)
    assert (ran.code, found["lab-0001"], found["lab-0002"]) == (3, "changed", "failed")
    assert "the limit is 2" in document(ran)["sites"][1]["text"]
    plays.write(ROLL_OUT + "allow: {sites: 3}\n")
    assert document(plays.play("playbook.yml", "--check"))["refused"] == []
    assert plays.play("playbook.yml").code == 0
    assert all(plays.is_declared(site) for site in SITES)


def test_check_touches_nothing(plays: Plays) -> None:
    plays.write(ROLL_OUT)
    ran = plays.play("playbook.yml", "--check", "--sites", "site:lab-000[12]")
    assert document(ran)["waves"] == [["lab-0001"], ["lab-0002"]]
    assert document(ran)["steps"] == ["validate", "plan", "apply"]
    assert not (plays.folder / ".ivn").exists()


def test_a_notice_and_a_report_tell_what_happened_and_no_secret(plays: Plays) -> None:
    with webhook_server(Taken()) as server:
        plays.write(
            ROLL_OUT.replace("steps:", "sites: 'site:lab-000[1-3]'\nsteps:")
            + f"  - {{do: notify, url: '{server.url}', message: a wave is done}}\n"
            "finally:\n  - {do: report, file: 'out/${play}.md'}\n  - {do: report, file: out/play.json}\n"
            f"  - {{do: notify, url: '{server.url}', required: true, when: 'is:failed'}}\n"
        )
        plays.world.lab.fault("lab-0003", "service-start-fails-once")
        ran = plays.play("playbook.yml")
    assert ran.code == 3
    wave, end = server.bodies
    assert (wave["standing"], wave["wave"], wave["message"]) == ("running", 1, "a wave is done")
    assert (end["standing"], end["failed"][0]["site"]) == ("failed", "lab-0003")
    assert end["text"].startswith("roll-out is failed: ")
    play = document(ran)["play"]
    files = [plays.folder / "out" / name for name in (f"{play}.md", "play.json")]
    assert json.loads(files[1].read_text("utf-8"))["standing"] == "failed"
    assert "| lab-0003 | 2 | failed |" in files[0].read_text("utf-8")
    everything = [json.dumps(server.bodies), ran.out, ran.err, *(each.read_text("utf-8") for each in files)]
    everything.append((plays.folder / ".ivn" / "plays" / play / "journal.jsonl").read_text("utf-8"))
    secrets = [each.read_text("utf-8").strip() for each in (plays.folder / "lab" / "secrets").iterdir()]
    assert not [secret for secret in secrets for text in everything if secret in text]


def test_a_webhook_that_is_a_secret_is_named_by_its_reference_only(
    plays: Plays, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "playbook: tell\nsteps:\n  - do: validate\n  - {do: notify, url: !secret env:PLAY_HOOK}\n"
    plays.write(text)
    monkeypatch.delenv("PLAY_HOOK", raising=False)
    ran = plays.play("playbook.yml")
    assert ran.code == 0
    assert document(ran)["notes"][0]["text"].startswith("notify: !secret env:PLAY_HOOK")
    with webhook_server(Taken(answers=[400])) as server:
        monkeypatch.setenv("PLAY_HOOK", server.url)
        refused = plays.play("playbook.yml")
        assert plays.play("playbook.yml").code == 0
    assert len(server.bodies) == 2
    assert (
        document(refused)["notes"][0]["text"]
        == "notify: !secret env:PLAY_HOOK did not take the notice (HTTP 400)"
    )
    assert "hunter2" not in refused.out + refused.err


def test_a_report_that_cannot_be_written_is_a_warning(plays: Plays) -> None:
    (plays.folder / "out").write_text("a file", "utf-8")
    plays.write("playbook: tell\nsteps:\n  - do: validate\n  - {do: report, file: out/play.md}\n")
    ran = plays.play("playbook.yml")
    assert ran.code == 0
    assert document(ran)["notes"][0]["text"].startswith("report: cannot make the folder out")


def test_the_report_of_an_audit_at_the_end_is_of_all_waves(plays: Plays) -> None:
    report = "{do: report, of: audit, file: "
    plays.write(
        f"playbook: look\nwaves: [3, 4]\nmax_failures: 100%\nsteps:\n  - do: audit\n  - {report}wave.json}}\n"
        f"finally:\n  - {report}all.json}}\n"
    )
    ran = plays.play("playbook.yml")
    assert ran.code == 2, ran.err
    wave, whole = (json.loads((plays.folder / name).read_text("utf-8")) for name in ("wave.json", "all.json"))
    assert {each["site"] for each in wave["sites"]} == set(SITES[3:])
    assert {each["site"] for each in whole["sites"]} == set(SITES)


def test_a_report_does_not_leave_its_folder_by_a_link(
    plays: Plays, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (plays.folder / "out").symlink_to(elsewhere, target_is_directory=True)
    plays.write("playbook: tell\nsteps:\n  - do: validate\n  - {do: report, file: out/play.md}\n")
    ran = plays.play("playbook.yml")
    assert ran.code == 0
    assert "leads out of the folder" in document(ran)["notes"][0]["text"]
    assert not list(elsewhere.iterdir())


def test_events_as_json_lines(plays: Plays) -> None:
    """Each wave begins and ends; the last line counts each site once, though every step ends it."""
    plays.write(ROLL_OUT)
    ran = ivn_here("play", "playbook.yml", "--format", "jsonl", cwd=plays.folder)
    assert ran.code == 0, ran.err
    assert ran.err == ""
    lines = [json.loads(line) for line in ran.out.splitlines()]
    validator = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas/events.schema.json").read_text()))
    for line in lines:
        validator.validate(line)
    waves = [(each["type"], each["ivn"]["wave"]["sites"]) for each in lines if "wave" in each.get("ivn", {})]
    assert waves == [(kind, size) for size in (1, 3, 3) for kind in ("wave_start", "wave_complete")]
    assert sum(lines[-1]["run"]["sites"].values()) == len(SITES)
