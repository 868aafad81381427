"""The tool is killed in the middle of an apply, at every record of its journal and at random moments.

`resume` then ends it: the site is exactly old or exactly new, nothing was written twice, no lease is left, and
the journal verifies. `scripts/make-crash-table` does the same more often, and writes docs/reference/crashes.md.
"""

from __future__ import annotations

import pytest

from tests.support.crash import SITE, Crashes, Ending, moments
from tests.support.world import World

RECORDS = 24
"""More than an apply writes: the last ones are not reached, and the apply ends well then."""


@pytest.fixture
def crashes(world: World) -> Crashes:
    text = (world.folder / f"{SITE}.yml").read_text(encoding="utf-8")
    other = text.replace("generic_events:\n  - {pin: 2,", "generic_events:\n  - {pin: 4,").replace(
        "{pin: 2, source: soft,", "{pin: 4, source: soft,"
    )
    assert other != text
    found = Crashes(world, text, other)
    found.begin()
    return found


def check(ending: Ending) -> None:
    assert ending.resumed == 0, ending
    assert ending.state in {"old", "new"}, ending
    assert ending.twice == (), ending
    assert ending.leases == (), ending


@pytest.mark.timeout(400)
def test_killed_at_every_record(crashes: Crashes) -> None:
    """Before an odd record is written, after an even one: the acts between two records are met as well."""
    endings = []
    for number in range(1, RECORDS):
        endings.append(crashes.crash(record=number, moment="before" if number % 2 else "after"))
        check(endings[-1])
        if endings[-1].last == "end":
            break
    assert {each.state for each in endings} == {"old", "new"}
    assert len({each.last for each in endings}) >= 8, "the kill points are different ones"


@pytest.mark.timeout(300)
def test_killed_at_random_moments(crashes: Crashes) -> None:
    for seconds in moments(8, 1.5, seed=20261124):
        check(crashes.crash(seconds=seconds))


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        (SITE, "drop-at-receive-once"),
        (SITE, "lose-at-send-once"),
        (SITE, "http500-at-command-once"),
        ("portal", "http_500_after_commit-once"),
        ("portal", "hang_after_commit-once"),
        ("portal", "reset"),
    ],
)
def test_the_line_breaks_and_resume_or_the_way_back_ends_it(crashes: Crashes, place: str, fault: str) -> None:
    """Faults begin at the first write; what lasts is over when `resume` comes."""
    ending = crashes.broken(place, fault)
    check(ending)


def test_the_disk_of_the_tools_machine_is_full(crashes: Crashes) -> None:
    """Its files may not grow any more in the middle of the run; with room again, `resume` ends it."""
    for size in (2_500, 4_000, 5_500):
        check(crashes.crash(record=0, moment="never", most_bytes=size))
