"""The tool is killed in the middle of an apply, at every record of its journal and at random moments.

`resume` then ends it: the site is exactly old or exactly new, nothing was written twice, no lease is left, and the
journal verifies. `scripts/make-crash-table` does the same more often, and writes docs/reference/crashes.md.
"""

from __future__ import annotations

import pytest

from tests.support.crash import Crashes
from tests.support.crash_rows import AFTER_ACTS, at_random, at_records

EVERY = [
    *("begin", "planned", "hold nvr", "held nvr", "hold portal", "held portal"),
    *("intent nvr", "done nvr", "intent portal", "done portal", "intent nvr", "done nvr"),
    *("proof", "release nvr", "released nvr", "release portal", "released portal", "site_end"),
]
"""What an apply writes that changes the recorder twice, and the portal in between."""


@pytest.mark.timeout(200)
def test_killed_after_every_record(crashes: Crashes) -> None:
    endings = []
    for name, ending in at_records(crashes, before=False):
        assert ending.wrong == (), name
        endings.append(ending)
    assert [each.last for each in endings] == [*EVERY, "end"]
    assert {each.state for each in endings} == {"old", "new"}


@pytest.mark.timeout(200)
def test_killed_after_every_act_before_it_is_written_down(crashes: Crashes) -> None:
    endings = []
    for name, ending in at_records(crashes, before=True, numbers=AFTER_ACTS):
        assert ending.wrong == (), name
        endings.append(ending)
    assert [each.last for each in endings] == [EVERY[number - 2] for number in AFTER_ACTS]


@pytest.mark.timeout(200)
def test_killed_at_random_moments(crashes: Crashes) -> None:
    for name, ending in at_random(crashes, 4, seconds=1.2):
        assert ending.wrong == (), name
