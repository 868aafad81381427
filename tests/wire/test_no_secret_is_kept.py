"""A whole life of a site by the command line: nothing of any secret is below `.ivn`, or was ever printed."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.command import Ran, ivn_here
from tests.support.crash import SITE, killed_after
from tests.support.crash_child import Point
from tests.support.world import World
from tests.wire.test_cost_and_secrets import CONFIGURATION, forms, lab_secrets, plant

NEW_PASSWORD = "Neues.Portal-Kennwort_5150"


@dataclass
class Life:
    """Commands of one folder, and everything that they said."""

    at: Path
    said: list[str] = field(default_factory=list)
    commands: set[str] = field(default_factory=set)

    def run(self, *arguments: str, code: int = 0) -> Ran:
        ran = ivn_here(*arguments, cwd=self.at)
        assert ran.code == code, f"{arguments}: {ran.code}\n{ran.out}{ran.err}"
        self.said += [ran.out, ran.err]
        self.commands.add(arguments[0])
        return ran

    def run_of(self, index: int = 0) -> str:
        return sorted(path.name for path in (self.at / ".ivn" / "runs").iterdir())[-1 - index]


@pytest.fixture
def life(world: World) -> Life:
    world.attest_all(SITE)
    return Life(world.folder.parent)


def test_of_all_secrets_nothing_is_written_or_said(world: World, life: Life) -> None:
    secrets = [*plant(world, CONFIGURATION, b"</config>"), *lab_secrets(world), NEW_PASSWORD]
    assert len(set(secrets)) > 7
    good_and_bad(world, life)
    changed_password(world, life)
    broken_and_killed(world, life)
    looked_at(life)
    assert {"apply", "resume", "rollback", "history", "status", "confirm", "show", "drift"} <= life.commands
    printed = "\0".join(life.said).encode()
    kept = {path: path.read_bytes() for path in sorted((life.at / ".ivn").rglob("*")) if path.is_file()}
    kept[life.at / "p.ivnplan"] = (life.at / "p.ivnplan").read_bytes()
    assert len(kept) > 20
    for secret in set(secrets):
        for form in forms(secret):
            assert form not in printed, secret
            assert not [path for path, content in kept.items() if form in content], secret
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (life.at / ".ivn").rglob("*")}
    modes = {path: mode for path, mode in modes.items() if "cache" not in path.parts}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}


def good_and_bad(world: World, life: Life) -> None:
    life.run("plan", SITE, "-o", "p.ivnplan")
    life.run("apply", "p.ivnplan", "--auto-approve")
    life.run("apply", "p.ivnplan", "--auto-approve", code=1)
    world.edit(SITE, "label: Main Entrance", "label: Front Door")
    life.run("apply", SITE, "--auto-approve", "--confirm-within", "10m", "--hold", "--format", "json")
    life.run("status", SITE, code=2)
    life.run("confirm", SITE)


def changed_password(world: World, life: Life) -> None:
    """The viewer's password is another one, so that the portal's device is written with it."""
    path = next(iter((life.at / "lab" / "secrets").glob("*ivnview*")))
    path.write_text(NEW_PASSWORD, "utf-8")
    (life.at / "attestations" / f"{SITE}.yml").unlink(missing_ok=True)
    world.attest_all(SITE)
    ran = ivn_here("apply", SITE, "--auto-approve", cwd=life.at)
    life.said += [ran.out, ran.err]
    assert any("password" in each for each in life.said)


def broken_and_killed(world: World, life: Life) -> None:
    world.edit(SITE, "label: Front Door", "label: Side Door")
    world.lab.fault(SITE, "service-start-fails-once")
    ran = ivn_here("apply", SITE, "--auto-approve", cwd=life.at)
    assert ran.code != 0
    life.said += [ran.out, ran.err]
    run = "29991231T235959Z-deadbeef"
    killed_after(world, Point(1, "done nvr"), run)
    life.run("status", SITE, code=2)
    ran = ivn_here("resume", run, "--revert", cwd=life.at)
    life.said += [ran.out, ran.err]
    life.commands.add("resume")


def looked_at(life: Life) -> None:
    for form in ("text", "json"):
        life.run("history", SITE, "--format", form)
        for index in range(3):
            life.run("history", "show", life.run_of(index), "--format", form)
        life.run("show", "p.ivnplan", "--format", form)
        for arguments in (
            ("rollback", SITE, "--to", "last^", "--dry-run", "--format", form),
            ("drift", SITE, "--format", form),
        ):
            ran = ivn_here(*arguments, cwd=life.at)
            life.said += [ran.out, ran.err]
            life.commands.add(arguments[0])
            assert SITE in ran.out
