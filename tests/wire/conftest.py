"""Fixtures of the tests that speak to the lab."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ivn_provision.lab.clock import Clock, system_clock
from ivn_provision.lab.lab import Lab
from tests.support.benches import Bench, running
from tests.support.crash import Crashes, crashing
from tests.support.world import started
from tests.wire.portal_client import authorised


@pytest.fixture(scope="module")
def crashes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashes]:
    """A lab with one site that is ready to be crashed, again and again; each crash ends in one of two states."""
    with started(tmp_path_factory.mktemp("crashes")) as world, crashing(world) as ready:
        yield ready


@pytest.fixture
def clock() -> Clock:
    """That of `lab`; a file whose tests move it has a `clock` of its own."""
    return system_clock


@pytest.fixture
def lab(tmp_path: Path, clock: Clock) -> Iterator[Lab]:
    """A lab of the portal and the mail server, without a recorder."""
    with Lab(tmp_path / "lab", free_ports=True, recorders=False, clock=clock) as lab:
        yield lab


@pytest.fixture
def client(lab: Lab) -> Iterator[httpx.Client]:
    """A client of that lab's portal, with a token of every scope."""
    with authorised(lab) as client:
        yield client


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A lab with one fresh site by a clock that a test moves, and as many tools as it wants."""
    with running(tmp_path) as found:
        yield found
