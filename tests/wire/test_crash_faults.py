"""The line breaks, the portal fails, the disk is full; and the tool is killed meanwhile. `resume` ends all of it."""

from __future__ import annotations

import pytest

from tests.support.crash import Crashes
from tests.support.crash_rows import KILLED, LASTING, ONCE, at_a_full_disk


@pytest.mark.parametrize("name", ONCE)
def test_a_fault_that_happens_once_is_put_back_by_the_run_itself(crashes: Crashes, name: str) -> None:
    ending = crashes.crash(ONCE[name])
    assert ending.wrong == ()
    assert (ending.state, ending.standing) == ("old", "reverted")


@pytest.mark.parametrize(
    "name",
    [
        "the recorder's line is cut at the second write",
        "the recorder answers 500 from the proof on",
        "the portal answers 500 from its write on",
        "the portal answers 500 after every commit",
    ],
)
def test_a_fault_that_lasts_breaks_the_way_back_too(crashes: Crashes, name: str) -> None:
    """Then there is something left for `resume`."""
    ending = crashes.crash(LASTING[name])
    assert ending.wrong == ()
    assert ending.standing == "failed"


@pytest.mark.parametrize("name", KILLED)
def test_killed_while_a_fault_is_on(crashes: Crashes, name: str) -> None:
    ending = crashes.crash(KILLED[name])
    assert ending.wrong == ()
    assert ending.standing == "unfinished"


def test_the_disk_of_the_tools_machine_is_full(crashes: Crashes) -> None:
    """Nothing can be written any more from there on; with room again, `resume` ends it."""
    seen = []
    for name, ending in at_a_full_disk(crashes, (20, 50, 65, 80)):
        assert ending.wrong == (), name
        seen.append(ending)
    assert [each.standing for each in seen] == ["refused", *["unfinished"] * 3]
    assert len({each.last for each in seen}) == len(seen), "full at different places"
