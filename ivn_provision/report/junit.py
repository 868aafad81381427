"""Results as JUnit XML, the form that CI systems draw: one suite a site, one case a result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from lxml import etree

from ivn_provision.report.paint import safe
from ivn_provision.verify.result import Result, State

Outcome = Literal["failure", "error", "skipped", "passed"]


@dataclass(frozen=True, slots=True)
class Case:
    """One test case. `text` is one line, `detail` may follow it; both may hold anything."""

    name: str
    outcome: Outcome
    text: str = ""
    detail: str = ""


def junit(suites: Sequence[tuple[str, Sequence[Result]]], *, timestamp: str) -> str:
    """A document. `fail` is a failure, `inconclusive` and `skipped` are skipped; `warn` passes with its text."""
    return document(
        ((site, [_case_of(each) for each in results]) for site, results in suites), timestamp=timestamp
    )


def document(suites: Iterable[tuple[str, Sequence[Case]]], *, timestamp: str) -> str:
    """A document of suites by their names."""
    root = etree.Element("testsuites", name="ivn-provision")
    for name, cases in suites:
        root.append(_suite(name, cases, timestamp))
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True).decode()


def _suite(name: str, cases: Sequence[Case], timestamp: str) -> etree._Element:
    counts = Counter(each.outcome for each in cases)
    suite = etree.Element(
        "testsuite",
        name=safe(name),
        timestamp=timestamp,
        tests=str(len(cases)),
        failures=str(counts["failure"]),
        errors=str(counts["error"]),
        skipped=str(counts["skipped"]),
    )
    for each in cases:
        suite.append(_case(name, each))
    return suite


def _case(suite: str, case: Case) -> etree._Element:
    element = etree.Element("testcase", classname=safe(suite), name=safe(case.name))
    text, detail = safe(case.text), "\n".join(safe(line) for line in case.detail.splitlines())
    whole = f"{text}\n{detail}" if detail else text
    if case.outcome == "skipped":
        etree.SubElement(element, "skipped", message=text)
    elif case.outcome == "passed":
        if text:
            etree.SubElement(element, "system-out").text = whole
    else:
        etree.SubElement(element, case.outcome, message=text).text = whole
    return element


def _case_of(result: Result) -> Case:
    found = result.found
    name = f"{result.check} ({found.subject})" if found.subject else result.check
    if found.state is State.FAIL:
        return Case(name, "failure", found.evidence, found.remedy)
    text = f"{found.state.value}: {found.evidence}"
    if found.state in {State.SKIPPED, State.INCONCLUSIVE}:
        return Case(name, "skipped", text)
    return Case(name, "passed", text, found.remedy)
