"""The live line fits its terminal, and says first what a person must know."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from ivn_provision.errors import Unreachable
from ivn_provision.model.resource import Address
from ivn_provision.plan.plan import Action, Change, SitePlan
from ivn_provision.report.fleet_text import FEW, render_fleet, render_table
from ivn_provision.report.paint import Paint
from ivn_provision.report.progress_line import elapsed, progress_line, wave_line
from ivn_provision.report.site_ends import End
from ivn_provision.report.tally import Tally
from ivn_provision.run.events import Event, Step, Wave, ended
from ivn_provision.run.outcomes import SiteOutcome
from tests.unit.test_hostile_output import HOSTILE, TEXT, assert_harmless

PLAIN, COLOUR = Paint(on=False), Paint(on=True)
DIFFERS = (Change(Address("s", "nvr", "camera", "1"), Action.UPDATE, ()),)


def tally_of(text: str = "site", wave: bool = True) -> Tally:
    tally = Tally(1000)
    if wave:
        tally.notify(Event("", Step.WAVE_STARTED, about=Wave(2, 3, 1000, text)))
    for number in range(5):
        ended(SiteOutcome(f"d{number}", SitePlan(f"d{number}", DIFFERS)), tally)
    for number in range(118):
        ended(SiteOutcome(f"c{number}", SitePlan(f"c{number}")), tally)
    ended(SiteOutcome("u", error=Unreachable("no answer")), tally)
    tally.notify(Event(text, Step.READING, "nvr"))
    tally.notify(Event(f"{text}2", Step.READING, "nvr"))
    return tally


def test_eighty_columns() -> None:
    line = progress_line(tally_of("pilot"), 83, 80, PLAIN)
    assert line == "wave 2/3: pilot  124/1000  1 unreachable  5 differing  2 running  1:23"


def test_forty_columns() -> None:
    assert (
        progress_line(tally_of("pilot", wave=False), 83, 40, PLAIN) == "124/1000  1 unreachable  5 differing"
    )


def test_wide() -> None:
    line = progress_line(tally_of("pilot"), 3723, 120, PLAIN)
    assert "━━╌" in line
    assert line.endswith("2 running  1:02:03")
    assert "##." in progress_line(tally_of("pilot"), 3723, 120, PLAIN, ascii_only=True)


def test_one_site_says_what_is_done() -> None:
    tally = Tally(1)
    address = Address("harbor", "nvr", "camera", "1")
    tally.notify(Event("harbor", Step.WRITING, "nvr", addresses=(address,) * 3))
    assert progress_line(tally, 1, 80, PLAIN) == "0/1  harbor: writing nvr 3 objects  0:01"


def test_a_wave_begins_anew_and_leaves_its_line() -> None:
    tally = tally_of("pilot")
    assert (
        wave_line(tally, 83, PLAIN)
        == "wave 2/3: pilot  124/1000  1 unreachable  5 differing  118 clean  1:23"
    )
    tally.notify(Event("", Step.WAVE_STARTED, about=Wave(3, 3, 7)))
    assert progress_line(tally, 0, 80, PLAIN) == f"wave 3/3  {'╌' * 20}  0/7  0:00"


@given(st.integers(0, 200), TEXT, st.integers(0, 10**7), st.booleans())
def test_it_is_one_line_that_fits(columns: int, text: str, seconds: int, wave: bool) -> None:
    tally = tally_of(text or "x", wave=wave)
    line = progress_line(tally, seconds, columns, PLAIN)
    assert line.isprintable()
    assert cell_len(line) <= columns
    coloured = progress_line(tally, seconds, columns, COLOUR)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == line


def test_elapsed() -> None:
    assert [elapsed(each) for each in (-1, 0.9, 61, 3600)] == ["0:00", "0:00", "1:01", "1:00:00"]


# The table of a fleet


def outcomes(count: int, prefix: str = "site") -> list[SiteOutcome]:
    good = [SiteOutcome(f"{prefix}-{n}", SitePlan(f"{prefix}-{n}", unchanged=3)) for n in range(count)]
    bad = [SiteOutcome("far", error=Unreachable("no answer"))]
    return [*good, SiteOutcome("odd", SitePlan("odd", DIFFERS)), *bad]


def test_a_fleet_shows_what_differs_and_counts_the_rest() -> None:
    found = outcomes(FEW)
    plans = [each.plan for each in found if each.plan is not None]
    text = render_fleet(found, plans, PLAIN, drift=True)
    assert "site-0" not in text
    assert text.splitlines()[0] == "odd"
    assert text.splitlines()[-5:] == [
        "12 sites",
        "  unreachable         1  far",
        "  differing           1  odd",
        "  clean              10",
        "Drift on 1 of 11 site(s): 0 to add, 1 to change, 0 to destroy.",
    ]


def test_few_sites_are_shown_one_after_the_other() -> None:
    found = outcomes(2)
    plans = [each.plan for each in found if each.plan is not None]
    text = render_fleet(found, plans, PLAIN)
    assert "site-0\n" in text
    assert "sites\n" not in text


@given(st.integers(60, 200), st.integers(1, 400))
def test_rows_fit(columns: int, count: int) -> None:
    found = [SiteOutcome(f"site-{n:04}", error=Unreachable("no")) for n in range(count)]
    row = render_table(found, PLAIN, columns).splitlines()[1]
    assert len(row) <= columns
    shown = row.count("site-")
    assert shown == count or f"and {count - shown} more" in row


def test_hostile_names_in_a_table() -> None:
    assert_harmless(render_table([SiteOutcome(HOSTILE, error=Unreachable("no"))] * 20, PLAIN))
    assert End.UNREACHABLE.value in render_table([SiteOutcome("x", error=Unreachable("no"))], COLOUR)
