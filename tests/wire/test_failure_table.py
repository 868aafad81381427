"""The failure table, rows 1 to 17: the lab makes each failure, the right check says so, and no other does.

`apply` heals what the site file says; the rest is taken back. All against the embedded lab, which is no real recorder.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ivn_provision.verify.checks import CHECKS
from ivn_provision.verify.result import State
from tests.support.checked_site import CheckedSite, checked_site, prove
from tests.support.failure_table import Shown, shown_by

LAST = 17
SHOWN = [each for each in shown_by("check") if each.row <= LAST]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckedSite]:
    with checked_site(tmp_path_factory.mktemp("table"), axis="12.9") as running:
        yield running


def test_at_first_all_is_well(site: CheckedSite) -> None:
    """What follows shows something only where a check passes before."""
    states = {each.check: each.state for each in site.baseline if each.state is not State.PASS}
    # no layout shows the e-mail schedules of cameras
    assert states.pop("mail-gates") is State.INCONCLUSIVE
    assert set(states.values()) == {State.SKIPPED}
    devices = {each.id for each in CHECKS if each.target == "camera"}
    assert set(states) <= devices, "what is not declared of cameras"


@pytest.mark.parametrize("shown", SHOWN, ids=lambda each: each.name)
def test_a_failure_is_found_and_nothing_else(site: CheckedSite, shown: Shown) -> None:
    prove(site, shown)
