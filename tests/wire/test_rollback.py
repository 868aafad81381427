"""`rollback` as a user runs it: to a run, to before it, to a snapshot, to a git revision."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from dulwich import porcelain
from dulwich.repo import Repo

from ivn_provision.drivers.xprotect_e.xml_document import parse
from ivn_provision.run.journal import read_run, runs_of
from ivn_provision.run.past import past_of
from ivn_provision.run.story import story_of
from tests.support.command import Ran, ivn, ivn_here, next_second
from tests.support.world import World

SITE = "lab-0001"
EVENT = "  - {pin: 2, email: true}\n"
PIN = "    - {pin: 2, source: soft, camera: 10, event_type: perimeter}\n"
OURS = {"2 H Door contact", "3 H Gate contact", "3 H Gate", "2 S", "7 S", "Door forced"}
WHO = b"a <a@example.invalid>"


@pytest.fixture
def at(world: World) -> Path:
    """The folder that holds `sites/`; what reading cannot show is attested."""
    world.attest_all(SITE)
    return world.folder.parent


def applied(at: Path, *options: str) -> str:
    """Apply the site file; the id of the run."""
    before = {path.name for path in (at / ".ivn" / "runs").glob("*")}
    next_second()
    ran = ivn_here("apply", SITE, "--auto-approve", *options, cwd=at)
    assert ran.code == 0, ran.out + ran.err
    (run,) = {path.name for path in (at / ".ivn" / "runs").glob("*")} - before
    return run


def rollback(at: Path, *options: str, write: bool = True) -> Ran:
    next_second()
    return ivn_here("rollback", SITE, *options, "--auto-approve" if write else "--dry-run", cwd=at)


def writes(world: World) -> tuple[int, int, int]:
    nvr = world.lab.nvr(SITE).counters
    return nvr.file_writes, nvr.service_restarts, world.lab.portal.counters.writes


def is_as_declared(world: World) -> bool:
    (outcome,) = world.plan(SITE)
    assert outcome.error is None, outcome.error
    assert outcome.plan is not None
    return not outcome.plan.changes


def recorder_file(world: World) -> bytes:
    return world.lab.nvr(SITE).configuration_path.read_bytes()


def foreign_of(world: World) -> list[bytes]:
    """The bytes of every object on the recorder that is not ours."""
    raw = recorder_file(world)
    document = parse(raw, path="configuration.xml")
    found = [
        *document.root.all("Events/HardwareInputEvents/*"),
        *document.root.all("Events/GenericEvents/*"),
        *document.root.all("AlarmDefinitions/*"),
    ]
    names = [(each, (each.value("Name") or "")) for each in found]
    return [document.utf8[each.start : each.end] for each, name in names if name not in OURS]


def test_a_bad_change_is_undone(world: World, at: Path) -> None:
    applied(at)
    good = (world.folder / f"{SITE}.yml").read_text()
    world.edit(SITE, EVENT, "  - {pin: 2, email: false}\n  - {pin: 7, email: true}\n")
    world.edit(SITE, "label: Gate contact", "label: Gate")
    world.edit(SITE, PIN, PIN + PIN.replace("2", "7"))
    world.edit(SITE, "clip: {", "monitoring: {station: central, account_number: '77'}\n  clip: {")
    bad = applied(at)
    foreign = foreign_of(world)
    before = writes(world)
    looked = rollback(at, "--to", "last^", write=False)
    assert looked.code == 0, looked.err
    assert "email = false -> true" in looked.out
    assert "monitoring.station" in looked.out
    assert "Plan: 0 to add, 3 to change, 2 to destroy." in looked.out
    assert writes(world) == before
    done = rollback(at, "--to", f"{bad}^")
    assert done.code == 0, done.err
    assert done.out.startswith(f"Rolling {SITE} back to the state before run {bad}.\n")
    assert done.out.index("Plan: ") < done.out.index("Proof: ")
    assert f"{SITE} is as in the state before run {bad}." in done.out
    (world.folder / f"{SITE}.yml").write_text(good)
    assert is_as_declared(world)
    assert foreign_of(world) == foreign
    assert runs_of(world.state)[0].command == f"rollback --to {bad}^"
    story = story_of(read_run(world.state, runs_of(world.state)[0].run), SITE)
    assert story.spec == "", (
        "no site file says this state: resume puts a broken rollback back, never finishes it by the file"
    )


def test_a_run_can_be_gone_forward_to_again(world: World, at: Path) -> None:
    applied(at)
    world.edit(SITE, EVENT, "  - {pin: 2, email: false}\n")
    second = applied(at)
    assert rollback(at, "--to", "last^").code == 0
    assert not is_as_declared(world)
    assert rollback(at, "--to", second[:-4]).code == 0, "the beginning of a run's name is enough"
    assert is_as_declared(world)
    snapshot = past_of(world.state, second).sites[0].before
    again = rollback(at, "--to-snapshot", snapshot)
    assert again.code == 0, again.err
    assert f"back to snapshot {snapshot} of " in again.out
    assert not is_as_declared(world)


def test_back_to_before_the_first_run(world: World, at: Path) -> None:
    raw, foreign = recorder_file(world), foreign_of(world)
    run = applied(at)
    refused = rollback(at, "--to", f"{run}^")
    assert refused.code == 1
    found = re.search(r"--allow (deletes=\d+)", refused.err)
    assert found, refused.err
    done = rollback(at, "--to", f"{run}^", "--allow", found[1])
    assert done.code == 0, done.out + done.err
    assert foreign_of(world) == foreign
    assert len(recorder_file(world)) - len(raw) < 400, "nothing of ours is left but changed texts"
    (outcome,) = world.plan(SITE)
    assert outcome.plan is not None
    assert not [each for each in outcome.plan.live if each.target == "portal"]


def test_what_cannot_be_put_back_is_said_first(world: World, at: Path) -> None:
    first = applied(at)
    world.lab.tamper(SITE, "user", "ivnview", {"administrator": "false"})
    ran = rollback(at, "--to", first)
    assert ran.code == 4
    told = ran.out.index("The tool cannot put this back:")
    assert f"! {SITE}/nvr/user/ivnview administrator: access level" in ran.out
    assert told < ran.out.index("Plan: ")
    looked = rollback(at, "--to", first, "--format", "json", write=False)
    assert looked.code == 4
    assert "The tool cannot put this back:" in looked.err
    document = json.loads(looked.out)["rollback"]
    assert document["to"]["run"] == first
    assert [(each["address"], each["field"]) for each in document["lost"]] == [
        (f"{SITE}/nvr/user/ivnview", "administrator")
    ]


def test_a_git_revision_without_touching_the_work_tree(world: World, at: Path) -> None:
    repo = Repo.init(str(at))
    porcelain.add(repo, [str(each) for each in world.folder.glob("*.yml")])
    good = porcelain.commit(repo, b"good", committer=WHO, author=WHO).decode()
    repo.close()
    applied(at)
    world.edit(SITE, EVENT, "  - {pin: 2, email: false}\n")
    applied(at)
    kept = {each: each.read_bytes() for each in [at / ".git" / "index", *world.folder.rglob("*.yml")]}
    done = rollback(at, "--to-rev", good[:10])
    assert done.code == 0, done.out + done.err
    assert f"the site file at {good[:10]} ({good[:12]})" in done.out
    assert {each: each.read_bytes() for each in kept} == kept
    (plan,) = [each.plan for each in world.plan(SITE)]
    assert plan is not None
    assert [str(each.address) for each in plan.changes] == [f"{SITE}/nvr/generic_event/2"]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ((), 64, "needs one of --to, --to-snapshot and --to-rev"),
        (("--to", "last", "--to-rev", "HEAD"), 64, "needs one of"),
        (("--to", "20200101T000000Z-00000000"), 1, "there is no run"),
        (("--to", "last"), 1, "no run that wrote to lab-0001 is known"),
        (("--to", "../../etc"), 1, "is no name of a run"),
        (("--to-snapshot", "snap-000000000000"), 1, "there is no snapshot"),
        (("--to-rev", "--upload-pack=x"), 1, "is no name of a git revision"),
    ],
)
def test_goals_that_are_none(world: World, at: Path, options: tuple[str, ...], code: int, words: str) -> None:
    ran = rollback(at, *options)
    assert ran.code == code
    assert words in ran.err
    assert "next:" in ran.err
    assert writes(world) == (0, 0, 0)


def test_it_asks_before_it_writes(at: Path) -> None:
    ran = ivn("rollback", SITE, "--to", "last", cwd=at)
    assert ran.code == 64
    assert "rollback asks before it writes" in ran.err
