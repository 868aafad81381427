"""A site whose alarms are tested again and again: applied once, and put right after every test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ivn_provision.lab.lab import Lab
from tests.support.acceptance import SITE, TWO_SOFT, window
from tests.support.world import World, started


@contextmanager
def applied_site(folder: Path) -> Iterator[World]:
    """Applied, with two soft pins and little patience."""
    with started(folder) as world:
        world.edit(SITE, "mail_within_seconds: 30", "mail_within_seconds: 3")
        for old, new in TWO_SOFT:
            world.edit(SITE, old, new)
        assert world.apply(SITE)[0].error is None
        yield world


@contextmanager
def put_right_after(world: World) -> Iterator[World]:
    """No fault, no window, the file and the systems as they were; and still no alarm ever."""
    text = (world.folder / f"{SITE}.yml").read_text(encoding="utf-8")
    before = len(world.lab.portal.alarms())
    yield world
    lab = world.lab
    lab.run(_lose_late(lab))  # the window is not closed above them
    for fault in tuple(lab.portal.faults):
        lab.fault("portal", fault, on=False)
    for fault in tuple(lab.mail.faults):
        lab.fault("mail", fault, on=False)
    nvr = lab.nvr(SITE)
    for fault in (*nvr.faults, *nvr.windows.faults.on):
        lab.fault(SITE, fault, on=False)
    alarms = lab.portal.alarms()[before:]
    if (left := window(world)) is not None:
        lab.portal.core.sessions.close(SITE, left.id)
    (world.folder / f"{SITE}.yml").write_text(text, encoding="utf-8")
    (planned,) = world.plan(SITE)
    assert planned.plan is not None
    if planned.plan.changes:
        assert world.apply(SITE)[0].error is None
    assert alarms == []


async def _lose_late(lab: Lab) -> None:
    lab.mail.lose_late()


def events_of_recorder(world: World) -> int:
    """How many events the recorder has had."""
    return world.lab.nvr(SITE).counters.events
