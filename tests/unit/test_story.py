"""What a journal tells of a site: where a run wrote, and whether it was proven."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivn_provision.errors import StateError
from ivn_provision.run.guards import Guards, OnFailure
from ivn_provision.run.journal import Journal, Record
from ivn_provision.run.resuming import as_the_run
from ivn_provision.run.state import StateFolder
from ivn_provision.run.story import Story, story_of
from ivn_provision.strict_json import Node
from tests.support.world import utc_now

SITE = "harbor"


def told(*events: str) -> Story:
    """Of records in short: `intent nvr 1`, `done nvr 1`, `failed nvr 1` (nothing written), `unsure nvr 1`, `proof 0`."""
    return story_of([_record(number, text) for number, text in enumerate(events, 1)], SITE)


def _record(number: int, text: str) -> Record:
    event, *rest = text.split()
    data: dict[str, Any] = {}
    if event == "proof":
        data = {"after": "snap", "left": int(rest[0])}
    elif event == "site_end":
        data = {"standing": rest[0], "error": ""}
    elif rest:
        data = {"target": rest[0], "batch": int(rest[1]), "addresses": []}
    if event in {"failed", "unsure"}:
        data |= {"error": "x", "uncertain": event == "unsure"}
        event = "failed"
    return Record(number, "2026-11-24T10:15:00Z", event, SITE, data)


@pytest.mark.parametrize(
    ("events", "began"),
    [
        ([], ""),
        (["intent nvr 1"], "nvr"),
        (["intent nvr 1", "done nvr 1"], "nvr"),
        (["intent nvr 1", "failed nvr 1"], ""),
        (["intent nvr 1", "unsure nvr 1"], "nvr"),
        (["intent nvr 1", "done nvr 1", "intent portal 2", "failed portal 2"], "nvr"),
        (["intent nvr 1", "done nvr 1", "intent portal 2", "done portal 2"], "nvr portal"),
    ],
)
def test_where_something_may_have_been_written(events: list[str], began: str) -> None:
    assert told(*events).began == set(began.split())


@pytest.mark.parametrize("first", ["done portal 1", "unsure portal 1"])
def test_a_failure_of_the_way_back_is_not_one_of_the_run(first: str) -> None:
    """The way back counts its batches anew: its batch 1 is another."""
    story = told("intent portal 1", first, "reverting", "intent portal 1", "failed portal 1")
    assert story.began == {"portal"}
    assert story.reverting


def test_an_intent_that_was_never_answered_stays_open_under_a_later_failure() -> None:
    """Killed in the middle of a write; the next process fails at the same, and wrote nothing."""
    story = told("intent nvr 1", "resumed", "intent nvr 1", "failed nvr 1")
    assert story.began == {"nvr"}


@given(
    st.lists(
        st.tuples(st.sampled_from(["nvr", "portal"]), st.sampled_from(["done", "failed", "unsure", ""])),
        max_size=8,
    )
)
def test_what_was_written_once_stays_written(writes: list[tuple[str, str]]) -> None:
    """Whatever comes later: only an answer that says so is about nothing written."""
    events = [each for target, answer in writes for each in _write(target, answer)]
    assert told(*events).began == {target for target, answer in writes if answer != "failed"}


def _write(target: str, answer: str) -> Iterable[str]:
    yield f"intent {target} 1"
    if answer:
        yield f"{answer} {target} 1"


@pytest.mark.parametrize(
    ("events", "proven"),
    [
        (["intent nvr 1", "done nvr 1"], False),
        (["intent nvr 1", "done nvr 1", "proof 0"], True),
        (["intent nvr 1", "done nvr 1", "proof 2"], False),
        (["intent nvr 1", "done nvr 1", "proof 0", "reverting"], False),
        (["intent nvr 1", "done nvr 1", "proof 0", "intent portal 2"], False),
        (["intent nvr 1", "done nvr 1", "proof 2", "resumed", "proof 0"], True),
        (["intent nvr 1", "done nvr 1", "proof 0", "site_end pending"], True),
    ],
)
def test_proven_is_what_was_read_after_the_last_write(events: list[str], proven: bool) -> None:
    assert told(*events).proven is proven


# The options of a run that is resumed

GIVEN = Guards(
    StateFolder(Path("x")),
    "a@b",
    confirm_within=600,
    hold=True,
    on_failure=OnFailure.STOP,
    targets=("nvr/*", "portal/site"),
    excludes=("nvr/camera/11",),
)


def test_a_resumed_run_has_the_options_that_it_was_given() -> None:
    resumed = replace(Guards(GIVEN.state, "c@d"), command="resume", fleet_size=4)
    found = resumed.as_of(Node({"options": GIVEN.options()}))
    assert found == replace(GIVEN, owner="c@d", command="resume", fleet_size=4, stopping=resumed.stopping)
    assert (found.allowances, found.overrides) == ({}, frozenset()), "nothing more is let through"


@pytest.mark.parametrize(
    "odd",
    [
        {"confirm_within": -1},
        {"confirm_within": "600"},
        {"confirm_within": 10**9},
        {"hold": 1},
        {"on_failure": "explode"},
        {"target": "nvr/*"},
        {"exclude": [1]},
    ],
)
def test_options_of_a_shape_that_is_not_known(tmp_path: Path, odd: dict[str, Any]) -> None:
    state = StateFolder(tmp_path)
    about = {"who": "a@b", "command": "apply", "revision": "", "dirty": False, "plan": "", "sites": [SITE]}
    run = "20261124T101010Z-deadbeef"
    journal = Journal.create(state, run, utc_now, **about, options={**GIVEN.options(), **odd})
    with pytest.raises(StateError, match="does not say how it was called") as caught:
        as_the_run(GIVEN, journal)
    journal.close()
    assert caught.value.next_step
