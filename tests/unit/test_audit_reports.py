"""The forms of an audit: what is in each of them, as programs and code hosts read it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import jsonschema
import pytest
from lxml import etree

from ivn_provision.cli.audit import SUFFIXES, exit_code, form_of
from ivn_provision.errors import UsageProblem
from ivn_provision.report.audit.csv import COLUMNS, render_csv
from ivn_provision.report.audit.json import render_json
from ivn_provision.report.audit.junit import render_junit
from ivn_provision.report.audit.markdown import MOST, render_markdown
from ivn_provision.report.audit.sarif import render_sarif
from ivn_provision.report.audit.text import render_text
from ivn_provision.report.audit.words import age
from ivn_provision.report.paint import Paint
from ivn_provision.run.audit.record import SiteState
from ivn_provision.spec.schema_files import schema_text
from tests.support.made_audits import AT, audit, drift, example, site_audit

PLAIN = Paint(on=False)


def test_json_fits_its_schema() -> None:
    document = json.loads(render_json(example()))
    schema = json.loads(schema_text("audit.schema.json"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(document)
    assert document["states"] == {
        "unreachable": 1, "error": 0, "invalid": 0, "drift": 1, "failing": 0, "open": 1, "unapplied": 0, "waived": 0, "clean": 2,
    }  # fmt: skip
    assert document["findings"] == 5
    assert document["excused"] == 1
    assert document["sites"][1]["findings"][0]["place"] == {"path": "sites/a.yml", "line": 12, "column": 5}
    assert document["unused_waivers"] == ["x/*"]


def test_sarif() -> None:
    (run,) = json.loads(render_sarif(example(), {"disk": "There is room on the recorder's disks"}))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [each["id"] for each in rules] == ["disk", "dormant-pins", "drift/camera", "open/mail_server"]
    assert rules[0]["shortDescription"]["text"] == "There is room on the recorder's disks"
    first, expired, waived, *_ = run["results"]
    assert first["level"] == "error"
    assert rules[first["ruleIndex"]]["id"] == first["ruleId"] == "drift/camera"
    location = first["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "sites/a.yml"
    assert location["region"]["startLine"] == 12
    assert first["partialFingerprints"] == {"ivnFindingId/v1": drift().id}
    assert "suppressions" not in first
    assert "suppressions" not in expired
    assert "waived until 2026-11-01 by Bo, expired" in expired["message"]["text"]
    (suppression,) = waived["suppressions"]
    assert suppression == {
        "kind": "external",
        "status": "accepted",
        "justification": "waived until 2026-12-31 by Ada: the router is replaced",
    }
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    texts = [each["message"]["text"] for each in invocation["toolExecutionNotifications"]]
    assert texts[0].startswith("b: no connection")
    assert texts[1:] == ["a note", "the waiver x/* excuses nothing"]


def test_sarif_takes_no_more_than_code_hosts_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from ivn_provision.report.audit import sarif

    monkeypatch.setattr(sarif, "MOST", 3)
    many = audit(site_audit("a", SiteState.DRIFT, *(drift("a", str(key)) for key in range(5))))
    (run,) = json.loads(render_sarif(many, {}))["runs"]
    assert len(run["results"]) == 3
    assert (
        "2 more findings are left out"
        in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    )


def test_junit() -> None:
    root = etree.fromstring(render_junit(example()).encode())
    suites = {each.get("name"): each for each in root}
    assert list(suites) == ["b", "a", "c", "d", "e"]
    counts = {
        name: tuple(each.get(key) for key in ("tests", "failures", "errors", "skipped"))
        for name, each in suites.items()
    }
    assert counts == {
        "b": ("1", "0", "1", "0"),
        "a": ("3", "2", "0", "1"),
        "c": ("1", "0", "0", "1"),
        "d": ("1", "0", "0", "0"),
        "e": ("1", "0", "0", "0"),
    }
    failure = suites["a"].find("testcase/failure")
    assert failure is not None
    assert failure.text is not None
    assert "sites/a.yml:12:5" in failure.text


def test_csv() -> None:
    rows = list(csv.DictReader(io.StringIO(render_csv(example()))))
    assert tuple(rows[0]) == COLUMNS
    assert [(each["site"], each["kind"]) for each in rows] == [
        ("b", "trouble"), ("a", "drift"), ("a", "drift"), ("a", "check"), ("c", "open"), ("d", "check"), ("e", ""),
    ]  # fmt: skip
    assert [each["expired"] for each in rows] == ["", "", "yes", "no", "", "", ""]


def test_markdown() -> None:
    text = render_markdown(example())
    assert text.startswith("## Audit: 5 sites: 1 unreachable, 1 drift, 1 open, 2 clean\n")
    assert text.index("<code>b</code>: unreachable") < text.index("<code>a</code>: drift")
    assert "<details><summary>1 waived</summary>" in text
    assert "for 4 d" in text
    assert "<code>e</code>" not in text


def test_markdown_is_never_too_long() -> None:
    long = "<&|`" * 500
    sites = [
        site_audit(f"s{number}", SiteState.DRIFT, *(drift("a", str(key), long) for key in range(30)))
        for number in range(300)
    ]
    text = render_markdown(audit(*sites, notes=(long,) * 90))
    assert len(text) < MOST <= 65_536
    assert "<code>s0</code>" in text
    assert "more sites" in text


def test_text() -> None:
    text = render_text(example(), PLAIN)
    assert text.splitlines()[0] == "b unreachable"
    assert "  error drift/camera: camera 10 differs (for 4 d)" in text
    assert "    name: 'live', declared 'declared'" in text
    assert "    sites/a.yml:12:5" in text
    assert "    waived until 2026-11-01 by Bo, expired: the lens was ordered" in text
    assert "  waived disk: 0.5 GiB are free on C:" in text
    assert "note: the waiver x/* excuses nothing" in text
    assert "  clean             2  (was 5)" in text
    assert text.endswith("5 sites: 1 unreachable, 1 drift, 1 open, 2 clean.")


def test_text_of_a_large_fleet_is_short() -> None:
    sites = [site_audit(f"s{number:04}", SiteState.DRIFT, drift()) for number in range(5000)]
    text = render_text(audit(*sites), PLAIN)
    assert len(text.splitlines()) < 200
    assert "... and 4980 more sites" in text


@pytest.mark.parametrize(
    ("first", "text"),
    [
        (AT, "new"),
        ("2026-11-24T02:59:40Z", "1 min"),
        ("2026-11-24T02:00:00Z", "1 h"),
        ("2026-11-22T03:00:00Z", "2 d"),
        ("2026-11-25T03:00:00Z", "new"),
        ("", ""),
        ("nonsense", ""),
    ],
)
def test_ages(first: str, text: str) -> None:
    assert age(first, AT) == text


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ((), 0),
        (("clean",), 0),
        (("waived", "clean"), 0),
        (("open", "clean"), 4),
        (("failing", "open"), 2),
        (("drift", "open", "clean"), 2),
        (("unreachable", "drift"), 1),
        (("error", "clean"), 1),
        (("invalid", "drift"), 1),
    ],
)
def test_exit_codes(states: tuple[str, ...], code: int) -> None:
    assert exit_code(audit(*(site_audit(each, SiteState(each)) for each in states))) == code


def test_every_state_has_a_place_in_the_exit_codes() -> None:
    assert {exit_code(audit(site_audit("a", state))) for state in SiteState} == {0, 1, 2, 4}


@pytest.mark.parametrize(("suffix", "form"), SUFFIXES.items())
def test_the_form_of_a_report(suffix: str, form: str) -> None:
    assert form_of(Path(f"out/audit{suffix.upper()}")) == form


def test_a_report_of_no_known_form() -> None:
    with pytest.raises(UsageProblem, match="what should it be"):
        form_of(Path("audit.docx"))
