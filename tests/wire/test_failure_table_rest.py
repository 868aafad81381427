"""The failure table, from row 18 on: see `test_failure_table.py`. Two files, so that two cores share the work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.checked_site import CheckedSite, checked_site, prove
from tests.support.failure_table import Shown, shown_by
from tests.wire.test_failure_table import LAST

SHOWN = [each for each in shown_by("check") if each.row > LAST]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckedSite]:
    with checked_site(tmp_path_factory.mktemp("table")) as running:
        yield running


@pytest.mark.parametrize("shown", SHOWN, ids=lambda each: each.name)
def test_a_failure_is_found_and_nothing_else(site: CheckedSite, shown: Shown) -> None:
    prove(site, shown)
