"""Whatever stands on a camera: the adopted section goes into the site file, nothing else of the file changes, and the plan
of it has nothing but what was told."""

from __future__ import annotations

import tempfile
from itertools import count
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ivn_provision.model.desired import desired_of
from ivn_provision.model.live import Ability, Capabilities, Capability, Facts, Live
from ivn_provision.model.resource import UNSET, Address, Resource, Value
from ivn_provision.plan.build import Reading, build_plan
from ivn_provision.plan.plan import Action, Change
from ivn_provision.report.adopt.section import section_of
from ivn_provision.report.adopt.yaml_text import yaml_text
from ivn_provision.run.adopt_file import put_in
from ivn_provision.secret import SecretRef
from ivn_provision.spec.fleet import find_site

TARGET = "camera-10"
Found = tuple[str, str, dict[str, Value], bool]
"""Kind, key, fields, and whether it is ours."""
HEAD = """\
# stays
site: harbor
cameras:
  - number: 10   # stays too
    label: Lobby
    hardware: {address: 127.0.0.61}
"""
SECTIONS = (
    "    axis:\n      # how\n      connect: {host: 127.0.0.61, username: root, password: !secret env:CAM}  # this\n",
    (
        "    axis:\n        connect:\n          host: 127.0.0.61\n          username: root\n"
        "          password: !secret env:CAM\n        # below\n"
    ),
    "    axis:  # \u2028\n      connect: {host: 127.0.0.61,\n        username: root, password: !secret env:CAM}",
)
TAILS = (
    "",
    "\n\n# end",
    "\n  - number: 11\n    label: Bar\n    hardware: {address: 127.0.0.62}\n    axis: {connect: {host: 127.0.0.62, username: u, password: !secret env:CAM}}\n",
)
NASTY = (
    *("yes", "NO", "0o7", "012", "1:30", "~", "null", "3", "-", "=", "<<", "2026-01-01", "1e3", "0x1F"),
    *(
        "!secret env:X",
        "!ref a.b",
        "a: b",
        "a #b",
        "#",
        "%F %T",
        "%41",
        "%",
        "- x",
        "? x",
        "&a",
        "*a",
        "|",
        ">",
    ),
    *(
        "'",
        '"',
        "'\"",
        "\\",
        "{a}",
        "[a]",
        "a,b",
        "@a",
        "`a",
        " x",
        "x ",
        "é",
        "𝄞",
        "\u202e",
        "\u2028",
        "\x85",
    ),
    *(
        "a\nb",
        "a\n\nb",
        " a\nb",
        "a\n  b\n",
        "a \nb",
        "\na",
        "\tb",
        "a\tb",
        "\ufeffx",
        "\x07",
        "x" * 49,
        "y" * 300,
    ),
    *("word " * 60, "é " * 90, "a  b " * 50, "\u00a0", "\x7f", "---", "...", "Input 1"),
)
texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=60), st.text("ab \n#:'", max_size=30))
rarely = st.sampled_from([False, False, False, True])
plain = st.sampled_from(["Desk", "Door", "yes", "Input 1", "%F %T", "é: 'a' #1"])
conditions = st.sampled_from(
    ["input 1 active", "input 1 active", "input 2 inactive", "virtual input 3 active"]
)
odd_conditions: st.SearchStrategy[Value] = st.sampled_from(
    ["tns1:Device/Light", "input any active", "input 65 active", UNSET]
)
addresses = st.lists(
    st.sampled_from(["a@b.example", "c@d.example", "é@x", "!x"]), min_size=1, max_size=2
).map(tuple)


SERVER: dict[str, Value] = {
    "smtp.sender": "cam@guard.example",
    "smtp.host": "mail.guard.example",
    "smtp.port": 25,
    "smtp.security": "none",
    "smtp.username": "",
    "smtp.password": UNSET,
}


@st.composite
def odd(draw: st.DrawFn, /, **strange: st.SearchStrategy[Value]) -> dict[str, Value]:
    """Mostly nothing; else one field that is strange."""
    name = draw(st.sampled_from(["", *strange])) if draw(rarely) else ""
    return {name.replace("__", "."): draw(strange[name])} if name else {}


odd_servers: dict[str, st.SearchStrategy[Value]] = {
    "smtp__sender": texts,
    "smtp__host": st.one_of(texts, st.sampled_from(["", "10.0.0.1", "mail"])),
    "smtp__port": st.sampled_from([0, 587, 70000, UNSET, "x"]),
    "smtp__security": st.sampled_from(["tls", "starttls", "odd", UNSET]),
    "smtp__username": st.one_of(texts, st.just("cam")),
}


@st.composite
def rules(draw: st.DrawFn) -> Found:
    trigger = draw(conditions)
    fields: dict[str, Value] = {
        "enabled": draw(st.booleans()),
        "trigger": trigger,
        "conditions": draw(st.one_of(st.just((trigger,)), st.lists(conditions, max_size=2).map(tuple))),
        "wait_seconds": draw(st.sampled_from([0, 5])),
        "action": "mail",
        "mail.addresses": draw(addresses),
        "mail.subject": draw(st.one_of(plain, texts)),
        "mail.message": draw(st.one_of(plain, texts)),
        **SERVER,
        **draw(
            odd(
                trigger=odd_conditions,
                conditions=odd_conditions.map(lambda each: (str(each),)),
                action=st.just("com.axis.action.fixed.ledcontrol"),
                mail__addresses=st.sampled_from([(), ("a b",), ("x",) * 9]),
                wait_seconds=st.sampled_from(["P1D", -1, 10**7]),
            )
        ),
        **draw(odd(**odd_servers)),
    }
    return "action_rule", draw(st.one_of(plain, texts)), fields, draw(st.booleans())


