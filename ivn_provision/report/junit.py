"""Results as JUnit XML, the form that CI systems draw: one suite a site, one case a result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lxml import etree

from ivn_provision.report.paint import safe
from ivn_provision.verify.result import Result, State


def junit(suites: Sequence[tuple[str, Sequence[Result]]], *, timestamp: str) -> str:
    """A document. `fail` is a failure, `inconclusive` and `skipped` are skipped; `warn` passes with its text."""
    root = etree.Element("testsuites", name="ivn-provision")
    for site, results in suites:
        root.append(_suite(site, results, timestamp))
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True).decode()


def _suite(site: str, results: Sequence[Result], timestamp: str) -> etree._Element:
    counts = Counter(each.state for each in results)
    suite = etree.Element(
        "testsuite",
        name=safe(site),
        timestamp=timestamp,
        tests=str(len(results)),
        failures=str(counts[State.FAIL]),
        errors="0",
        skipped=str(counts[State.SKIPPED] + counts[State.INCONCLUSIVE]),
    )
    for each in results:
        suite.append(_case(each))
    return suite


def _case(result: Result) -> etree._Element:
    found = result.found
    name = f"{result.check} ({found.subject})" if found.subject else result.check
    case = etree.Element("testcase", classname=safe(result.site), name=safe(name))
    text = safe(found.evidence)
    remedy = f"\n{safe(found.remedy)}" if found.remedy else ""
    if found.state is State.FAIL:
        etree.SubElement(case, "failure", message=text).text = text + remedy
    elif found.state in {State.SKIPPED, State.INCONCLUSIVE}:
        etree.SubElement(case, "skipped", message=f"{found.state.value}: {text}")
    else:
        etree.SubElement(case, "system-out").text = f"{found.state.value}: {text}{remedy}"
    return case
