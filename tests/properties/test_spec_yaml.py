"""No text gives a traceback: every file is a site or has a diagnostic."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ivn_provision.report.diagnostics_github import render_github
from ivn_provision.report.diagnostics_json import render_json
from ivn_provision.report.diagnostics_sarif import render_sarif
from ivn_provision.report.diagnostics_text import render
from ivn_provision.report.paint import Paint
from ivn_provision.spec.fleet import load_fleet
from ivn_provision.spec.source import Source
from ivn_provision.spec.yaml_nodes import parse

KEYS = [
    "site",
    "nvr",
    "cameras",
    "portal",
    "mail",
    "number",
    "label",
    "connect",
    "password",
    "pins",
    "groups",
    "<<",
    "x",
]
TOKENS = [
    *KEYS,
    ":",
    ": ",
    "- ",
    "\n",
    "\n  ",
    "\n    ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "&a ",
    "*a",
    "!secret env:X",
    "!ref ",
    "!!str ",
]
TOKENS += [
    "|",
    ">",
    "'",
    '"',
    "#",
    "? ",
    "yes",
    "012",
    "1:30",
    "~",
    "\t",
    "\r\n",
    "---\n",
    "...",
    "%YAML 1.2\n",
    "é",
    "\x00",
    "\ufeff",
]
texts = st.one_of(st.text(max_size=200), st.lists(st.sampled_from(TOKENS), max_size=40).map("".join))

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(KEYS)
)
data = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=25,
)


def check(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a.yml").write_bytes(content)
        (Path(folder) / "fleet.yml").write_bytes(content)
        fleet = load_fleet([folder])
    assert fleet.sites[0].site is not None or fleet.has_errors
    for each in fleet.diagnostics:
        assert each.summary
        assert each.place is not None
        assert each.place.line >= 1
        assert each.place.column >= 1
    render(fleet.diagnostics, Paint(on=True))
    render_json(fleet.diagnostics)
    render_sarif(fleet.diagnostics, {})
    render_github(fleet.diagnostics)


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes(content: bytes) -> None:
    check(content)


@given(texts)
@settings(max_examples=120, deadline=None)
def test_any_text(text: str) -> None:
    check(text.encode("utf-8", "surrogatepass"))


@given(data)
@settings(max_examples=80, deadline=None)
def test_any_document(document: Any) -> None:
    check(yaml.safe_dump(document, allow_unicode=True).encode())


@given(st.dictionaries(st.sampled_from(KEYS[:-2]), data, max_size=5))
@settings(max_examples=80, deadline=None)
def test_any_sections(document: Any) -> None:
    check(yaml.safe_dump({**document, "site": "a"}).encode())


@given(texts, st.integers(0, 40))
@settings(max_examples=80, deadline=None)
def test_places_lie_inside_the_text(text: str, extra: int) -> None:
    text = "x: [" * extra + text
    lines = text.encode("utf-8", "replace").decode().count("\n") + text.count("\r") + text.count("\x85") + 2
    for each in parse(text, Source("a.yml", "site")).diagnostics:
        assert each.place is not None
        assert 1 <= each.place.line <= lines + text.count("\u2028") + text.count("\u2029")
