"""Fixtures of the tests without a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivn_provision.run.state import StateFolder


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    """A state folder that is not there yet."""
    return StateFolder(tmp_path / ".ivn")
