"""`adopt` without a network: the short form, what goes with what is declared, and how a site file is changed."""

from __future__ import annotations

import stat
from pathlib import Path
from textwrap import dedent

import pytest

from ivn_provision.errors import SpecError, UsageProblem
from ivn_provision.model.resource import UNSET, Address, Resource, Value
from ivn_provision.report.adopt.section import Section, section_of
from ivn_provision.report.adopt.yaml_text import yaml_text
from ivn_provision.run.adopt_file import put_in
from ivn_provision.secret import Fingerprint, SecretRef
from ivn_provision.spec.axis import Axis
from ivn_provision.spec.fleet import find_site

SMTP: dict[str, Value] = {
    "smtp.sender": "cam@guard.example",
    "smtp.host": "mail.guard.example",
    "smtp.port": 25,
    "smtp.security": "starttls",
    "smtp.username": "cam",
    "smtp.password": UNSET,
}
RULE: dict[str, Value] = {
    "enabled": True,
    "trigger": "input 1 active",
    "conditions": ("input 1 active",),
    "wait_seconds": 0,
    "action": "mail",
    "mail.addresses": ("desk@guard.example",),
    "mail.subject": "Input 1",
    "mail.message": "%F %T\nDoor",
    **SMTP,
}
SITE = """\
site: harbor   # ours
cameras:
  - number: 10
    label: Lobby
    hardware: {address: 127.0.0.61}
    axis:
      # how it is reached
      connect: {host: 127.0.0.61, username: root, password: !secret env:CAM}  # by cable
EXTRA
"""
PASSWORD = SecretRef("env", "MAIL")


def rule(name: str = "Input 1", *, owned: bool = False, **fields: Value) -> Resource:
    return live("action_rule", name, {**RULE, **dotted(fields)}, owned=owned)


def recipient(name: str = "Desk", *, owned: bool = False, **fields: Value) -> Resource:
    return live(
        "recipient", name, {"addresses": ("desk@guard.example",), **SMTP, **dotted(fields)}, owned=owned
    )


def live(kind: str, key: str, fields: dict[str, Value], *, owned: bool = True) -> Resource:
    return Resource(Address("harbor", "camera-10", kind, key), fields, owned=owned, title=key)


def dotted(fields: dict[str, Value]) -> dict[str, Value]:
    return {name.replace("__", "."): value for name, value in fields.items()}


def site_in(folder: Path, extra: str = "") -> Path:
    file = folder / "harbor.yml"
    file.write_text(SITE.replace("EXTRA\n", extra), encoding="utf-8")
    return file


def declared(folder: Path) -> Axis:
    (camera,) = find_site(folder, "harbor").cameras or ()
    assert camera.axis is not None
    return camera.axis


def write(folder: Path, section: Section) -> tuple[str, ...]:
    return put_in(str(folder), "harbor", {10: section.data}, yaml_text)[10]


def test_a_camera_set_up_as_the_manual_says_gives_the_short_form() -> None:
    section = section_of([rule(), recipient()], PASSWORD)
    assert yaml_text(section.data) == dedent("""\
        smtp:
          sender: cam@guard.example
          host: mail.guard.example
          security: starttls
          username: cam
          password: !secret env:MAIL
        recipients:
          - name: Desk
            addresses:
              - desk@guard.example
        action_rules:
          - send_mail:
              recipient: Desk
              subject: Input 1
              message: |-
                %F %T
                Door
        """)
    (told,) = section.told
    assert "until it was written once" in told


def test_only_what_goes_behind_the_last_line_of_the_section_changes(tmp_path: Path) -> None:
    file = site_in(tmp_path, "      # more to come\n    enabled: true\n")
    file.chmod(0o640)
    before = file.read_text("utf-8")
    assert write(tmp_path, section_of([live("io_port", "1", {"name": "Door"})], PASSWORD)) == ("io_ports",)
    cable = "# by cable\n"
    added = "      io_ports:\n        - port: 1\n          name: Door\n"
    assert file.read_text("utf-8") == before.replace(cable, cable + added)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["harbor.yml"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "sites").mkdir()
    site_in(tmp_path / "kept")
    (tmp_path / "sites" / "harbor.yml").symlink_to("../kept/harbor.yml")
    write(tmp_path / "sites", section_of([live("io_port", "1", {"name": "Door"})], PASSWORD))
    assert (tmp_path / "sites" / "harbor.yml").is_symlink()
    assert "name: Door" in (tmp_path / "kept" / "harbor.yml").read_text("utf-8")


