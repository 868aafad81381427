"""`adopt`: a camera that somebody set up by hand is declared, and the plan of it is empty; nothing is written to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import Ran, ivn_here
from tests.support.world import World, started

SITE, CAMERA = "lab-0001", "camera-10"
PROFILES = ("5.50", "10.12", "11.11", "12.9")
MAIL = {"email_to": "desk@guard.example"}
SERVER = {"email_from": "cam@guard.example", "host": "127.0.0.1", "port": "2525", "encryption": "none"}
PAGE = {"MailServer1": "127.0.0.1", "MailServerPort1": "2525", "FromEmail": "cam@guard.example"}


@pytest.fixture(params=PROFILES)
def by_hand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A camera with a recipient and a rule of somebody's, of which the site file says only how it is reached."""
    with started(tmp_path, axis=request.param) as world:
        path = world.folder / f"{SITE}.yml"
        text = path.read_text("utf-8")
        begin, end = text.index("      smtp:\n        sender: camera"), text.index("  - number: 11")
        path.write_text(text[:begin] + text[end:], "utf-8")
        set_up(world, request.param)
        yield world


def adopt(world: World, *options: str) -> Ran:
    return ivn_here("adopt", SITE, "--fleet", str(world.folder), *options, cwd=world.folder.parent)


def set_up(world: World, profile: str) -> None:
    def tamper(kind: str, key: str, fields: dict[str, str]) -> None:
        world.lab.tamper(SITE, f"{CAMERA}/{kind}", key, fields)

    slots = MAIL if profile == "5.50" else {**MAIL, **SERVER}
    for name, value in PAGE.items() if profile == "5.50" else ():
        tamper("param", f"SMTP.{name}", {"value": value})
    tamper("recipient", "Desk", slots)
    tamper("rule", "Front door", {"input": "1"})
    tamper("configuration", "Front door", {**slots, "subject": 'Door: "open" # 1', "message": "%F %T"})


def test_the_plan_of_what_was_adopted_is_empty(by_hand: World) -> None:
    counters = by_hand.lab.camera(SITE, CAMERA).counters
    before, text = counters.writes, (by_hand.folder / f"{SITE}.yml").read_text("utf-8")
    done = adopt(by_hand, "--write")
    assert done.code == 0, done.err
    assert "action_rules" in done.out
    after = (by_hand.folder / f"{SITE}.yml").read_text("utf-8")
    assert [line for line in text.splitlines() if line not in after.splitlines()] == []
    assert "name: Front door" in after
    (outcome,) = by_hand.plan(SITE)
    assert outcome.plan is not None
    assert [str(each.address) for each in outcome.plan.changes if each.address.target == CAMERA] == []
    assert counters.writes == before
    again = adopt(by_hand, "--write")
    assert "nothing written" in again.out


def test_a_change_of_what_was_adopted_makes_it_ours(by_hand: World) -> None:
    adopt(by_hand, "--write")
    by_hand.edit(SITE, "%F %T", "%T %F")
    (outcome,) = by_hand.apply(SITE, targets=(f"{CAMERA}/*",))
    assert outcome.error is None, outcome.error
    book = by_hand.lab.camera(SITE, CAMERA).book
    names = [each.name for each in book.rules.values()] + [each.name for each in book.configurations.values()]
    assert [each for each in names if "Front door" in each] == ["ivn-provision: Front door"] * 2


@pytest.mark.parametrize("by_hand", ["12.9"], indirect=True)
def test_what_cannot_be_said_is_told(by_hand: World) -> None:
    password = "hunter2-5521"
    by_hand.lab.tamper(SITE, f"{CAMERA}/configuration", "Front door", {"login": "cam", "password": password})
    by_hand.lab.tamper(SITE, f"{CAMERA}/rule", "Twice", {"input": "1"})
    by_hand.lab.tamper(SITE, f"{CAMERA}/rule", "Other", {"input": "1", "name": "Twice"})
    done = adopt(by_hand, "--format", "json")
    assert done.code == 0, done.err
    (camera,) = json.loads(done.out)
    assert camera["axis"]["smtp"]["password"] == "!secret env:LAB_0001_CAMERA_10_MAIL"
    for told in (
        "the mail account's password is not shown",
        "'Factory rule 1' is left out",
        "'Desk' is left out",
    ):
        assert told in done.err
        assert any(told in note for note in camera["notes"])
    assert password not in done.out + done.err


@pytest.mark.parametrize("by_hand", ["11.11"], indirect=True)
def test_a_camera_that_does_not_answer_keeps_its_error(by_hand: World) -> None:
    host = by_hand.site(SITE).cameras[0].axis.connect.host  # type: ignore[index,union-attr]  # as written above
    dead = f"    axis: {{connect: {{host: {host}, port: 9, username: root, password: !secret env:PATH}}}}\n"
    by_hand.edit(SITE, "  - number: 11\n", f"  - number: 11\n{dead}")
    done = adopt(by_hand, "--write", "--format", "json")
    first, second = json.loads(done.out)
    assert (done.code, second["error"]["type"]) == (1, "Unreachable")
    assert "action_rules" in first["written"]
    assert "axis" not in second
    assert "error:" in done.err


@pytest.mark.parametrize("by_hand", ["10.12"], indirect=True)
def test_a_service_that_is_off_is_told(by_hand: World) -> None:
    by_hand.lab.camera(SITE, CAMERA).params.values["Properties.API.WebService.WebService"] = "no"
    done = adopt(by_hand, "--profile", "Nobody")
    assert done.code == 0, done.err
    assert "action rules and recipients are not adopted: the camera's action service is off" in done.err
    assert "there is no stream profile 'Nobody'" in done.err
    assert "io_ports:" in done.out
    assert "action_rules" not in done.out


@pytest.mark.parametrize("by_hand", ["11.11"], indirect=True)
def test_what_it_is_called_wrongly_for(by_hand: World) -> None:
    done = adopt(by_hand, "--camera", "11")
    assert (done.code, "does not say how camera 11 is reached" in done.err) == (64, True)
    path = by_hand.folder / f"{SITE}.yml"
    text = path.read_text("utf-8")
    begin = text.index("    axis:\n")
    flow = (
        text[:begin]
        + "    axis: {connect: "
        + _connect(text[begin:])
        + "}\n"
        + text[text.index("  - number: 11") :]
    )
    path.write_text(flow, "utf-8")
    done = adopt(by_hand, "--write")
    assert (done.code, "not written in lines of its own" in done.err) == (64, True)
    assert path.read_text("utf-8") == flow


def _connect(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.startswith("        ")]
    return "{" + ", ".join(lines) + "}"


@pytest.mark.parametrize("by_hand", ["11.11"], indirect=True)
@pytest.mark.parametrize("options", [(), ("--format", "json")])
def test_nothing_on_a_camera_drives_the_terminal(by_hand: World, options: tuple[str, ...]) -> None:
    turned, escape = "\u202eevil\u200b\u009b31m", "\x1b]0;owned\x07"
    by_hand.lab.tamper(SITE, f"{CAMERA}/rule", f"Rule {turned}", {"input": "1"})
    by_hand.lab.tamper(SITE, f"{CAMERA}/configuration", "Front door", {"message": f"a{turned}"})
    by_hand.lab.tamper(SITE, f"{CAMERA}/user", f"night{escape}", {"password": "x"})
    done = adopt(by_hand, *options)
    assert done.code == 0, done.err
    shown = (done.out + done.err).replace("\n", "")
    assert "evil" in shown
    assert "owned" in shown
    assert shown.isprintable(), ascii(shown)
