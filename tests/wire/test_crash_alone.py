"""The tool is killed and nobody comes: a recorder with a revert armed goes back by itself. And `resume` is killed too."""

from __future__ import annotations

import pytest

from tests.support.crash import Crash, Crashes
from tests.support.crash_child import Point
from tests.support.crash_rows import FINISHED, REVERTED, in_resume
from tests.support.crash_unattended import unattended


@pytest.mark.parametrize(
    "kill",
    [
        Point(1, "held portal"),
        Point(1, "intent nvr"),
        Point(1, "done nvr"),
        Point(1, "done portal"),
        Point(2, "done nvr"),
        Point(1, "proof"),
    ],
    ids=str,
)
def test_the_recorder_goes_back_alone_and_the_next_apply_does_the_rest(crashes: Crashes, kill: Point) -> None:
    """Nobody resumes: the old site file is applied from the same machine."""
    ending = unattended(crashes, kill)
    assert ending.wrong == ()
    assert (ending.state, ending.last) == ("old", kill.event)


def test_disarmed_the_recorder_stays_new_until_the_next_apply(crashes: Crashes) -> None:
    ending = unattended(crashes, Point(1, "released nvr"))
    assert ending.wrong == ()
    assert ending.state == "new"


@pytest.mark.parametrize(
    ("crash", "state"), [(FINISHED, "new"), (REVERTED, "old")], ids=["finishes", "reverts"]
)
def test_a_resume_that_is_killed_is_resumed(crashes: Crashes, crash: Crash, state: str) -> None:
    """One target is written and the other not, both ways to be so; all is written and not yet proven."""
    endings = []
    for before, numbers in ((True, (7, 10)), (False, (8,))):
        for name, ending in in_resume(crashes, crash, numbers, (before,)):
            assert ending.wrong == (), name
            endings.append(ending)
    assert {each.state for each in endings} == {state}
    assert len({each.resumed_to for each in endings}) == len(endings)
