"""The whole way on a real PowerShell: loader, standard input, script, framed reply; and hostile input."""

from __future__ import annotations

import base64
import json
import random
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ivn_provision.drivers.xprotect_e.bootstrap import (
    AGENT_VERSION,
    agent_text,
    clixml_errors,
    command_line,
    decode_reply,
    stdin_payload,
)
from ivn_provision.errors import ProtocolFault
from ivn_provision.lab.nvr.agent_emulation import answer
from tests.conformance.agent_powershell import Job, find_pwsh, reply_bytes, run_jobs, run_pwsh
from tests.unit.test_lab_agent_cases import machine

MARKER = "Marker0123456789ab"
KEY = base64.b64encode(b"k" * 32).decode()
FOUND = find_pwsh()
PWSH = FOUND or ""
pytestmark = pytest.mark.skipif(
    FOUND is None, reason="no PowerShell: neither IVN_PWSH, nor on the path, nor beside the checkout"
)


def bootstrap(stdin: bytes) -> bytes:
    _, arguments = command_line()
    return run_pwsh([PWSH, *arguments], stdin)


def request(*steps: Mapping[str, Any], always: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    return {"protocol": 1, "marker": MARKER, "steps": list(steps), "always": list(always)}


def reading(path: str, *names: str) -> dict[str, Any]:
    return {"verb": "read_files", "redact_key": KEY, "files": [{"path": path, "redact": list(names)}]}


@pytest.mark.parametrize("change", [lambda p: p, lambda p: b"\xef\xbb\xbf" + p.replace(b"\n", b"\r\n")])
def test_the_loader_runs_the_script_as_it_is_sent(change: Any) -> None:
    path = "C:\\no\\Küche $(throw) `' 日本 🎥.xml"
    asked = request(reading(path), {"verb": "no such"}, always=[{"verb": "processes"}])
    reply = decode_reply(bootstrap(change(stdin_payload(agent_text(), asked))), MARKER)
    assert reply["agent"] == AGENT_VERSION
    assert reply["steps"][0] == {"verb": "read_files", "ok": True, "files": [{"path": path, "exists": False}]}
    assert [each["error"]["message"] for each in reply["steps"][1:] + reply["always"]] == [
        "unknown verb",
        "bad arguments",
    ]


def test_a_large_request_goes_through_standard_input() -> None:
    noise = random.Random(1)
    verbs = [base64.b64encode(noise.randbytes(9000)).decode() for _ in range(150)]
    payload = stdin_payload(agent_text(), request(always=[{"verb": verb} for verb in verbs]))
    assert len(payload) > 1_500_000
    assert [each["verb"] for each in decode_reply(bootstrap(payload), MARKER)["always"]] == verbs


def test_a_script_that_cannot_be_unpacked_explains_itself_on_standard_error() -> None:
    _, arguments = command_line()
    done = subprocess.run(
        [PWSH, *arguments], input=b"junk\n.\njunk\n", capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "compress" in clixml_errors(done.stderr)
    with pytest.raises(ProtocolFault, match="holds no reply of the agent"):
        decode_reply(done.stdout, MARKER, done.stderr)


UNREADABLE = [
    "",
    " ",
    "{",
    "{}x",
    "[]",
    "null",
    "[" * 50_000,
    '{"a":' * 50_000,
    '"' + "a" * 100_000,
    '{"protocol":1}',
    '{"protocol":1,"marker":"short"}',
    '{"protocol":1,"marker":"' + "x" * 65 + '"}',
    '{"protocol":1,"marker":"Marker0123456789ab\\n"}',
    '{"protocol":1,"marker":"Märker0123456789ab"}',
    *(
        '{"protocol":1,"marker":"Marker0123456789ab",' + rest
        for rest in (
            '"steps":{}}',
            '"steps":null}',
            '"steps":[1]}',
            '"steps":[{"verb":1}]}',
            '"always":"x"}',
            '"steps":[],}',
            '"steps":[,]}',
            '"steps":[{"verb":"facts"},]}',
            "'steps':[]}",
            '"steps":[01]}',
            '"steps":[+1]}',
            '"steps":[.5]}',
            '"steps":["\\x41"]}',
            '"steps":["\\u12"]}',
            '"steps":["a\tb"]}',
            '"steps":[tru]}',
            '"steps":[True]}',
            '"steps" []}',
            "steps:[]}",
        )
    ),
    '{"protocol":true,"marker":"Marker0123456789ab"}',
    '{"protocol":"1","marker":"Marker0123456789ab"}',
    '{"protocol":1,"protocol":2,"marker":"Marker0123456789ab"}',
    '{"Protocol":1,"MARKER":"Marker0123456789ab"}',
]


def both(texts: Sequence[str], windows: Mapping[str, Any], directory: Path) -> list[tuple[bytes, bytes]]:
    """The script's and the emulation's reply to each request text, markers compared."""
    pairs = []
    ran = run_jobs(PWSH, [Job(text, windows, directory / "C") for text in texts], directory / "run")
    for text, result in zip(texts, ran, strict=True):
        marker, reply = reply_bytes(result.stdout)
        expected_marker, expected = answer(text, machine(directory / "C", windows), agent=AGENT_VERSION)
        assert marker == expected_marker, text[:200]
        pairs.append((reply, expected))
    return pairs


def test_requests_that_cannot_be_read_are_refused_alike(tmp_path: Path) -> None:
    for text, (reply, expected) in zip(UNREADABLE, both(UNREADABLE, {}, tmp_path), strict=True):
        assert reply == expected, text[:200]
        assert json.loads(reply)["error"]["code"] == "bad_request"


HOSTILE = st.one_of(
    st.text(st.characters(codec=None), max_size=60),
    st.text(
        st.sampled_from("\"'`$(){}[]\\/;|&<>%!@#^~\n\r\t\x00\x7f\u2028\u2029\ufeffé日\U0001f3a5\ud800\udfff"),
        max_size=30,
    ),
    st.text(min_size=300, max_size=300),
    st.sampled_from(
        [
            "$(Get-Date)",
            "`n",
            "'; exit 1 #",
            '"; throw "',
            "@{a=1}",
            "%TEMP%",
            "-Verb",
            "\\u0041",
            "__proto__",
        ]
    ),
)


@settings(
    max_examples=2, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
@given(st.lists(HOSTILE, min_size=20, max_size=25))
def test_hostile_strings_come_back_unchanged(names: list[str]) -> None:
    steps: list[dict[str, Any]] = [
        {"verb": "processes", "names": names},
        *(
            {"verb": "service_control", "action": "stop", "names": [each], "timeout_seconds": 1}
            for each in names
        ),
        *(reading("C:\\" + each, each) for each in names),
        *({"verb": each} for each in names),
    ]
    text = json.dumps(request(always=steps))
    with tempfile.TemporaryDirectory() as directory:
        ((reply, expected),) = both([text], {"processes": names}, Path(directory))
    entries = json.loads(reply)["always"]
    assert entries[0]["running"] == names
    assert [each["error"]["message"] for each in entries[1 : len(names) + 1]] == [
        f"no such service: {n}" for n in names
    ]
    assert [each["verb"] for each in entries[-len(names) :]] == names
    for found, wanted, step in zip(entries, json.loads(expected)["always"], steps, strict=True):
        assert found == wanted, step
    assert reply == expected


def test_hostile_names_of_services_are_read_unchanged(tmp_path: Path) -> None:
    names = ["$(throw)", "`n", "'", '"', "\n", "日本", "x" * 300, "a;b", "\u007f"]
    rows = [
        {
            "name": name,
            "display_name": name,
            "state": "Running",
            "start_mode": "Auto",
            "path": name,
            "process_id": 1,
        }
        for name in names
    ]
    ((reply, expected),) = both(
        [json.dumps(request({"verb": "services", "path_pattern": ""}))], {"services": rows}, tmp_path
    )
    assert reply == expected
    assert [each["name"] for each in json.loads(reply)["steps"][0]["services"]] == sorted(names)


def test_large_files(tmp_path: Path) -> None:
    disk = tmp_path / "C" / "C"
    disk.mkdir(parents=True)
    secret = b"<Password>" + b"s3cret" * 5 + b"</Password>"
    content = (b"<row attribute='value'>text</row>\r\n" * 420_000 + secret) * 1
    (disk / "big.xml").write_bytes(content)
    with (disk / "huge.bin").open("wb") as stream:
        stream.truncate(64 * 1024 * 1024 + 1)
    steps = [reading("C:\\big.xml", "Password"), reading("C:\\huge.bin")]
    ((reply, expected),) = both([json.dumps(request(always=steps))], {}, tmp_path)
    assert reply == expected
    assert len(reply) > 19_000_000
    huge = json.loads(reply)["always"][1]
    assert huge["error"]["message"] == "the file is larger than 64 MiB"


@pytest.mark.parametrize(("codec", "mark"), [("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")])
def test_a_cut_utf_16_file_does_not_show_its_secrets(codec: str, mark: bytes, tmp_path: Path) -> None:
    disk = tmp_path / "C"
    disk.mkdir()
    content = mark + "<Password>hunter2</Password><x>".encode(codec) + b"<"
    (disk / "odd.xml").write_bytes(content)
    ran = run_jobs(
        PWSH, [Job(json.dumps(request(reading("C:\\odd.xml", "Password"))), {}, tmp_path)], tmp_path / "run"
    )
    shown = base64.b64decode(json.loads(reply_bytes(ran[0].stdout)[1])["steps"][0]["files"][0]["content"])
    assert "hunter2".encode(codec) not in shown
    assert (len(shown), shown[-1:], shown[:22]) == (len(content), b"<", content[:22])


def test_unexpected_failures_name_their_type_and_not_their_text(tmp_path: Path) -> None:
    text = json.dumps(request(always=[{"verb": "facts"}, {"verb": "processes", "names": []}]))
    ran = run_jobs(PWSH, [Job(text, {"facts": 7}, tmp_path)], tmp_path / "run")
    first, second = json.loads(reply_bytes(ran[0].stdout)[1])["always"]
    assert first["error"]["code"] == "internal"
    assert first["error"]["message"].startswith("unexpected System.")
    assert second["ok"] is True


def test_large_folders(tmp_path: Path) -> None:
    many, large = tmp_path / "C" / "C" / "M", tmp_path / "C" / "C" / "L"
    many.mkdir(parents=True)
    large.mkdir()
    for number in range(2001):
        (many / str(number)).touch()
    for name in ("a", "b", "c"):
        with (large / name).open("wb") as stream:
            stream.truncate(180 * 1024 * 1024)
    backing = {"verb": "backup", "to": "C:\\B", "paths": []}
    steps: list[dict[str, Any]] = [
        {**backing, "folders": ["C:\\M"]},
        {**backing, "folders": ["C:\\L"]},
        {"verb": "snapshot", "folders": ["C:\\L"], "max_files": 10},
        {"verb": "snapshot", "folders": ["C:\\M"], "max_files": 5},
    ]
    ((reply, expected),) = both([json.dumps(request(always=steps))], {}, tmp_path)
    assert reply == expected
    first, second, sizes, cut = json.loads(reply)["always"]
    assert [each["error"]["code"] for each in (first, second)] == ["too_large", "too_large"]
    assert [(each["size"], each["sha256"]) for each in sizes["files"]] == [(180 * 1024 * 1024, "")] * 3
    assert (cut["truncated"], len(cut["files"])) == (True, 5)
    assert not (tmp_path / "C" / "C" / "B").exists()


def test_a_second_agent_waits_or_is_refused_while_the_first_one_works(tmp_path: Path) -> None:
    tree = tmp_path / "C"
    windows: dict[str, Any] = {"processes": []}
    slow = request(
        {"verb": "service_control", "action": "stop", "names": [], "timeout_seconds": 1},
        *({"verb": "require_running", "names": [], "stable_seconds": 1} for _ in range(30)),
    )
    quick = request({"verb": "service_control", "action": "stop", "names": [], "timeout_seconds": 1})
    waiting = request({"verb": "wait_idle", "timeout_seconds": 60}, {"verb": "processes", "names": []})
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(run_jobs, PWSH, [Job(json.dumps(slow), windows, tree)], tmp_path / "1")
        lock = tree / "C" / "ProgramData" / "ivn-provision" / "agent.lock"
        end = time.monotonic() + 60
        while not lock.exists() and time.monotonic() < end:
            time.sleep(0.05)
        others = [Job(json.dumps(each), windows, tree) for each in (quick, waiting, quick)]
        ran = run_jobs(PWSH, others, tmp_path / "2")
        replies = [json.loads(reply_bytes(each.stdout)[1])["steps"] for each in (*ran, *first.result())]
    assert replies[0][0]["error"]["code"] == "locked_by_agent"
    assert replies[1][0]["idle"] is True
    assert replies[2][0]["ok"] is True
    assert all(each["ok"] for each in replies[3])


def test_credentials_never_come_back(tmp_path: Path) -> None:
    user, word = "kamera-7731", "hunter2-9953"
    asking: dict[str, Any] = {
        "port": 9,
        "method": "GET",
        "path": "/",
        "headers": {},
        "body": "",
        "timeout_seconds": 1,
    }
    more = {"username": user, "password": word, "max_bytes": 10}
    steps: list[dict[str, Any]] = [
        {"verb": "http", **asking, **more},
        {"verb": "http", **asking, **more, "port": "x"},
        {"verb": "require_http", **asking, **more, "status": 200, "contains": []},
    ]
    ((reply, expected),) = both([json.dumps(request(always=steps))], {}, tmp_path)
    assert reply == expected
    assert user.encode() not in reply
    assert word.encode() not in reply
    assert base64.b64encode(f"{user}:{word}".encode()) not in reply
