"""Fixtures that more than one room's tests use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.world import World, started


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A lab with one fresh site, `lab-0001`."""
    with started(tmp_path) as running:
        yield running
