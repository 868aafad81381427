"""Fixtures of the tests that speak to the lab."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.crash import Crashes, crashing
from tests.support.world import started


@pytest.fixture(scope="module")
def crashes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashes]:
    """A lab with one site that is ready to be crashed, again and again; each crash ends in one of two states."""
    with started(tmp_path_factory.mktemp("crashes")) as world, crashing(world) as ready:
        yield ready
