"""What a reading of Windows means: clocks, firewall rules, listeners, disks; and the steps of a change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivn_provision.drivers.xprotect_e.bootstrap import agent_text
from ivn_provision.drivers.xprotect_e.windows import windows_notes, windows_resources, windows_unread
from ivn_provision.drivers.xprotect_e.windows_firewall import blocking_rules, opening, own_rules
from ivn_provision.drivers.xprotect_e.windows_seen import (
    Clocks,
    WindowsAsked,
    WindowsSeen,
    clock_offset,
    role_of_service,
    windows_seen,
)
from ivn_provision.drivers.xprotect_e.windows_write import windows_write_steps
from ivn_provision.model.resource import UNSET, Address, Value
from ivn_provision.model.windows import (
    WindowsPort,
    at_least,
    at_most,
    one_of_words,
    version_at_least,
)
from ivn_provision.plan.plan import Action, Change, FieldChange

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
LOCAL = WindowsPort("local_port", "tcp", 80, "image_server")
GIB = 1 << 30
PROFILES = [
    {"name": each, "enabled": True, "active": each == "private"} for each in ("domain", "private", "public")
]


def rule(name: str = "Web", **fields: Any) -> dict[str, Any]:
    row = {
        "name": name,
        "protocol": "tcp",
        "port": "80",
        "enabled": True,
        "action": "allow",
        "profiles": ["domain", "private", "public"],
        "program": "",
        "service": "",
        "remote": "*",
    }
    return {**row, **fields}


def firewall(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"verb": "firewall", "ok": True, "profiles": PROFILES, "rules": list(rules), "overridden": False}


def service(name: str, program: str, state: str = "Running", mode: str = "Auto") -> dict[str, Any]:
    return {"name": name, "path": program, "state": state, "start_mode": mode}


def seen(*answers: dict[str, Any], asked: WindowsAsked | None = None, services: Any = ()) -> WindowsSeen:
    facts = {"utc_now": "2026-11-23T12:00:00Z", "os_version": "6.1.7601", "service_pack": 0}
    return windows_seen(asked or WindowsAsked((LOCAL,)), facts, services, answers, Clocks(NOON, NOON))


def about(**fields: Any) -> dict[str, Any]:
    given = {"verb": "windows", "ok": True, "dotnet": ["3.5.1", "4.0.30319"], "disks": []}
    return {**given, "time_type": "NTP", "time_servers": ["a", "b"], "time_service": "Running", **fields}


def live(kind: str, found: WindowsSeen, key: str = "") -> dict[str, Value]:
    for each in windows_resources(found, "s"):
        if each.address == Address("s", "nvr", kind, key):
            return dict(each.fields)
    return {}


@given(
    off=st.integers(-100_000, 100_000),
    start=st.floats(0, 60),
    rest=st.floats(0, 60),
    fraction=st.floats(0, 0.999),
)
def test_the_clock_is_never_said_to_be_more_off_than_it_is(
    off: int, start: float, rest: float, fraction: float
) -> None:
    before = NOON + timedelta(seconds=fraction)
    looked = before + timedelta(seconds=start)
    there = (looked + timedelta(seconds=off)).strftime("%Y-%m-%dT%H:%M:%SZ")
    offset = clock_offset(there, Clocks(before, looked + timedelta(seconds=rest)))
    assert offset is not None
    assert abs(offset) <= abs(off) + 0.06, "rounded to a tenth"
    assert offset * off >= 0
    assert abs(offset) >= abs(off) - (start + rest) - 1.06, "and by the round trip at most less"


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-23", "2026-13-23T12:00:00Z"])
def test_a_clock_that_is_no_time_is_unknown(text: str) -> None:
    assert clock_offset(text, Clocks(NOON, NOON)) is None
    assert clock_offset("2026-11-23T12:00:00Z", Clocks(None, None)) is None


@pytest.mark.parametrize(
    ("path", "role"),
    [
        (
            r'"C:\Program Files (x86)\Milestone\Milestone Surveillance\RecordingServer.exe"',
            "recording_server",
        ),
        (r"D:\VMS\imageserver.EXE -service", "image_server"),
        (r'"C:\x\VideoOS.Event.Server.exe" /s', "event_server"),
        (r"C:\RecordingServer.exe\Other.exe", ""),
        (r"C:\x\RecordingServerManager.exe", ""),
        ("", ""),
    ],
)
def test_a_service_is_known_by_its_program(path: str, role: str) -> None:
    assert role_of_service(service("any", path)) == role


@pytest.mark.parametrize(
    ("fields", "opens"),
    [
        ({}, True),
        ({"port": "20, 70-90"}, True),
        ({"port": "*", "protocol": "any"}, True),
        ({"program": r"C:\VMS\ImageServer.exe"}, True),
        ({"program": r"C:\VMS\RecordingServer.exe"}, False),
        ({"profiles": ["domain"]}, False),
        ({"profiles": ["private"]}, True),
        ({"remote": "LocalSubnet"}, False),
        ({"service": "W3SVC"}, False),
        ({"enabled": False}, False),
        ({"action": "block"}, False),
        ({"protocol": "udp"}, False),
        ({"port": "81-90"}, False),
        ({"port": "RPC"}, False),
        ({"name": "ivn-provision local_port"}, False),
    ],
)
def test_a_rule_of_others_opens_the_port_only_for_everybody(fields: dict[str, Any], opens: bool) -> None:
    assert (opening(firewall(rule(**fields)), LOCAL) is not None) is opens


def test_a_block_counts_where_it_is_in_force() -> None:
    rows = [
        rule("B", action="block"),
        rule("A", action="block", port="1-1000", protocol="any"),
        rule("off", action="block", enabled=False),
        rule("elsewhere", action="block", profiles=["public"]),
        rule("other program", action="block", program=r"C:\x.exe"),
        rule("ivn-provision local_port", action="block"),
    ]
    assert blocking_rules(firewall(*rows), [LOCAL]) == "A (tcp 80); B (tcp 80)"


def test_own_rules_are_those_that_the_agent_would_change() -> None:
    names = [
        "ivn-provision local_port",
        "IVN-PROVISION old",
        "ivn-provision $(x)",
        "ivn-provisioned",
        "ivn-provision ",
    ]
    found = own_rules(firewall(*(rule(each) for each in names)))
    assert [each.key for each in found] == ["local_port", "old"]
    twins = own_rules(firewall(rule(names[0]), rule(names[0].upper())))
    assert [each.fields["scope"] for each in twins] == ["2 rules of this name"]
    limited = own_rules(firewall(rule(names[0], remote="10.0.0.0/8", profiles=["domain"])))
    assert limited[0].fields["scope"] == "only from 10.0.0.0/8; not in private, public"


@pytest.mark.parametrize(
    ("rows", "program"),
    [
        ([], "(nobody)"),
        ([("0.0.0.0", "ImageServer.exe")], "image_server"),
        ([("127.0.0.1", "x.exe"), ("::", "httpd.exe")], "httpd.exe"),
        ([("127.0.0.1", "ImageServer.exe"), ("::1", "ImageServer.exe")], "(only from the machine itself)"),
        ([("192.168.1.2", "")], "process 4"),
    ],
)
def test_who_listens(rows: list[tuple[str, str]], program: str) -> None:
    ports = [
        {"protocol": "tcp", "port": 80, "address": address, "program": name, "process_id": 4}
        for address, name in rows
    ]
    found = seen({"verb": "listening", "ok": True, "ports": ports})
    assert live("listening_port", found, "local_port")["program"] == program


def test_space_is_looked_for_where_windows_and_the_programs_are_not_the_recordings() -> None:
    disks = [
        {"drive": "C:", "free_bytes": 30 * GIB, "size_bytes": 1},
        {"drive": "D:", "free_bytes": 6 * GIB - 1, "size_bytes": 1},
        {"drive": "E:", "free_bytes": 0, "size_bytes": 1},
    ]
    found = seen(about(disks=disks), services=[service("S", r'"d:\VMS\ImageServer.exe"')])
    assert live("windows", found)["free_gib"] == 5
    assert "free_gib" not in live("windows", seen(about()))


@pytest.mark.parametrize(
    ("fields", "source"),
    [
        ({}, "a b"),
        ({"time_type": "AllSync"}, "a b"),
        ({"time_servers": []}, "(none)"),
        ({"time_type": "NT5DS"}, "(the domain)"),
        ({"time_type": "NoSync"}, "(none)"),
        ({"time_service": "Stopped"}, "(the Windows time service does not run)"),
    ],
)
def test_time_source(fields: dict[str, Any], source: str) -> None:
    assert live("windows", seen(about(**fields)))["time_source"] == source


def test_what_was_not_answered_is_unknown() -> None:
    failed: list[dict[str, Any]] = [
        {"verb": verb, "ok": False, "error": {}} for verb in ("windows", "listening", "firewall")
    ]
    found = seen(*failed)
    assert windows_unread(found) == {"firewall_rule", "listening_port"}
    assert set(live("windows", found)) == {"clock_offset_seconds", "service_pack"}
    assert windows_unread(seen(firewall(), {"verb": "listening", "ok": True, "ports": []})) == frozenset()


def test_notes_name_what_is_off() -> None:
    services = [service("A", r"C:\a.exe", "Stopped"), service("B", r"C:\b.exe", "Stopped", "Manual")]
    low = about(disks=[{"drive": "C:", "free_bytes": GIB, "size_bytes": GIB}])
    asked = WindowsAsked((LOCAL,), firewall=True)
    overridden = {**firewall(), "overridden": True}
    said = windows_notes(seen(low, overridden, asked=asked, services=services))
    assert said[0] == "the service A starts by itself but is stopped"
    assert said[1] == "only 1.0 GiB are free on drive C: of the recorder"
    assert "group policy" in said[2]
    assert len(said) == 3


def change(kind: str, key: str, what: Action, /, **fields: tuple[Value, Value]) -> Change:
    changed = tuple(FieldChange(name, before, after) for name, (before, after) in fields.items())
    return Change(Address("s", "nvr", kind, key), what, changed, handle="Some Service")


def test_a_service_is_enabled_before_and_disabled_after_everything_else() -> None:
    up = change(
        "windows_service", "x", Action.UPDATE, start_mode=("disabled", "auto"), state=("stopped", "running")
    )
    down = change(
        "windows_service", "y", Action.UPDATE, start_mode=("boot", "disabled"), state=("running", "stopped")
    )
    steps = windows_write_steps([down, up], {})
    assert [step["start_mode"] for step in steps.before] == ["Auto"]
    assert steps.before[0]["undo"][0]["start_mode"] == "Disabled"
    assert [step["verb"] for step in steps.starts] == ["service_control", "require_running"]
    assert steps.starts[0]["undo"][0]["action"] == "stop"
    assert [step.get("start_mode", step.get("action")) for step in steps.after] == ["stop", "Disabled"]
    assert steps.after[0]["undo"][0]["action"] == "start"
    assert steps.after[1]["undo"] == [], "a mode that the agent cannot set is not guessed"


def test_a_rule_is_put_back_as_it_was() -> None:
    wanted: dict[str, Value] = {
        "protocol": "tcp",
        "port": 80,
        "action": "allow",
        "enabled": True,
        "scope": "any",
    }
    address = Address("s", "nvr", "firewall_rule", "local_port")
    create = change(
        "firewall_rule", "local_port", Action.CREATE, **{k: (UNSET, v) for k, v in wanted.items()}
    )
    update = change("firewall_rule", "local_port", Action.UPDATE, port=(81, 80), enabled=(False, True))
    delete = change(
        "firewall_rule", "local_port", Action.DELETE, **{k: (v, UNSET) for k, v in wanted.items()}
    )
    odd = change("firewall_rule", "local_port", Action.UPDATE, port=("80,443", 80))
    made, changed, removed, strange = (
        windows_write_steps([each], {address: wanted}).alone()[0] for each in (create, update, delete, odd)
    )
    assert (made["action"], made["port"], made["undo"][0]["action"]) == ("add", 80, "remove")
    assert (changed["action"], changed["port"]) == ("add", 80)
    undo = changed["undo"][0]
    assert (undo["action"], undo["port"], undo["enabled"], undo["allow"]) == ("add", 81, False, True)
    assert (removed["action"], removed["undo"][0]["action"], removed["undo"][0]["port"]) == (
        "remove",
        "add",
        80,
    )
    assert strange["undo"] == []
    assert {step["name"] for step in (made, changed, removed, strange)} == {"ivn-provision local_port"}


@pytest.mark.parametrize(
    ("accepts", "declared", "good", "bad"),
    [
        (at_most, 5, [0, 5, -5.0, 4.9], [5.1, -6, True, "0", UNSET]),
        (at_least, 20, [20, 21.5, "not needed"], [19, UNSET, True]),
        (version_at_least, "4.0", ["4.0.30319", "4.8", "4.0", "10.0"], ["3.5.30729", "", "4", "x", 4]),
        (one_of_words, "ntp.example.org", ["a NTP.example.org b"], ["", "(none)", "xntp.example.org", 1]),
    ],
)
def test_bounds(accepts: Any, declared: Value, good: list[Value], bad: list[Value]) -> None:
    assert all(accepts(declared, each) for each in good)
    assert not any(accepts(declared, each) for each in bad)


def test_every_verb_of_windows_has_a_case_and_a_failure() -> None:
    folder = Path(__file__).parents[1] / "cases" / "agent"
    text = "".join(each.read_text(encoding="utf-8") for each in folder.glob("*.json"))
    words = ["listening", "firewall", "firewall_rule", "service_config", "windows"]
    assert [each for each in words if f'"verb": "{each}"' not in text] == []
    assert [each for each in ("refused", "unavailable") if f'"code": "{each}"' not in text] == []


def test_the_agent_starts_one_program_only() -> None:
    text = agent_text()
    assert text.count("Diagnostics.Process]::Start(") == 1
    assert text.count("ProcessStartInfo(") == 1
    assert "New-Object Diagnostics.ProcessStartInfo($program, '-ano')" in text
    assert "$program = [IO.Path]::Combine([Environment]::SystemDirectory, 'netstat.exe')" in text
