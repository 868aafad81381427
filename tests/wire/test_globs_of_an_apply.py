"""`--target` and `--exclude` of an apply: a glob that names nothing is an error, and nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.broken_runs import SITE, edit_both, writes
from tests.support.command import ivn_here
from tests.support.world import World, started

OTHER = "lab-0002"
SITES = (SITE, OTHER)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[World]:
    """Two sites as declared; then something is declared for the first."""
    with started(tmp_path, count=2) as world:
        for each in SITES:
            world.attest_all(each)
        assert [each.error for each in world.apply(*SITES)] == [None, None]
        yield world


def test_a_glob_that_names_nothing_writes_nothing_also_where_nothing_would_change(two: World) -> None:
    at = two.folder.parent
    before = writes(two)
    for changed in (False, True):
        if changed:
            edit_both(two)
        for sites in ((), (OTHER,)):
            ran = ivn_here("apply", *sites, "--auto-approve", "--target", "nvr/camrea/10", cwd=at)
            assert ran.code == 64, ran.out + ran.err
            assert "nvr/camrea/10" in ran.err
            assert "Apply complete" not in ran.out
    ran = ivn_here("apply", "--auto-approve", "--target", "nvr/*", "--exclude", "portal/sitee", cwd=at)
    assert ran.code == 64, ran.out + ran.err
    assert "portal/sitee" in ran.err
    assert writes(two) == before
    assert two.lab.nvr(SITE).windows.tree.locate(r"C:\ProgramData\ivn-provision\lease.json").exists() is False
    ran = ivn_here("apply", "--auto-approve", "--target", "nvr/camera/10", cwd=at)
    assert ran.code == 0, ran.err
    assert "Apply complete! lab-0001: 0 added, 1 changed, 0 destroyed." in ran.out
