"""Fixtures that more than one room's tests use."""

from __future__ import annotations

import compileall
import os
import sys
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

ROOT = Path(__file__).parents[1]


def pytest_configure(config: pytest.Config) -> None:
    """Compile once what hundreds of processes import: half of the time of a short one is compiling.

    So it is also where `PYTHONDONTWRITEBYTECODE` is set (containers do): this process writes, its children need not.
    """
    sys.dont_write_bytecode = False
    if not hasattr(config, "workerinput"):
        for each in ("ivn_provision", "tests/support"):
            compileall.compile_dir(ROOT / each, quiet=2)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A lab with one fresh site, `lab-0001`."""
    with started(tmp_path) as running:
        yield running


SLOW_FIRST = (
    "test_acceptance_faults.py",
    "test_acceptance_crash.py",
    "test_agent_cases.py",
    "test_failure_table_verify.py",
    "test_acceptance.py",
    "test_acceptance_budget.py",
    "test_acceptance_cameras.py",
    "test_agent_run.py",
    "test_crash_records.py",
    "test_crash_alone.py",
    "test_crash_faults.py",
    "test_failure_table.py",
    "test_failure_table_rest.py",
    "test_interrupts.py",
    "test_durable_queues.py",
    "test_durable_apply.py",
)
"""Files that take long: on several cores they must not be the last that one core works on alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first; otherwise the order stays."""
    items.sort(key=lambda item: item.path.name not in SLOW_FIRST)
