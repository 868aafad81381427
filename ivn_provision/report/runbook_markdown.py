"""A runbook as Markdown with task lists, for a ticket or a wiki."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.plan.runbook import Box, Runbook, Step
from ivn_provision.report.markdown import code, plain
from ivn_provision.report.paint import safe
from ivn_provision.report.runbook_text import heading, numbers


def render(runbook: Runbook) -> str:
    """The whole runbook; nothing that comes from outside is taken for Markdown or HTML."""
    return "\n".join(_lines(runbook))


def _lines(runbook: Runbook) -> Iterator[str]:
    yield f"# {plain(heading(runbook))}"
    yield ""
    for facts in runbook.facts:
        yield f"- {plain(facts.target)}: {plain(facts.product)} {plain(facts.version)} at {code(facts.endpoint)}"
    yield from (f"- {plain(note)}" for note in runbook.notes)
    yield ""
    if not runbook.steps:
        yield "Nothing is left for a person."
        return
    yield f"Menu paths are those of the {plain(runbook.program)}. Tick each box when it is done and seen."
    yield f"What says nothing else is shown {_ours(runbook.usual)}."
    for number, step in enumerate(runbook.steps, start=1):
        yield ""
        yield from _step(number, step, runbook.usual)
    yield ""
    yield "Done by: \\_\\_\\_\\_\\_\\_\\_\\_  Date: \\_\\_\\_\\_\\_\\_\\_\\_  Signature: \\_\\_\\_\\_\\_\\_\\_\\_"


def _step(number: int, step: Step, usual: str) -> Iterator[str]:
    title = f"{step.title}: {step.action}" if step.action else step.title
    yield f"## {number}. {plain(title)}{numbers(step.requirements)}"
    yield ""
    yield f"Go to **{plain(step.go_to)}**" + (f": {_ours(step.dialog)}" if step.dialog else "")
    yield ""
    if step.why:
        yield f"Why: {plain(step.why)}"
        yield ""
    for line in step.lines:
        yield f"- [ ] {_ours(line)}" if line[:2].rstrip(".").isdigit() else f"{_ours(line)}\n"
    for box in step.boxes:
        yield from _box(box, usual)
    for note in step.notes:
        yield f"- {_ours(note)}"
    if step.declared_at is not None:
        yield ""
        yield f"Declared in {code(f'{step.declared_at.path}:{step.declared_at.line}')}"


def _box(box: Box, usual: str) -> Iterator[str]:
    was = f" (now: {code(box.was)})" if box.was else ""
    label = f"{_ours(box.label)}: " if box.label else ""
    lines = box.value.split("\n")
    value = code(box.value) if len(lines) == 1 else ""
    yield f"- [ ] {label}{value}{was}{numbers(box.requirements)}"
    yield from (f"    - {code(line)}" for line in lines if len(lines) > 1)
    shown = "" if box.verified in {"", usual} else f"shown {box.verified}"
    about = [each for each in (box.note, box.standing, shown) if each]
    if about:
        yield "  " + "; ".join(_ours(each) for each in about)


def _ours(text: str) -> str:
    """Text of the screens, whose `labels` stay code; what is between is plain.

    A name may stand in it: backquotes that hold nothing between them are no label, and would make a fence.
    """
    parts = safe(text).split("`")
    if len(parts) % 2 == 0 or not all(parts[1::2]):
        return plain(text)
    return "".join(f"`{part}`" if index % 2 else plain(part) for index, part in enumerate(parts))
