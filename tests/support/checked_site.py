"""One lab site whose checks all pass, for tests that make them fail one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ivn_provision.run.checking import check_site
from ivn_provision.verify.result import Result, State
from tests.support.failure_table import Shown
from tests.support.lab_words import LabWords
from tests.support.world import Events, World, started

SITE = "lab-0001"
BAD = (State.FAIL, State.WARN)
_WINDOWS = """\
  windows:
    services: {recording_server: auto, image_server: auto, event_server: auto}
    firewall: true
    listening: true
    time_source: time.windows.com
    prerequisites: true
"""


@dataclass(slots=True)
class CheckedSite:
    """`baseline` are the results while all is well."""

    world: World
    words: LabWords
    baseline: tuple[Result, ...] = ()

    def check(self) -> tuple[Result, ...]:
        """Look at everything, as `ivn-provision check` does."""
        return check_site(self.world.site(SITE), self.world.opener(), Events()).results

    def bad(self, results: tuple[Result, ...]) -> Mapping[str, set[State]]:
        """Checks that fail or warn, and did not at the baseline."""
        before = {(each.check, each.state) for each in self.baseline}
        found: dict[str, set[State]] = {}
        for each in results:
            if each.state in BAD and (each.check, each.state) not in before:
                found.setdefault(each.check, set()).add(each.state)
        return found

    def apply(self) -> None:
        (outcome,) = self.world.apply(SITE)
        assert outcome.error is None, outcome.error


@contextmanager
def checked_site(folder: Path, *, axis: str = "") -> Iterator[CheckedSite]:
    """Applied, with one mail of every pin in the portal; with `axis` (a profile) one camera is managed too."""
    with started(folder, axis=axis) as world:
        world.edit(SITE, "  users:\n", f"{_WINDOWS}  users:\n")
        site = CheckedSite(world, LabWords(world, SITE))
        site.apply()
        for camera in world.lab.site(SITE).cameras:
            site.words.do(f"fire SITE input {camera.address} 1")
            world.lab.fire_input(SITE, camera.address, 1, "falling")  # the contact closes again
        site.words.do("fire SITE soft 2")
        site.baseline = site.check()
        yield site


def prove(site: CheckedSite, shown: Shown) -> None:
    """Make the failure: the right check says so with the right remedy, and no other; then all is well again.

    Where `apply` heals it, it does so while a fault that made the failure is still on.
    """
    try:
        for command in shown.lab:
            site.words.do(command)
        _assert_said(site, site.check(), shown)
        if shown.heals:
            site.apply()
            assert site.bad(site.check()) == {}, "`apply` did not heal it"
    finally:
        site.words.undo(shown.lab, shown.undo)
    after = site.check()
    assert site.bad(after) == {}, "it is not well again"
    states = [each.state for each in after if each.check == shown.check]
    assert states == [each.state for each in site.baseline if each.check == shown.check]


def _assert_said(site: CheckedSite, results: tuple[Result, ...], shown: Shown) -> None:
    said = [each for each in results if each.check == shown.check and each.state == shown.state]
    assert said, [each.found for each in results if each.check == shown.check]
    assert any(shown.remedy in each.found.remedy for each in said), [each.found.remedy for each in said]
    is_bad = State(shown.state) in BAD
    assert set(site.bad(results)) == ({shown.check, *shown.also} if is_bad else set())
    if not is_bad:
        assert not [each for each in results if each.check == shown.check and each.state is State.PASS]
