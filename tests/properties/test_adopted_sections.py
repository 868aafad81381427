"""Whatever stands on a camera: the adopted section is a site file that means just that, or says what it left out."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ivn_provision.model.desired import desired_of
from ivn_provision.model.resource import Address, Resource, Value
from ivn_provision.report.axis_yaml import section_of
from ivn_provision.report.yaml_out import yaml_text
from ivn_provision.run.adopt_file import put_in
from ivn_provision.secret import SecretRef
from ivn_provision.spec.fleet import find_site
from ivn_provision.spec.ruleset import NO_RULES

TARGET = "camera-10"
SITE = """\
# stays
site: harbor
cameras:
  - number: 10   # stays too
    label: Lobby
    hardware: {address: 192.168.10.61}
    axis:
      connect: {host: 192.168.10.61, username: root, password: !secret env:CAM}   # and this
"""
SMTP: dict[str, Value] = {
    "smtp.sender": "cam@guard.example",
    "smtp.host": "mail.guard.example",
    "smtp.port": 25,
    "smtp.security": "none",
    "smtp.username": "",
}
NASTY = (
    "yes",
    "!secret env:X",
    "a: b",
    "- x",
    "'",
    '"',
    "#",
    "%F %T",
    " x",
    "x ",
    "0o7",
    "~",
    "é",
    "\u2028",
    "&a",
    "*a",
)
texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=60))
conditions = st.sampled_from(
    ["input 1 active", "input 2 inactive", "virtual input 3 active", "tns1:Device/Light", "input any active"]
)


def resource(kind: str, key: str, fields: dict[str, Value], *, owned: bool = True) -> Resource:
    return Resource(Address("harbor", TARGET, kind, key), fields, owned=owned)


@st.composite
def rules(draw: st.DrawFn) -> Resource:
    fields: dict[str, Value] = {
        "enabled": draw(st.booleans()),
        "trigger": draw(conditions),
        "conditions": tuple(draw(st.lists(conditions, max_size=2))),
        "wait_seconds": draw(st.sampled_from([0, 5])),
        "action": draw(st.sampled_from(["mail", "mail", "mail", "com.axis.action.fixed.ledcontrol"])),
        "mail.addresses": tuple(draw(st.lists(st.sampled_from(["a@b.example", "c@d.example"]), max_size=2))),
        "mail.subject": draw(texts),
        "mail.message": draw(texts),
        **SMTP,
    }
    return resource("action_rule", draw(texts), fields, owned=draw(st.booleans()))


@given(st.lists(rules(), max_size=4), st.lists(st.tuples(texts, st.booleans()), max_size=3))
def test_what_is_written_is_what_stands_there(found: list[Resource], names: list[tuple[str, bool]]) -> None:
    recipients = [
        resource("recipient", name, {"addresses": ("a@b.example",), **SMTP}, owned=owned)
        for name, owned in names
    ]
    ports = [resource("io_port", "1", {"name": "Door", "direction": "input", "normal": "open"})]
    section = section_of([*found, *recipients, *ports], SecretRef("env", "MAIL"))
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "harbor.yml"
        file.write_text(SITE, encoding="utf-8")
        blocks = {key: yaml_text({key: value}) for key, value in section.data.items()}
        assert put_in(name, "harbor", {10: blocks}) == {10: tuple(blocks)}
        text = file.read_text(encoding="utf-8")
        assert [line for line in SITE.splitlines() if line not in text.splitlines()] == []
        desired = desired_of(find_site(name, "harbor", rules=NO_RULES))
    live = {each.address: each for each in (*recipients, *found) if each.owned} or {}
    live = {each.address: each for each in (*recipients, *found)} | live
    said = [each for each in desired.resources.values() if each.kind == "action_rule"]
    for each in said:
        assert dict(each.fields) == {
            name: value for name, value in live[each.address].fields.items() if name in each.fields
        } | {"mail.addresses": each.fields["mail.addresses"]}
        assert sorted(map(str, each.fields["mail.addresses"])) == sorted(  # type: ignore[arg-type]
            map(str, live[each.address].fields["mail.addresses"])  # type: ignore[arg-type]
        )
    left_out = {each.address.key for each in found} - {each.address.key for each in said}
    assert all(any(repr(key) in line for line in section.told) for key in left_out)
