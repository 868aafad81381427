"""No name makes a report something else than it is: every form can be parsed, and says what it was given."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator

import jsonschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import html
from lxml.html import HtmlElement
from markdown_it import MarkdownIt

from ivn_provision.report.audit.csv import COLUMNS, cell, render_csv
from ivn_provision.report.audit.json import render_json
from ivn_provision.report.audit.junit import render_junit
from ivn_provision.report.audit.markdown import MOST, code, render_markdown
from ivn_provision.report.audit.sarif import render_sarif
from ivn_provision.report.audit.text import render_text
from ivn_provision.report.paint import Paint, safe
from ivn_provision.run.audit.record import Audit
from ivn_provision.spec.schema_files import schema_text
from tests.support.made_audits import TEXT, audits

BOUNDED = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
_RENDERED = {
    "html", "body", "div", "h2", "h3", "p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "code", "strong",
    "details", "summary",
}  # fmt: skip
VALIDATOR = jsonschema.Draft202012Validator(json.loads(schema_text("audit.schema.json")))


@BOUNDED
@given(audits())
def test_json(audit: Audit) -> None:
    text = render_json(audit)
    assert text.isascii()
    document = json.loads(text)
    VALIDATOR.validate(document)
    assert [each["site"] for each in document["sites"]] == [each.site for each in audit.sites]


@BOUNDED
@given(audits())
def test_sarif(audit: Audit) -> None:
    text = render_sarif(audit, {})
    assert text.isascii()
    (run,) = json.loads(text)["runs"]
    assert len(run["results"]) == sum(len(each.findings) for each in audit.sites)
    for each in run["results"]:
        shown = each["message"]["text"]
        assert shown.isprintable()
        assert not re.search(r"(?<!\\)(?:\\\\)*\[", shown)  # an unescaped one would begin a link
        uri = each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"[A-Za-z0-9%/._~:-]*", uri)


@BOUNDED
@given(audits())
def test_junit(audit: Audit) -> None:
    from lxml import etree

    root = etree.fromstring(render_junit(audit).encode())
    assert [each.get("name") for each in root] == [safe(each.site) for each in audit.sites]
    assert {each.tag for each in root.iter()} <= {
        "testsuites", "testsuite", "testcase", "failure", "error", "skipped", "system-out",
    }  # fmt: skip


@BOUNDED
@given(audits())
def test_csv(audit: Audit) -> None:
    rows = list(csv.reader(io.StringIO(render_csv(audit), newline="")))
    wanted = sum(len(each.findings) + len(each.trouble) or 1 for each in audit.sites)
    assert len(rows) == wanted + 1
    assert all(len(row) == len(COLUMNS) for row in rows)
    for row in rows[1:]:
        assert not any(re.match(r"\s*[=+\-@|%]", each) for each in row)
        assert all(each.isprintable() for each in row)


@settings(deadline=None)
@given(TEXT)
def test_a_cell_is_no_formula(text: str) -> None:
    shown = cell(text)
    assert not re.match(r"\s*[=+\-@\t\r]", shown)
    assert shown in {safe(text), f"'{safe(text)}"}


@BOUNDED
@given(audits())
def test_markdown(audit: Audit) -> None:
    """Rendered as a code host does, raw HTML included: our own elements only, without one attribute or link."""
    text = render_markdown(audit)
    assert len(text) <= MOST
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    root = html.document_fromstring(f"<div>{page}</div>")
    for element in root.iter():
        assert element.tag in _RENDERED, element.tag
        assert set(element.attrib) <= {"style"}
        assert element.get("style") in {None, "text-align:right"}
    outside = "".join(_outside(root))
    assert not re.search(r"[@<>`\[\]\\]|://|www\.|#\d", outside)


def _outside(element: HtmlElement) -> Iterator[str]:
    """All text but that of `code` elements."""
    if element.tag != "code":
        yield element.text or ""
        for child in element:
            yield from _outside(child)
            yield child.tail or ""


@settings(deadline=None)
@given(TEXT)
def test_foreign_text_is_shown_as_it_is(text: str) -> None:
    shown = code(text)
    assert "\n" not in shown
    if not text.strip():
        return
    page = MarkdownIt("commonmark", {"html": True}).render(shown)
    (element,) = html.document_fromstring(f"<div>{page}</div>").iter("code")
    assert not len(element)
    collapsed = " ".join(safe(text).split())
    assert " ".join((element.text or "").split()) == collapsed


@BOUNDED
@given(audits(), st.booleans())
def test_text(audit: Audit, colours: bool) -> None:
    text = render_text(audit, Paint(on=colours))
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).split("\n") if colours else text.split("\n")
    assert all(line.isprintable() for line in lines)
