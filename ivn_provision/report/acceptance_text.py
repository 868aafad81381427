"""An acceptance for people: a table of pins with their timings, then what failed, with the place in the mail."""

from __future__ import annotations

from ivn_provision.report.paint import Paint, safe
from ivn_provision.run.accepting import Acceptance
from ivn_provision.verify.acceptance.record import Record
from ivn_provision.verify.mail.problem import caret
from ivn_provision.verify.result import Result, State

_COLOURS = {
    State.PASS: "green",
    State.FAIL: "red",
    State.WARN: "yellow",
    State.INCONCLUSIVE: "cyan",
    State.SKIPPED: "dim",
}


def render_acceptance(acceptance: Acceptance, paint: Paint) -> str:
    """The lines of one site."""
    by_pin: dict[str, list[Result]] = {}
    for each in acceptance.results:
        if each.check == "pin":
            by_pin.setdefault(each.found.subject, []).append(each)
    lines = [paint(safe(acceptance.site), "bold")]
    for record in acceptance.records:
        lines += _pin(record, by_pin.get(record.shot.name, []), paint)
    for each in acceptance.results:
        if each.check != "pin":
            lines += _result(each, paint)
    lines.append(f"  {_verdict(acceptance, paint)}")
    return "\n".join(lines)


def _pin(record: Record, results: list[Result], paint: Paint) -> list[str]:
    shot, latency = record.shot, record.latency_seconds
    states = [each.state for each in results]
    worst = next((state for state in _COLOURS if state is not State.PASS and state in states), State.PASS)
    after = f"{latency:5.1f} s" if latency is not None else "      -"
    head = f"  {paint(f'{worst.value:<12}', _COLOURS[worst])} {shot.name:<6} {after}  camera {shot.camera}  {shot.event_type.replace('_', ' ')}"
    lines = [f"{head}  {safe(shot.label)}".rstrip()]
    for each in results:
        if each.state is State.PASS:
            lines.append(f"  {'':<12} {safe(each.found.evidence)}")
        else:
            lines += _why(each, paint)
    for finding in record.findings:
        if finding.problem is not None and (drawn := caret(finding.problem)):
            lines += [f"  {'':<15}{line}" for line in drawn.splitlines()]
    return lines


def _why(result: Result, paint: Paint) -> list[str]:
    lines = [f"  {'':<12} {safe(result.found.evidence)}"]
    if result.found.remedy:
        lines.append(f"  {'':<12} {paint('next:', 'cyan')} {safe(result.found.remedy)}")
    return lines


def _result(result: Result, paint: Paint) -> list[str]:
    head = f"  {paint(f'{result.state.value:<12}', _COLOURS[result.state])} {safe(result.found.evidence)}"
    if result.state is State.PASS or not result.found.remedy:
        return [head]
    return [head, f"  {'':<12} {paint('next:', 'cyan')} {safe(result.found.remedy)}"]


def _verdict(acceptance: Acceptance, paint: Paint) -> str:
    fired = [each for each in acceptance.records if not each.skipped]
    seconds = (acceptance.ended - acceptance.began).total_seconds()
    skipped = len(acceptance.records) - len(fired)
    rest = f", {skipped} not fired" if skipped else ""
    text = f"{len(fired)} pin{'' if len(fired) == 1 else 's'} fired{rest}, in {seconds:.0f} s"
    if acceptance.passed:
        return f"{paint('Accepted:', 'bold', 'green')} {text}. The alarms arrive."
    return f"{paint('Not accepted:', 'bold', 'red')} {text}."
