"""The crashes that the table shows, and of which the tests make some."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from tests.support.crash import SITE, Crash, Crashes, Ending, moments
from tests.support.crash_child import NOWHERE, Point
from tests.support.crash_unattended import unattended

MOST = 40
"""More records than any run here writes."""
FIRST, PORTAL, SECOND = Point(1, "intent nvr"), Point(1, "intent portal"), Point(2, "intent nvr")
Row = tuple[str, Ending]

ONCE = {
    "the recorder's answer is lost": Crash(place=SITE, fault="drop-at-receive-once", pause=FIRST),
    "a request to the recorder is lost": Crash(place=SITE, fault="lose-at-send-once", pause=FIRST),
    "the recorder answers 500 once": Crash(place=SITE, fault="http500-at-command-once", pause=SECOND),
    "the portal answers 500 after it committed": Crash(
        place="portal", fault="http_500_after_commit-once", pause=PORTAL
    ),
    "the portal times out after it committed": Crash(
        place="portal", fault="hang_after_commit-once", pause=PORTAL, deadline_seconds=2.0
    ),
}
"""A fault that happens once: the run itself goes on, or back."""

LASTING = {
    "the recorder's line is cut at the first write": Crash(place=SITE, fault="reset", pause=FIRST),
    "the recorder's line is cut at the second write": Crash(place=SITE, fault="reset", pause=SECOND),
    "the recorder answers 500 from the proof on": Crash(
        place=SITE, fault="http_500", pause=Point(2, "done nvr")
    ),
    "the portal answers 500 from its write on": Crash(place="portal", fault="http_500", pause=PORTAL),
    "the portal answers 500 after every commit": Crash(
        place="portal", fault="http_500_after_commit", pause=PORTAL
    ),
    "the portal's line is cut from its write on": Crash(place="portal", fault="reset", pause=PORTAL),
    "the portal's line is cut from the proof on": Crash(
        place="portal", fault="reset", pause=Point(2, "done nvr")
    ),
}
"""A fault that lasts until the tool has given up: it breaks the way back too."""

KILLED = {
    "the recorder's line is cut, killed as the write has failed": Crash(
        place=SITE, fault="reset", pause=SECOND, kill=Point(1, "failed nvr")
    ),
    "the recorder's line is cut, killed on the way back": Crash(
        place=SITE, fault="reset", pause=SECOND, kill=Point(1, "reverting")
    ),
    "the recorder does not answer, killed meanwhile": Crash(
        place=SITE, fault="hang-at-receive", pause=FIRST, kill_after=0.5
    ),
    "the portal answers 500, killed as the write has failed": Crash(
        place="portal", fault="http_500", pause=PORTAL, kill=Point(1, "failed portal")
    ),
    "the portal answers 500, killed when the recorder is back": Crash(
        place="portal", fault="http_500", pause=PORTAL, kill=Point(1, "put_back nvr")
    ),
    "the portal has committed and does not answer, killed meanwhile": Crash(
        place="portal", fault="hang_after_commit", pause=PORTAL, kill_after=0.5
    ),
}
"""The tool is killed while the fault is on."""

FINISHED = Crash(kill=Point(1, "done nvr"))
REVERTED = KILLED["the recorder's line is cut, killed on the way back"]
"""Of which `resume` finishes the first and reverts the second."""


AFTER_ACTS = (2, 4, 6, 8, 10, 12, 13, 15, 17)
"""Records of an apply before which something has been done since the one before."""


def at_records(crashes: Crashes, *, before: bool, numbers: Iterable[int] = range(1, MOST)) -> Iterator[Row]:
    """Every record of an apply, or these."""
    for number in numbers:
        point = Point(number, before=before)
        ending = crashes.crash(Crash(kill=point))
        whole = ending.last == "end" and before
        if not whole:
            yield f"{point}, the last being `{ending.last}`", ending
        if ending.last == "end":
            return


def at_random(crashes: Crashes, count: int, seconds: float) -> Iterator[Row]:
    """So many kills that met the apply under way; those that came after its end are shown too, and not counted."""
    met = 0
    for each in moments(4 * count, seconds, seed=5):
        ending = crashes.crash(Crash(kill_after=each))
        met += ending.last != "end"
        yield f"at a random moment, after `{ending.last}`", ending
        if met == count:
            return


def at_faults(crashes: Crashes) -> Iterator[Row]:
    for name, crash in (*ONCE.items(), *LASTING.items(), *KILLED.items()):
        yield name, crashes.crash(crash)


def at_a_full_disk(crashes: Crashes, shares: tuple[int, ...]) -> Iterator[Row]:
    """No file of the tool may be larger than so many per cent of a whole journal."""
    whole = crashes.whole_journal()
    for share in shares:
        ending = crashes.crash(Crash(most_bytes=whole * share // 100))
        if ending.last == "end":
            ending = replace(ending, other=(*ending.other, "the run came to its end"))
        yield f"full at {share} % of the journal, after `{ending.last}`", ending


def alone(crashes: Crashes, points: Iterator[Point] | None = None) -> Iterator[Row]:
    """Nobody comes after the kill; by default at every record."""
    for point in points or (
        Point(number, before=before) for number in range(1, MOST) for before in (True, False)
    ):
        ending = unattended(crashes, point)
        yield f"{point}, the last being `{ending.last}`", ending
        if ending.last == "end":
            return


def alone_at_random(crashes: Crashes, count: int, seconds: float) -> Iterator[Row]:
    for each in moments(count, seconds, seed=6):
        ending = unattended(crashes, NOWHERE, each)
        yield f"at a random moment, after `{ending.last}`", ending


def in_resume(
    crashes: Crashes,
    crash: Crash,
    numbers: Iterable[int] = range(1, MOST),
    befores: Iterable[bool] = (True, False),
) -> Iterator[Row]:
    """`resume` itself is killed, before and after each of its records, and called again."""
    for number in numbers:
        for before in befores:
            point = Point(number, before=before)
            ending = crashes.crash(replace(crash, resume_kill=point))
            yield f"{point} of `resume`, the last being `{ending.resumed_to}`", ending
            if ending.resumed_to == "site_end":
                return
