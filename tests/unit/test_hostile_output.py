"""What others wrote - names, live values, plan files - drives no terminal and breaks no report."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivn_provision.cli.shared import echo
from ivn_provision.cli.show import MAX_BYTES, read_plan
from ivn_provision.diagnostics import Diagnostic, Place, Severity
from ivn_provision.errors import PlanError, ProtocolFault
from ivn_provision.model.resource import Address
from ivn_provision.plan.plan import Action, Change, FieldChange, Foreign, SitePlan, TargetFacts, Unverified
from ivn_provision.plan.plan_json import from_json
from ivn_provision.report.apply_text import render_outcome
from ivn_provision.report.diagnostics_sarif import render_sarif
from ivn_provision.report.errors_text import render_error
from ivn_provision.report.paint import Paint, safe
from ivn_provision.report.plan_text import render, show
from ivn_provision.run.engine import SiteOutcome
from tests.support.command import ivn

PLAIN = Paint(on=False)
# Terminal commands in C0 and C1, deletion, direction overrides, invisible marks, line ends, half a pair, tags
HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\u202egpj\u2066\u200b\u200d\u00ad\ufeff\u2028\u0085\r\n\ud800\U000e0041"
TEXT = st.text(st.characters() | st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), max_size=20)


def assert_harmless(text: str) -> None:
    """Lines of printable text that UTF-8 can hold."""
    text.encode()
    assert all(line.isprintable() for line in text.split("\n")), ascii(text)


@given(TEXT)
def test_safe_text_is_printable(text: str) -> None:
    assert safe(text).isprintable()
    assert text.isprintable() <= (safe(text) == text)


@given(TEXT, TEXT)
def test_a_shown_value_is_printable_and_says_which(one: str, other: str) -> None:
    assert show(one).isprintable()
    assert (show(one) == show(other)) == (one == other)


@pytest.mark.parametrize("character", ["\x9d", "\u202e", "\u200b", "\u2028", "\ud800", "\x7f", "\u00ad"])
def test_an_escape_in_a_value_is_one_of_json(character: str) -> None:
    assert json.loads(show(f"a{character}b")) == f"a{character}b"


def plan_full_of(text: str) -> SitePlan:
    address = Address(text, text, "camera", text)
    fields = (
        FieldChange(text, text, text, forces_replacement=True, reason=text),
        FieldChange(f"{text}.list", (text,), (f"{text}2",)),
    )
    return SitePlan(
        text,
        changes=(
            Change(address, Action.UPDATE, fields, title=f"on {text}", reason=text),
            Change(address, Action.CREATE, fields[:1], blocked_by=address),
            Change(address, Action.DELETE, fields[:1], manual=True),
            Change(address, Action.REPLACE, fields),
        ),
        foreign=(Foreign(address, text, text),),
        unverified=(Unverified(address, text, text),),
        facts=(TargetFacts(text, text, text, text, (text,)),),
        notes=(text,),
    )


@pytest.mark.parametrize("drift", [False, True])
def test_no_part_of_a_plan_reaches_the_terminal_raw(drift: bool) -> None:
    text = HOSTILE.replace("\ud800", "")  # an address cannot hold it: see the next test
    assert_harmless(render((plan_full_of(text),), PLAIN, drift=drift))


def test_half_a_surrogate_pair_in_a_value() -> None:
    change = Change(
        Address("s", "portal", "site"), Action.UPDATE, (FieldChange("name", "\ud800x", "y"),), title="\ud800"
    )
    text = render((SitePlan("s", (change,)),), PLAIN)
    assert_harmless(text)
    assert r'"\ud800x" -> "y"' in text


def test_outcomes_and_errors() -> None:
    plan = plan_full_of("\x1b[2J")
    for outcome in (
        SiteOutcome(HOSTILE, plan, declined=True),
        SiteOutcome(HOSTILE, plan, proof=plan),
        SiteOutcome(HOSTILE, plan, proof=SitePlan(HOSTILE)),
    ):
        assert_harmless(render_outcome(outcome, PLAIN))
    assert_harmless(render_error(ProtocolFault(HOSTILE, where=HOSTILE, next_step=HOSTILE), PLAIN))


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp1252", "utf-16"])
@pytest.mark.parametrize("err", [False, True])
def test_echo_prints_on_any_stream(monkeypatch: pytest.MonkeyPatch, encoding: str, err: bool) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
    monkeypatch.setattr(sys, "stderr" if err else "stdout", stream)
    echo("caf\u00e9 \u2013 \ud800 \U0001f600", err=err)
    stream.flush()
    shown = raw.getvalue().decode(encoding)
    assert shown.startswith("caf")
    assert shown.endswith("\n")
    assert r"\ud800" in shown


def test_echo_changes_nothing_that_fits(capsys: pytest.CaptureFixture[str]) -> None:
    echo("caf\u00e9 \u2013 \U0001f600 \\ud800")
    assert capsys.readouterr().out == "caf\u00e9 \u2013 \U0001f600 \\ud800\n"


def test_sarif_names_a_file_whose_name_is_not_utf8() -> None:
    path = os.fsdecode(b"bad\xff.yml")
    found = Diagnostic(Severity.ERROR, "YML001", "cannot be read", Place(path, 1, 1))
    (result,) = json.loads(render_sarif([found], {}))["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "bad%FF.yml"


# Plan files


def one_value(after: str = "2") -> str:
    """A plan of one change, as JSON with `after` put in as it is."""
    field = {"name": "n", "before": 1, "after": 12345, "forces_replacement": False, "reason": ""}
    change = {
        "address": "s/nvr/camera/1", "action": "update", "manual": False, "blocked_by": None, "title": "",
        "reason": "", "digest": "", "declared_at": None, "fields": [field],
    }  # fmt: skip
    site = {
        "site": "s", "unchanged": 0, "changes": [change], "foreign": [], "unverified": [], "targets": [],
        "notes": [],
    }  # fmt: skip
    text = json.dumps({"format_version": "1.2", "ivn": {"version": 1, "sites": [site]}})
    return text.replace("12345", after)


def refused(path: Path) -> str:
    with pytest.raises(PlanError) as caught:
        from_json(read_plan(path))
    assert caught.value.next_step
    text = render_error(caught.value, PLAIN)
    assert_harmless(text)
    assert len(text) < 1000
    return text


@pytest.mark.parametrize(
    "after",
    [
        "9" * 5000,
        "Infinity",
        "-Infinity",
        "NaN",
        "1e999",
        "[" * 500 + "]" * 500,
        "[" * 100_000,
        '{"a":' * 100 + "1" + "}" * 100,
        '"\\ud800"',
        "\x00",
    ],
    ids=lambda text: ascii(text[:8]),
)
def test_a_hostile_value_in_a_plan_file(tmp_path: Path, after: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(one_value(after), encoding="utf-8")
    refused(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"\x80", b"[]", b"null", b'"\xed\xa0\x80"'])
def test_what_is_no_plan(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    refused(path)


@settings(max_examples=200, deadline=None)
@given(text=TEXT, at=st.sampled_from(["site", "notes", "title", "name", "why", "target", "kind"]))
def test_text_in_a_plan_file_is_shown_harmless_or_refused(text: str, at: str) -> None:
    plan: dict[str, Any] = json.loads(one_value())
    (site,) = plan["ivn"]["sites"]
    facts = {"target": "nvr", "product": "p", "version": "v", "endpoint": "e", "notes": []}
    foreign = {"address": "s/nvr/camera/1", "title": "", "why": ""}
    {
        "site": lambda: site.update(site=text),
        "notes": lambda: site.update(notes=[text]),
        "title": lambda: site["changes"][0].update(title=text),
        "name": lambda: site["changes"][0]["fields"][0].update(name=text),
        "why": lambda: site.update(foreign=[{**foreign, "why": text}]),
        "target": lambda: site.update(targets=[{**facts, "target": text}]),
        "kind": lambda: site.update(foreign=[{**foreign, "address": f"s/{text}/camera/{text}"}]),
    }[at]()
    try:
        plans = from_json(plan)
    except PlanError as error:
        assert_harmless(render_error(error, PLAIN))
        return
    assert_harmless(render(plans, PLAIN))


def test_a_pipe_or_device_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), Path("/dev/tty")):
        if path.exists():
            assert "regular file" in refused(path) or "cannot read" in refused(path)
    assert "cannot read" in refused(tmp_path)  # a folder
    assert "cannot read" in refused(tmp_path / "none")


def test_a_plan_file_is_not_read_without_end(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert "larger than 256 MiB" in refused(path)


@pytest.mark.parametrize("form", ["text", "json"])
def test_show_as_a_person_runs_it(tmp_path: Path, form: str) -> None:
    """On a terminal without UTF-8, with a name that is not UTF-8, and a value that is not printable."""
    name = os.fsdecode(b"bad\xff.json")
    (tmp_path / name).write_text(one_value(r'"caf\u00e9 \u202e \u009b"'), encoding="utf-8")
    done = ivn("show", name, "--format", form, cwd=tmp_path, env={"PYTHONIOENCODING": "ascii:strict"})
    assert (done.code, done.err) == (0, "")
    assert r"\u202e \u009b" in done.out
    (tmp_path / name).write_text(one_value("[[1]]"), encoding="utf-8")
    done = ivn("show", name, "--format", form, cwd=tmp_path, env={"PYTHONIOENCODING": "ascii:strict"})
    assert done.code == 1
    assert "/after/0 is not text" in done.err
    assert r"--> bad\udcff.json" in done.err
