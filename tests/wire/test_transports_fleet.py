"""Many sites with one account, side by side: no lockout, and one dead host holds up nobody for long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ivn_provision.errors import AuthenticationFailed, DeadlineExceeded
from ivn_provision.report.errors_text import render_error
from ivn_provision.report.paint import Paint
from tests.support.world import World, started


@contextmanager
def one_account(folder: Path, count: int) -> Iterator[tuple[World, list[str]]]:
    """A lab whose recorders have one account and password, each site with a reference of its own to it."""
    names = [f"lab-{number:04d}" for number in range(1, count + 1)]
    secrets = folder / "lab" / "secrets"
    secrets.mkdir(parents=True, mode=0o700)
    for name in names:
        (secrets / f"{name}-nvr").write_text("the-same-everywhere\n", encoding="utf-8")
    with started(folder, count=count) as world:
        yield world, names


def test_a_wrong_account_of_many_sites_is_one_failed_logon(tmp_path: Path) -> None:
    with one_account(tmp_path, 12) as (world, names):
        for name in names:
            (tmp_path / "lab" / "secrets" / f"{name}-nvr").write_text("wr0ng", encoding="utf-8")
        outcomes = world.plan(*names)
        assert sum(world.lab.nvr(name).counters.authentication_failures for name in names) == 1
        assert all(isinstance(each.error, AuthenticationFailed) for each in outcomes)
        texts = [render_error(each.error, Paint(on=False)) for each in outcomes if each.error]
        untried = [(name, text) for name, text in zip(names, texts, strict=True) if "not tried:" in text]
        assert len(untried) == 11
        for name, text in untried:
            assert f"!secret file:../lab/secrets/{name}-nvr" in text
        assert not any("wr0ng" in text for text in texts)


def test_a_right_account_of_many_sites_is_one_logon_each(tmp_path: Path) -> None:
    with one_account(tmp_path, 6) as (world, names):
        outcomes = world.plan(*names)
        assert [each.error for each in outcomes] == [None] * 6
        counters = [world.lab.nvr(name).counters for name in names]
        assert [(each.connections, each.authentications) for each in counters] == [(1, 1)] * 6


@pytest.mark.parametrize("dead", [1, 2])
def test_hosts_that_hang_with_an_unproven_account_do_not_stop_the_others(tmp_path: Path, dead: int) -> None:
    with one_account(tmp_path, 5) as (world, names):
        for name in names[:dead]:
            world.lab.fault(name, "hang")
        began = time.monotonic()
        outcomes = world.plan(*names, deadline=6.0)
        assert time.monotonic() - began < 9
        kinds = [type(each.error) for each in outcomes]
        assert kinds == [DeadlineExceeded] * dead + [type(None)] * (5 - dead)


def test_closed_ports_hold_up_nobody(tmp_path: Path) -> None:
    with one_account(tmp_path, 4) as (world, names):
        for name in names[:3]:
            world.edit(name, f"port: {world.lab.site(name).https_port}", "port: 1")
        *gone, well = world.plan(*names, deadline=6.0)
        assert all(each.error for each in gone)
        assert well.error is None


def test_an_agent_that_hangs_ends_at_the_deadline_and_its_shell_is_deleted(world: World) -> None:
    world.lab.fault("lab-0001", "hang_receive")
    began = time.monotonic()
    (outcome,) = world.plan("lab-0001", deadline=4.0)
    took = time.monotonic() - began
    assert isinstance(outcome.error, DeadlineExceeded)
    assert 2.8 < took < 4.5, f"took {took:.1f} s"
    assert world.lab.nvr("lab-0001").counters.posts_by_action["Delete"] == 1
