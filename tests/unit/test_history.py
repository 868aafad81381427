"""`history` and `history show`: what they say of runs, and of journals that cannot be trusted."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ivn_provision.cli.history import command
from ivn_provision.errors import StateError, UsageProblem
from ivn_provision.report.history_text import render_past, render_runs
from ivn_provision.report.paint import Paint
from ivn_provision.run.journal import Journal, runs_of
from ivn_provision.run.past import past_of
from ivn_provision.run.snapshot_values import to_json
from ivn_provision.run.state import StateFolder
from ivn_provision.secret import Fingerprint, SecretRef

FIRST, SECOND, THIRD = "20261123T080000Z-00000001", "20261124T101500Z-00000002", "20261124T120000Z-00000003"
PLAIN = Paint(on=False)
BEFORE, AFTER = "snap-0123456789ab", "snap-ba9876543210"


def clock() -> datetime:
    return datetime(2026, 11, 24, 10, 15, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateFolder:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IVN_PROVISION_KEY", raising=False)
    return StateFolder(Path(".ivn"))


def begun(state: StateFolder, run: str, *sites: str, **more: Any) -> Journal:
    about = {"who": "jane@ops", "command": "apply", "revision": "3f2a" * 10, "dirty": True, "plan": "plan-1"}
    return Journal.create(
        state, run, clock, **about, sites=list(sites), options={"allow": {"deletes": 2}}, **more
    )


def applied(state: StateFolder, run: str = FIRST, site: str = "harbor") -> None:
    hidden = [to_json(state, each) for each in (Fingerprint("s", "d"), SecretRef("env", "MAIL_PASSWORD"))]
    changes = [
        change("camera/10", "update", ("label", "Gate", "Gate north"), ("clip.pre", 3, 5)),
        change("generic_event/2", "create", ("match", {"unset": True}, "2 S")),
        change("generic_event/9", "delete", ("match", "9 S", {"unset": True})),
        change(
            "mail_server", "update", ("password", *hidden), ("username", "x", {"unknown": "portal.account"})
        ),
    ]
    journal = begun(state, run, site)
    journal.append("planned", site, before=BEFORE, spec="d", changes=changes)
    journal.append("override", site, kind="window", reason="given on the command line")
    journal.append("hold", site, target="nvr", until="2026-11-24T10:17:00Z")
    journal.append("intent", site, target="nvr", batch=1, addresses=["a", "b"])
    journal.append("done", site, target="nvr", batch=1, addresses=["a", "b"])
    journal.append("proof", site, after=AFTER, left=0)
    journal.append("site_end", site, standing="applied", error="")
    journal.append("end", standing="done")
    journal.close()


def change(what: str, action: str, *fields: tuple[str, Any, Any]) -> dict[str, Any]:
    rows = [{"name": name, "before": before, "after": after} for name, before, after in fields]
    return {"address": f"harbor/nvr/{what}", "action": action, "fields": rows}


def broken_off(state: StateFolder, run: str = SECOND) -> None:
    journal = begun(state, run, "harbor", "marina")
    journal.append("planned", "harbor", before=BEFORE, spec="d", changes=[])
    journal.append("intent", "harbor", target="nvr", batch=1, addresses=["a"])
    journal.append(
        "failed", "harbor", target="nvr", batch=1, addresses=["a"], error="the line broke", uncertain=True
    )
    journal.append("reverting", "harbor", why="the line broke")
    journal.append("put_back", "harbor", target="nvr", whole=False)
    journal.append("resumed", "harbor", who="joe@ops", way="revert")
    journal.close()


def called(*words: str) -> Result:
    return CliRunner().invoke(command, list(words))


def test_the_list_says_who_what_when_and_how_it_stands(state: StateFolder) -> None:
    applied(state)
    broken_off(state)
    assert called().output.splitlines() == [
        f"{SECOND}  2026-11-24T10:15:00Z  jane@ops  apply  from 3f2a3f2a3f2a+changes",
        "    harbor: unfinished",
        "    marina: refused (nothing written)",
        f"{FIRST}  2026-11-24T10:15:00Z  jane@ops  apply  from 3f2a3f2a3f2a+changes",
        "    harbor: applied",
    ]


def test_the_list_of_one_site_and_of_the_newest(state: StateFolder) -> None:
    applied(state)
    broken_off(state)
    assert SECOND in called("marina").output
    assert FIRST not in called("marina").output
    assert "harbor" not in called("marina").output
    assert FIRST not in called("--limit", "1").output
    assert called("nowhere").output == "No run for nowhere is known in this folder.\n"
    runs = json.loads(called("harbor", "--format", "json").output)
    assert [each["run"] for each in runs] == [SECOND, FIRST]
    assert runs[1]["sites"] == {"harbor": "applied"}
    assert runs[1]["dirty"] is True


def test_a_clean_revision_has_no_changes(state: StateFolder) -> None:
    about = {"who": "jane@ops", "command": "apply", "revision": "3f2a" * 10, "dirty": False, "plan": ""}
    Journal.create(state, FIRST, clock, **about, sites=["harbor"], options={}).close()
    assert (
        called().output.splitlines()[0]
        == f"{FIRST}  2026-11-24T10:15:00Z  jane@ops  apply  from 3f2a3f2a3f2a"
    )
    (run,) = json.loads(called("--format", "json").output)
    assert run["dirty"] is False


def test_nothing_is_made_by_looking(state: StateFolder) -> None:
    assert called().output == "No run is known in this folder.\n"
    assert called("--format", "json").output == "[]\n"
    assert not state.path.exists()


def test_one_run_is_shown_whole(state: StateFolder) -> None:
    applied(state)
    result = called("show", FIRST[:12])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == f"run {FIRST}"
    for expected in (
        "  when      2026-11-24T10:15:00Z to 2026-11-24T10:15:00Z",
        "  who       jane@ops",
        f"  revision  {'3f2a' * 10} (with changes that were not committed)",
        "  plan      plan-1",
        "  options   allow=deletes=2",
        "harbor applied",
        f"  snapshots: before {BEFORE}, after {AFTER}",
        "  ~ harbor/nvr/camera/10",
        '      label    = "Gate" -> "Gate north"',
        "      clip.pre = 3 -> 5",
        "  + harbor/nvr/generic_event/2",
        '      match = "2 S"',
        "  - harbor/nvr/generic_event/9",
        '      match = "9 S"',
        "      password = (sensitive value) -> (sensitive value) !secret env:MAIL_PASSWORD",
        '      username = "x" -> (generated: portal.account)',
        "  2026-11-24T10:15:00Z  override window: given on the command line",
        "  2026-11-24T10:15:00Z  nvr: batch 1, 2 objects, is begun",
        "  2026-11-24T10:15:00Z  read again: 0 of its changes left to make",
        "  2026-11-24T10:15:00Z  ended applied",
    ):
        assert expected in lines


def test_a_run_that_broke_off_is_shown_as_far_as_it_came(state: StateFolder) -> None:
    broken_off(state)
    text = render_past(past_of(state, SECOND), PLAIN)
    assert "no end is written" in text
    assert "nvr: batch 1, 1 object, failed (what of it was made was not known): the line broke" in text
    assert "nvr: not put back as a whole" in text
    assert "resumed by joe@ops, to revert" in text


def test_one_run_for_machines(state: StateFolder) -> None:
    applied(state)
    document = json.loads(called("show", FIRST, "--format", "json").output)
    assert (document["who"], document["dirty"], document["plan"]) == ("jane@ops", True, "plan-1")
    (site,) = document["sites"]
    assert site["snapshots"] == {"before": BEFORE, "after": AFTER}
    assert site["changes"][0]["fields"][0] == {"name": "label", "before": "Gate", "after": "Gate north"}
    assert [each["event"] for each in site["events"]][-1] == "site_end"


def test_a_damaged_journal_is_listed_and_said(state: StateFolder) -> None:
    applied(state)
    applied(state, THIRD, "marina")
    path = state.path / "runs" / THIRD / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b"Gate north", b"Gate south"))
    result = called("harbor")
    assert f"{THIRD}  damaged: line 2 of the journal is not what the tool wrote there" in result.output
    assert "harbor: applied" in result.output
    assert isinstance(result.exception, StateError)
    assert THIRD in result.exception.summary
    shown = called("show", THIRD)
    assert isinstance(shown.exception, StateError)
    assert shown.exception.where.endswith("journal.jsonl:2")


def test_a_run_without_a_record(state: StateFolder) -> None:
    applied(state)
    (state.path / "runs" / FIRST / "journal.jsonl").unlink()
    result = called()
    assert result.exit_code == 0
    assert "no record: it broke off before it began, or its journal was removed" in result.output
    assert isinstance(called("show", FIRST).exception, StateError)


@pytest.mark.parametrize("words", [("show",), ("show", "a", "b"), ("harbor", "marina"), ("harbor", "x", "y")])
def test_words_that_do_not_go_together(state: StateFolder, words: tuple[str, ...]) -> None:
    assert isinstance(called(*words).exception, UsageProblem)
    assert not state.path.exists()


@pytest.mark.parametrize("run", ["../../etc/passwd", "..", "a/b", "x" * 300, "\x1b[31m"])
def test_a_hostile_name_of_a_run(state: StateFolder, run: str) -> None:
    applied(state)
    assert isinstance(called("show", run).exception, StateError)


def test_nothing_in_a_journal_can_drive_a_terminal(state: StateFolder) -> None:
    evil = "\x1b[2J\u202e\r\n"
    journal = begun(state, FIRST, evil)
    rows = [{"address": "harbor/nvr/camera/%1B%5B2J", "action": evil, "fields": []}]
    rows += [change("camera/1", "update", (evil, evil, {evil: evil}))]
    journal.append("planned", evil, before=evil, spec="", changes=rows)
    journal.append(evil, evil, text=evil)
    journal.append("failed", evil, target=evil, batch=1, uncertain=True, error=evil)
    journal.append("site_end", evil, standing=evil, error=evil)
    journal.close()
    text = render_past(past_of(state, FIRST), PLAIN) + render_runs(runs_of(state), PLAIN)
    assert all(char.isprintable() for char in text.replace("\n", ""))
    assert len(text.splitlines()) < 30


@pytest.mark.parametrize(
    "data",
    [{}, {"before": 1, "spec": "", "changes": []}, {"before": "", "spec": "", "changes": [{"address": "x"}]}],
)
def test_a_record_of_a_shape_that_is_not_known(state: StateFolder, data: dict[str, Any]) -> None:
    journal = begun(state, FIRST, "harbor")
    journal.append("planned", "harbor", **data)
    journal.close()
    with pytest.raises(StateError) as caught:
        past_of(state, FIRST)
    assert caught.value.next_step
