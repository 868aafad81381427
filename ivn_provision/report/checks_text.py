"""What checks found, for people: the worst first, what passed in one line each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ivn_provision.report.paint import Paint, safe
from ivn_provision.verify.result import Result, State

_ORDER = (State.FAIL, State.WARN, State.INCONCLUSIVE, State.PASS, State.SKIPPED)
_COLOURS = {
    State.FAIL: "red",
    State.WARN: "yellow",
    State.INCONCLUSIVE: "cyan",
    State.PASS: "green",
    State.SKIPPED: "dim",
}


def render_checks(site: str, results: Sequence[Result], paint: Paint) -> str:
    """The results of one site, and a line that counts them."""
    ordered = sorted(results, key=lambda each: _ORDER.index(each.state))
    lines = [line for each in ordered for line in _lines(each, paint)]
    return "\n".join([paint(safe(site), "bold"), *lines, _sum(results)])


def _lines(result: Result, paint: Paint) -> list[str]:
    found = result.found
    state = paint(f"{found.state.value:<12}", _COLOURS[found.state])
    subject = f" ({safe(found.subject)})" if found.subject else ""
    lines = [f"  {state} {result.check}{subject}: {safe(found.evidence)}"]
    if found.remedy and found.state is not State.PASS:
        lines.append(f"  {'':<12}   {paint('next:', 'cyan')} {safe(found.remedy)} [{', '.join(result.refs)}]")
    return lines


def _sum(results: Sequence[Result]) -> str:
    counts = Counter(each.state for each in results)
    said = [f"{counts[state]} {state.value}" for state in _ORDER if counts[state]]
    return f"  {', '.join(said)}"
