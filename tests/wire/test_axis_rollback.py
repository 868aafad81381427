"""`rollback` of a camera as a user runs it: its rules come back, with the mail password that is still declared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import Ran, ivn_here
from tests.support.world import World, started

SITE, CAMERA = "lab-0001", "camera-10"
OLD = 'subject: "Input 1 of lab-0001"'
RULES = "      action_rules:\n"


@pytest.fixture(params=["5.50", "12.9"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A camera as declared."""
    with started(tmp_path, axis=request.param, alone=True) as running:
        assert ivn(running, "apply", "--auto-approve").code == 0
        yield running


def ivn(world: World, command: str, *options: str) -> Ran:
    return ivn_here(command, SITE, *options, cwd=world.folder.parent)


def mails(world: World) -> dict[str, str]:
    """Subjects of our rules on the camera, by name."""
    book = world.lab.camera(SITE, CAMERA).book
    ours = [each for each in book.rules.values() if each.name.startswith("ivn-provision: ")]
    return {each.name: book.configurations[each.action].parameters["subject"] for each in ours}


def test_a_changed_and_a_new_rule_are_taken_back(world: World) -> None:
    before = mails(world)
    path = world.folder / f"{SITE}.yml"
    good = path.read_text("utf-8")
    world.edit(SITE, OLD, 'subject: "Wrong"')
    more = "        - {name: More, trigger: {virtual_input: 2}, conditions: [], "
    world.edit(SITE, RULES, f"{RULES}{more}send_mail: {{recipient: Guard desk, subject: A, message: B}}}}\n")
    done = ivn(world, "apply", "--auto-approve")
    assert done.code == 0, done.err
    assert set(mails(world).values()) == {"Wrong", "A"}
    looked = ivn(world, "rollback", "--to", "last^", "--dry-run")
    assert "Plan: 0 to add, 1 to change, 1 to destroy." in looked.out, looked.out
    done = ivn(world, "rollback", "--to", "last^", "--auto-approve")
    assert done.code == 0, done.out + done.err
    assert mails(world) == before
    path.write_text(good, "utf-8")
    assert "No changes." in ivn(world, "plan").out


def test_a_rule_that_is_gone_comes_back(world: World) -> None:
    before = mails(world)
    text = (world.folder / f"{SITE}.yml").read_text("utf-8")
    begin, end = text.index(RULES), len(text)
    (world.folder / f"{SITE}.yml").write_text(f"{text[:begin]}      action_rules: []\n{text[end:]}", "utf-8")
    done = ivn(world, "apply", "--auto-approve")
    assert done.code == 0, done.err
    assert mails(world) == {}
    done = ivn(world, "rollback", "--to", "last^", "--auto-approve")
    assert done.code in {0, 4}, done.out + done.err  # 4: the password of then is not known, and that is said
    assert mails(world) == before
    (world.folder / f"{SITE}.yml").write_text(text, "utf-8")
    assert "No changes." in ivn(world, "plan").out
