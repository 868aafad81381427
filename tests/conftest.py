"""Fixtures that more than one room's tests use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.world import World, started

# CI judges a change, so it draws the same examples each time; new ones are looked for everywhere else.
# How long an example takes says how busy the machine is: no deadline.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A lab with one fresh site, `lab-0001`."""
    with started(tmp_path) as running:
        yield running


SLOW_FIRST = (
    "test_crash_records.py",
    "test_crash_faults.py",
    "test_crash_alone.py",
    "test_agent_cases.py",
    "test_wheel.py",
    "test_rollback.py",
    "test_interrupts.py",
    "test_failure_table.py",
    "test_failure_table_rest.py",
    "test_failure_table_verify.py",
)
"""Files that take long: on several cores they must not be the last that one core works on alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first; otherwise the order stays."""
    items.sort(key=lambda item: item.path.name not in SLOW_FIRST)
