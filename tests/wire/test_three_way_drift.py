"""`drift --base` on the lab: what was changed by hand is told from what is not applied yet, for no more requests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dulwich import porcelain
from dulwich.repo import Repo

from tests.support.command import Ran, ivn_here, next_second
from tests.support.world import World

SITE = "lab-0001"
WHO = b"a <a@example.invalid>"
GATE = ("label: Gate contact", "label: Gate moved")


@pytest.fixture
def at(world: World) -> Path:
    """A repository whose commit was applied, by a run of this folder."""
    world.attest_all(SITE)
    root = world.folder.parent
    porcelain.init(str(root)).close()
    commit(world)
    assert ivn_here("apply", SITE, "--auto-approve", cwd=root).code == 0
    return root


def commit(world: World) -> None:
    root = world.folder.parent
    with Repo(str(root)) as repo:
        porcelain.add(repo, [str(path) for path in world.folder.rglob("*.yml")])
        porcelain.commit(repo, b"x", committer=WHO, author=WHO)


def edit(world: World, old: str, new: str) -> None:
    path = world.folder / f"{SITE}.yml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def drift(at: Path, *options: str) -> Ran:
    return ivn_here("drift", SITE, *options, cwd=at)


def test_what_is_not_applied_yet_is_no_drift(world: World, at: Path) -> None:
    edit(world, *GATE)
    assert drift(at).code == 2
    for base in ("HEAD", "applied"):
        ran = drift(at, "--base", base)
        assert ran.code == 0, ran.out + ran.err
        assert "differs: not applied yet" in ran.out
        assert "1 not applied yet" in ran.out


def test_what_somebody_changed_is_drift_and_both_are_told_apart(world: World, at: Path) -> None:
    edit(world, *GATE)
    world.lab.nvr(SITE).tamper("generic_event", "2 S", {"email": "false"})
    ran = drift(at, "--base", "HEAD", "--format", "json")
    assert ran.code == 2, ran.out + ran.err
    (site,) = json.loads(ran.out)["ivn"]["sites"]
    assert {each["address"].split("/", 2)[2]: each["cause"] for each in site["changes"]} == {
        "generic_event/2": "by hand",
        "hardware_event/3": "not applied",
    }


def test_a_file_that_was_changed_and_a_target_too(world: World, at: Path) -> None:
    edit(world, *GATE)
    world.lab.nvr(SITE).tamper("hardware_event", "3 H Gate contact", {"label": "Somebody's"})
    ran = drift(at, "--base", "HEAD")
    assert ran.code == 2
    assert "changed by hand" in ran.out


def test_another_head_is_compared_instead_of_the_files(world: World, at: Path) -> None:
    edit(world, *GATE)
    commit(world)
    assert drift(at, "--base", "HEAD", "--head", "HEAD~1").code == 0
    assert "No changes" in drift(at, "--base", "HEAD", "--head", "HEAD~1").out
    assert drift(at, "--base", "HEAD~1", "--head", "HEAD").code == 0


def test_it_costs_nothing_more_on_the_targets(world: World, at: Path) -> None:
    edit(world, *GATE)
    counters, portal = world.lab.nvr(SITE).counters, world.lab.portal.counters
    costs = []
    for options in ((), ("--base", "HEAD")):
        before = counters.posts, counters.processes, portal.requests, counters.file_writes
        drift(at, *options)
        after = counters.posts, counters.processes, portal.requests, counters.file_writes
        costs.append([new - old for new, old in zip(after, before, strict=True)])
    assert costs[0] == costs[1]
    assert costs[0][3] == 0


def test_a_wrong_base_is_one_error(at: Path) -> None:
    ran = drift(at, "--base", "no-such-branch")
    assert ran.code == 1
    assert ran.err.count("there is no revision no-such-branch") == 1
    assert drift(at, "--head", "HEAD").code == 64


def test_without_a_known_apply_everything_counts(world: World, at: Path) -> None:
    edit(world, *GATE)
    next_second()
    assert ivn_here("apply", SITE, "--auto-approve", cwd=at).code == 0  # from files that are not committed
    edit(world, GATE[1], "label: Gate again")
    ran = drift(at, "--base", "applied")
    assert ran.code == 2
    assert "since when it was live is not known" in ran.out


def test_an_audit_tells_them_apart_too(world: World, at: Path) -> None:
    edit(world, *GATE)
    for tampered, code, state in ((False, 0, "unapplied"), (True, 2, "drift")):
        if tampered:
            world.lab.nvr(SITE).tamper("generic_event", "2 S", {"email": "false"})
        ran = ivn_here("audit", "--base", "HEAD", "--format", "json", "--no-history", cwd=at)
        assert ran.code == code, ran.out + ran.err
        (site,) = json.loads(ran.out)["sites"]
        assert site["state"] == state
    causes = {each["address"].split("/", 2)[2]: each["cause"] for each in site["findings"] if each["cause"]}
    assert causes == {"generic_event/2": "by hand", "hardware_event/3": "not applied"}
