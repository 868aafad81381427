"""The crash harness sees what it is there to see: a harness that finds nothing proves nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence

import pytest

from tests.support.crash import SITE, Crash, Crashes
from tests.support.crash_child import Point
from tests.support.world import World
from tests.wire.portal_client import authorised

RECORDER, PORTAL = Point(1, "done nvr"), Point(1, "done portal")


def rewrite(world: World, *lengths: int) -> None:
    """The recorder's file is written so many bytes longer (or shorter), one time after the other."""
    nvr = world.site(SITE).nvr
    assert nvr is not None
    link = world.opener().link(nvr)
    for length in lengths:
        base = world.lab.nvr(SITE).configuration_path.read_bytes()
        splice: Sequence[object] = [len(base) - max(0, -length), max(0, -length), _blanks(length)]
        file = {
            "path": world.lab.nvr(SITE).store.files[0],
            "base_sha256": hashlib.sha256(base).hexdigest(),
            "splices": [splice] if length else [],
        }
        reply = link.call([{"verb": "write_files", "files": [file]}], writes=True)
        assert reply.steps[0]["ok"], reply


def _blanks(count: int) -> str:
    return base64.b64encode(b"\n" * max(0, count)).decode()


def relabel(world: World, *labels: str | None) -> None:
    """A pin in the portal is put with these labels, one after the other, as if by the run that holds the site."""
    path = f"/sites/{SITE}/devices/recorder/alarm-inputs/hardware/2"
    run = world.lab.portal.leases.leases[SITE].run
    with authorised(world.lab) as client:
        for each in labels:
            body = {"camera": 10, "event_type": "perimeter", "label": each}
            answer = client.put(path, json=body, headers={"If-Match": "*", "IVN-Run": run})
            assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("pause", "plant", "expected"),
    [
        (RECORDER, lambda world: rewrite(world, 0), "changes nothing"),
        (RECORDER, lambda world: rewrite(world, 1, -1, 1, -1), "2 times"),
        (PORTAL, lambda world: relabel(world, None), "changes nothing"),
        (PORTAL, lambda world: relabel(world, "x", None, "x", None), "2 times"),
    ],
    ids=["recorder-same", "recorder-again", "portal-same", "portal-again"],
)
def test_a_write_that_is_made_twice_is_found(
    crashes: Crashes, pause: Point, plant: Callable[[World], None], expected: str
) -> None:
    """Though the site is exactly new in the end."""
    ending = crashes.crash(Crash(pause=pause, meanwhile=plant))
    assert ending.state == "new"
    assert ending.other == ()
    assert ending.twice
    assert all(expected in each for each in ending.twice)


@pytest.mark.parametrize(
    ("kind", "key", "name", "value", "before"),
    [
        ("camera", "11", "name", "11 By hand", "11 Gate"),
        ("generic_event", "Gate open by guard", "enabled", "no", "yes"),
        ("pin", "3H", "camera", "10", "11"),
    ],
)
def test_a_site_in_a_third_state_is_no_known_one(
    crashes: Crashes, kind: str, key: str, name: str, value: str, before: str
) -> None:
    """Objects of ours and of others, on both targets."""
    lab, known = crashes.world.lab, crashes.look().picture
    lab.tamper(SITE, kind, key, {name: value})
    changed = crashes.look().picture
    lab.tamper(SITE, kind, key, {name: before})
    assert known in crashes.pictures.values()
    assert known.differences(changed)
    assert crashes.look().picture == known


def test_a_service_that_does_not_run_is_found(crashes: Crashes) -> None:
    machine = crashes.world.lab.nvr(SITE).windows
    machine.control("Milestone Image Import Service", running=False)
    try:
        ending = crashes.crash(Crash(kill=Point(1, "planned")))
        assert any("must run" in each for each in ending.wrong)
        assert ending.state == "neither"
    finally:
        machine.control("Milestone Image Import Service", running=True)


def test_a_run_that_nobody_resumed_is_found(crashes: Crashes) -> None:
    ending = crashes.crash(Crash(kill=Point(1, "done portal"), resumes=False))
    assert ending.state == "neither"
    assert any("unfinished by its journal" in each for each in ending.wrong)
    assert {each.partition(":")[0] for each in ending.leases} == {"nvr", "portal"}