def test_rules_go_with_declared_recipients_and_the_declared_mail_server(tmp_path: Path) -> None:
    site_in(
        tmp_path,
        "      smtp: {sender: cam@guard.example, host: mail.guard.example, security: starttls, username: cam,\n"
        "        password: !secret env:MAIL}\n"
        "      recipients: [{name: Night desk, addresses: [desk@guard.example]}]\n",
    )
    found = [
        rule(),
        rule("Back", mail__addresses=("other@guard.example",)),
        rule("Old", smtp__host="old.guard.example"),
        recipient("Other", addresses=("other@guard.example",)),
    ]
    section = section_of(found, PASSWORD, declared=declared(tmp_path))
    assert list(section.data) == ["action_rules"]
    assert [each["send_mail"]["recipient"] for each in section.data["action_rules"]] == ["Night desk"]
    assert section.told == (
        "rule 'Back' is left out: no declared recipient has its addresses",
        "rule 'Old' is left out: its mail server is another one; a section has one for all",
    )
    assert write(tmp_path, section) == ("action_rules",)


def test_what_a_group_declares_is_declared(tmp_path: Path) -> None:
    site_in(tmp_path, "groups: [g]\n")
    (tmp_path / "groups").mkdir()
    (tmp_path / "groups" / "g.yml").write_text(
        "cameras:\n  - number: 10\n    axis:\n      time: {ntp_server: dhcp}\n", encoding="utf-8"
    )
    clock = live("camera_clock", "", {"ntp_server": "ntp.example", "posix_zone": "UTC0"})
    assert section_of([clock], PASSWORD, declared=declared(tmp_path)).data == {}


def test_a_recipient_that_is_made_for_a_rule_takes_nobodys_name() -> None:
    other = recipient("Input 1", smtp__host="old.guard.example")
    section = section_of([rule(), other], PASSWORD)
    assert [each["name"] for each in section.data["recipients"]] == ["Input 1 2"]
    assert any("the plan makes 'Input 1 2'" in each for each in section.told)


def test_what_a_plan_would_remove_since_it_is_ours_is_told() -> None:
    odd = rule("Odd", owned=True, trigger="tns1:Device/Light")
    left = live("action_configuration", "7", {"name": "Gone", "action": "mail"})
    section = section_of([rule(), recipient(), odd, left, rule("Twice", owned=True), rule("Twice")], PASSWORD)
    told = "\n".join(section.told)
    assert (
        "'Odd' is left out: its trigger `tns1:Device/Light` is not the state of one input; it is ours: "
        in told
    )
    assert "'7' is left over of ours: a plan with this section removes it" in told
    assert "another rule called 'Twice' is not ours: it stays, and is not adopted" in told


def test_a_password_that_the_tool_wrote_is_no_change() -> None:
    seen: Value = Fingerprint("00" * 32, "11" * 16)
    ours = [rule(owned=True, smtp__password=seen), recipient(owned=True, smtp__password=seen)]
    assert "another one than was written would be a change" in section_of(ours, PASSWORD).told[0]


def test_what_was_not_shown_is_told() -> None:
    unread = {"action_rule": "it is off", "recipient": "it is off", "action_configuration": "it is off"}
    section = section_of([], PASSWORD, unread=unread, profile="Low")
    assert section == Section(
        {}, ("action rules and recipients are not adopted: it is off", "there is no stream profile 'Low'")
    )


def test_more_rules_than_a_section_holds_are_told() -> None:
    section = section_of([recipient(), *(rule(f"R{number:03}") for number in range(66))], PASSWORD)
    assert len(section.data["action_rules"]) == 64
    assert [each for each in section.told if "holds 64" in each] == [
        "rule 'R064' is left out: a section holds 64 rules",
        "rule 'R065' is left out: a section holds 64 rules",
    ]


def test_a_file_that_would_break_a_rule_is_not_written(tmp_path: Path) -> None:
    file = site_in(tmp_path)
    before = file.read_bytes()
    twice = {"io_ports": [{"port": 1, "name": "A"}, {"port": 1, "name": "B"}]}
    with pytest.raises(SpecError) as refused:
        put_in(str(tmp_path), "harbor", {10: twice}, yaml_text)
    assert [each.code for each in refused.value.diagnostics] == ["IVN093"]
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "text",
    [
        "io_ports: [{port: 1, name: Other}]\n",
        "io_ports: [{port: 1, name: Door}]\ntime: {ntp_server: dhcp}\n",
        "io_ports: [{port: 1, name: Door}]\n  \nlabels: {a: b}\n",
    ],
)
def test_a_file_that_would_say_anything_else_is_not_written(tmp_path: Path, text: str) -> None:
    file = site_in(tmp_path)
    before = file.read_bytes()
    with pytest.raises((UsageProblem, SpecError)):
        put_in(str(tmp_path), "harbor", {10: {"io_ports": [{"port": 1, "name": "Door"}]}}, lambda _: text)
    assert file.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["harbor.yml"]


def test_a_mark_and_line_ends_stay(tmp_path: Path) -> None:
    file = site_in(tmp_path)
    before = b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n")
    file.write_bytes(before)
    write(tmp_path, section_of([rule(), recipient()], PASSWORD))
    after = file.read_bytes()
    assert after.startswith(before)
    assert after.count(b"\n") == after.count(b"\r\n")
