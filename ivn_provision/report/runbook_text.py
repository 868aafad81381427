"""A runbook as plain text: to be read, or printed and ticked off."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ivn_provision.plan.runbook import Box, Runbook, Step
from ivn_provision.report.paint import Paint, safe

WIDTH = 100


def render(runbook: Runbook, paint: Paint) -> str:
    """The whole runbook."""
    return "\n".join(_lines(runbook, paint))


def heading(runbook: Runbook) -> str:
    what = "everything that is declared of the recorder" if runbook.complete else "what is left for a person"
    return f"Runbook for {runbook.site}: {what}"


def numbers(requirements: tuple[str, ...]) -> str:
    """` (R-33, R-34)`, or nothing."""
    return f" ({', '.join(requirements)})" if requirements else ""


def value_lines(box: Box) -> list[str]:
    """`Label: value`; a value of several lines stands below its label, as it is to be typed."""
    was = f"  (now: {safe(box.was)})" if box.was else ""
    head = f"{safe(box.label)}: " if box.label else ""
    lines = box.value.split("\n")
    if len(lines) == 1:
        return [f"{head}{safe(box.value)}{was}{numbers(box.requirements)}"]
    return [f"{head.strip()}{was}{numbers(box.requirements)}", *(f"    | {safe(line)}" for line in lines)]


def _lines(runbook: Runbook, paint: Paint) -> Iterator[str]:
    yield paint(safe(heading(runbook)), "bold")
    width = max((7, *(len(facts.target) for facts in runbook.facts)))
    for facts in runbook.facts:
        what = " ".join(part for part in (facts.product, facts.version) if part)
        yield f"  {safe(facts.target):<{width}} {safe(what)} at {safe(facts.endpoint)}"
    yield from (f"  note: {safe(note)}" for note in runbook.notes)
    yield ""
    if not runbook.steps:
        yield paint("Nothing is left for a person.", "bold", "green")
        return
    yield f"Menu paths are those of the {safe(runbook.program)}. Tick each box when it is done and seen."
    yield from _wrapped("", f"What says nothing else is shown {runbook.usual}.")
    yield ""
    for number, step in enumerate(runbook.steps, start=1):
        yield from _step(number, step, paint, runbook.usual)
        yield ""
    yield "Done by: ______________________   Date: ______________   Signature: ______________________"


def _step(number: int, step: Step, paint: Paint, usual: str) -> Iterator[str]:
    title = f"{step.title}: {step.action}" if step.action else step.title
    yield f"{number:>3}. {paint(safe(title), 'bold')}{numbers(step.requirements)}"
    yield f"     go to:  {safe(step.go_to)}"
    if step.dialog:
        yield from _wrapped("     dialog: ", safe(step.dialog))
    if step.why:
        yield from _wrapped("     why:    ", safe(step.why))
    for line in step.lines:
        yield from _wrapped("     [ ] " if line[:2].rstrip(".").isdigit() else "     ", safe(line))
    for box in step.boxes:
        yield from _box(box, paint, usual)
    for note in step.notes:
        yield from _wrapped("     note:   ", safe(note))
    if step.declared_at is not None:
        yield paint(f"     declared in {safe(step.declared_at.path)}:{step.declared_at.line}", "dim")


def _box(box: Box, paint: Paint, usual: str) -> Iterator[str]:
    first, *rest = value_lines(box)
    yield f"     [ ] {first}"
    yield from (f"     {line}" for line in rest)
    if box.note:
        yield from _wrapped("         ", safe(box.note))
    if box.standing:
        yield f"         {safe(box.standing)}"
    if box.verified not in {"", usual}:
        yield paint(f"         shown {box.verified}", "dim")


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head)) or [
        head.rstrip()
    ]