@st.composite
def recipients(draw: st.DrawFn) -> Found:
    fields: dict[str, Value] = {"addresses": draw(addresses), **SERVER, **draw(odd(**odd_servers))}
    name = draw(st.one_of(plain, texts))
    return "recipient", name, {} if draw(rarely) else fields, draw(st.booleans())


ports = st.builds(
    lambda number, name, direction, normal: (
        "io_port",
        str(number),
        {"name": name, "direction": direction, "normal": normal},
        True,
    ),
    st.integers(1, 66),
    st.one_of(texts, st.just(UNSET)),
    st.sampled_from(["input", "output", UNSET, "both"]),
    st.sampled_from(["open", "closed", UNSET]),
)
devices = st.tuples(
    st.builds(
        lambda zone, ntp: ("camera_clock", "", {"posix_zone": zone, "ntp_server": ntp}, True),
        st.one_of(texts, st.sampled_from(["EST5EDT,M3.2.0,M11.1.0", ""])),
        st.one_of(texts, st.sampled_from(["dhcp", "", "ntp.example"])),
    ),
    st.builds(
        lambda name, codec, fps: (
            "stream_profile",
            name,
            {"codec": codec, "resolution": "4CIF", "compression": 30, "fps": fps},
            True,
        ),
        texts,
        st.sampled_from(["h264", "odd"]),
        st.sampled_from([0, 15, "x"]),
    ),
    st.just(("axis_user", "guard", {"role": "viewer", "ptz": False}, False)),
    st.just(("action_configuration", "7", {"name": "x", "action": "mail"}, True)),
)


@given(
    st.lists(st.one_of(rules(), recipients(), ports), max_size=7),
    devices,
    st.sampled_from(SECTIONS),
    st.sampled_from(TAILS),
    st.booleans(),
)
def test_the_plan_of_what_is_adopted_has_only_what_was_told(
    found: list[Found],
    more: tuple[Found, ...],
    section: str,
    tail: str,
    crlf: bool,
) -> None:
    live = resources([*unique_ports(found), *more])
    adopted = section_of(live, SecretRef("env", "MAIL"))
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "harbor.yml"
        before = HEAD + section + (tail if section.endswith("\n") or tail.startswith("\n") else f"\n{tail}")
        before = before.replace("\n", "\r\n") if crlf else before
        file.write_text(before, encoding="utf-8", newline="")
        put = put_in(name, "harbor", {10: adopted.data}, yaml_text)
        assert put == {10: tuple(adopted.data)}
        check_that_only_something_was_put_in(before, file.read_bytes().decode())
        plan = build_plan(desired_of(find_site(name, "harbor")), {TARGET: reading(live)})
    told = " | ".join(adopted.told)
    for change in plan.changes:
        assert is_told(change, live, told), (change, adopted)
    said = {each["name"] for each in adopted.data.get("recipients", ())}
    said_rules = {each.get("name", "Input 1") for each in adopted.data.get("action_rules", ())}
    for each in live:
        kept = said_rules if each.kind == "action_rule" else said
        if each.kind in {"action_rule", "recipient"} and each.address.key not in kept:
            assert repr(each.address.key) in told


def unique_ports(
    found: list[Found],
) -> list[Found]:
    """A camera has each port once."""
    there = {key: each for each in found if (key := each[:2])[0] == "io_port"}
    return [*there.values(), *(each for each in found if each[0] != "io_port")]


def resources(found: list[Found]) -> list[Resource]:
    numbers = count(1)
    return [
        Resource(
            Address("harbor", TARGET, kind, key),
            fields,
            owned=owned,
            title=key,
            handle=f"{kind}/{(number := next(numbers))}",
            digest=str(number),
        )
        for kind, key, fields, owned in found
    ]


def reading(live: list[Resource]) -> Reading:
    facts = Facts("camera", "1", Capabilities({}, Capability(Ability.MANAGED)))
    return Reading(facts, Live(tuple(live), {}), "127.0.0.61")


def check_that_only_something_was_put_in(before: str, after: str) -> None:
    at = next(
        (i for i, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), len(before)
    )
    rest = len(before) - at
    assert before[at:] == after[len(after) - rest :]


def is_told(change: Change, live: list[Resource], told: str) -> bool:
    kind, key = change.address.kind, change.address.key
    if change.action is Action.CREATE:
        return kind == "recipient" and f"the plan makes {key!r}" in told
    if change.action is Action.DELETE and kind == "action_configuration":
        return "is left over of ours" in told
    if change.action is Action.DELETE:
        mine = next(each for each in live if each.handle == change.handle)
        newest = f"of ours are called {mine.address.key!r}" in told
        return newest or ("it is ours: a plan with this section removes it" in told and repr(key) in told)
    return {each.name for each in change.fields} == {"smtp.password"} and "password is not shown" in told
