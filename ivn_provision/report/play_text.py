"""A play for people and for programs: before it begins, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ivn_provision.report.errors_text import error_json
from ivn_provision.report.paint import Paint, safe
from ivn_provision.run.play.outcome import PlayOutcome, Standing
from ivn_provision.run.play.standing import SiteStanding
from ivn_provision.secret import SecretRef
from ivn_provision.spec.playbook import Playbook, Step

if TYPE_CHECKING:
    from ivn_provision.run.fleet.refs import SiteRef
    from ivn_provision.run.play.checking import RefusedWave

_COLOURS = {
    "changed": "green", "done": "green", "failed": "red", "failed, put back": "red", "failed, not put back": "red",
    "different": "yellow", "put back": "yellow", "not begun": "dim",
}  # fmt: skip


def render_check(
    playbook: Playbook,
    waves: Sequence[Sequence[SiteRef]],
    refused: Sequence[RefusedWave],
    paint: Paint,
) -> str:
    """What would run on which sites."""
    count = sum(len(wave) for wave in waves)
    lines = [
        f"{paint(playbook.name, 'bold')}: {_sites(count)} in {_many(len(waves), 'wave')}. Nothing was done."
    ]
    lines += ["", "Steps of each wave:"]
    lines += [f"  {number}. {_step(step)}" for number, step in enumerate(playbook.steps, start=1)]
    if playbook.gates:
        lines.append(f"  gates: {', '.join(playbook.gates)}")
    if playbook.soak:
        lines.append(f"  soak: {playbook.soak} s after a wave that changed something, before the next")
    lines += [f"At the end: {_step(step)}" for step in playbook.finally_]
    most = f"{playbook.max_failures} of them" if playbook.max_failures.percent else str(playbook.max_failures)
    back = f" to {playbook.back_to}" if playbook.back_to else ""
    lines.append(f"Sites that may fail: {most}. With more: {playbook.on_failure}{back}.")
    lines.append("")
    for number, wave in enumerate(waves, start=1):
        lines.append(f"Wave {number} ({_sites(len(wave))}): {', '.join(safe(ref.name) for ref in wave)}")
    for each in refused:
        lines.append(paint(f"Wave {each.number} would be refused: {_refused(each)}", "yellow"))
    return "\n".join(lines)


def check_document(
    playbook: Playbook, waves: Sequence[Sequence[SiteRef]], refused: Sequence[RefusedWave]
) -> dict[str, Any]:
    """The same for programs."""
    return {
        "playbook": playbook.name,
        "file": playbook.path,
        "variables": dict(playbook.variables),
        "steps": [_step(step) for step in playbook.steps],
        "gates": list(playbook.gates),
        "soak_seconds": playbook.soak,
        "finally": [_step(step) for step in playbook.finally_],
        "max_failures": str(playbook.max_failures),
        "on_failure": playbook.on_failure.value,
        "back_to": playbook.back_to,
        "waves": [[ref.name for ref in wave] for wave in waves],
        "refused": [_refused(each) for each in refused],
    }


def render_play(outcome: PlayOutcome, paint: Paint) -> str:
    """A line for each site that is worth one, and how many there are of the others."""
    lines = [
        f"{safe(each.name)}: {paint(each.word, _COLOURS[each.word])}{_rest(each)}"
        for each in outcome.sites
        if each.word != "not begun" or each.held
    ]
    unseen = len(outcome.sites) - len(lines)
    lines += [f"{_sites(unseen)} not begun"] if unseen else []
    lines += [paint(f"warning: {safe(each.text)}", "yellow") for each in outcome.notes]
    return "\n".join([*lines, "", _last(outcome, paint)])


def play_document(outcome: PlayOutcome) -> dict[str, Any]:
    """The same for programs."""
    return {
        "play": outcome.play,
        "playbook": outcome.playbook,
        "standing": outcome.standing.value,
        "wave": outcome.wave,
        "waves": [list(wave) for wave in outcome.waves],
        "sites": [
            {
                "site": each.name,
                "wave": each.wave,
                "standing": each.word,
                "needs_person": each.needs_person,
                "differs": each.differs,
                "runs": list(each.runs),
                "text": each.text,
            }
            for each in outcome.sites
        ],
        "notes": [{"step": each.at, "text": each.text} for each in outcome.notes],
        "error": error_json(outcome.error, "") if outcome.error is not None else None,
        "exit_code": outcome.exit_code,
    }


def markdown(outcome: PlayOutcome) -> str:
    """A report file."""
    rows = [
        f"| {_cell(each.name)} | {each.wave} | {each.word} | {'yes' if each.needs_person else ''} | {_cell(each.text)} |"
        for each in outcome.sites
    ]
    head = f"# {outcome.playbook}\n\nPlay `{outcome.play}` is {outcome.standing.value}: {_counts(outcome)}.\n"
    table = ["| site | wave | standing | a person is needed | |", "|---|---|---|---|---|", *rows]
    notes = [f"- {_cell(each.text)}" for each in outcome.notes]
    return "\n".join([head, *table, *(["", *notes] if notes else []), ""])


def _last(outcome: PlayOutcome, paint: Paint) -> str:
    colours = {Standing.DONE: "green", Standing.FAILED: "red", Standing.STOPPED: "red"}
    word = paint(outcome.standing.value, "bold", colours.get(outcome.standing, "yellow"))
    return f"Play {outcome.play} of {outcome.playbook}: {word} in wave {outcome.wave} of {len(outcome.waves)}; {_counts(outcome)}."


def _counts(outcome: PlayOutcome) -> str:
    words = [each.word for each in outcome.sites]
    return ", ".join(f"{words.count(word)} {word}" for word in _COLOURS if word in words)


def _rest(site: SiteStanding) -> str:
    person = " (a person is needed)" if site.needs_person and not site.failed else ""
    return f"{person}{f': {safe(site.text)}' if site.text else ''}"


def _step(step: Step) -> str:
    words = [step.do.value if not step.name else f"{step.do.value} ({safe(step.name)})"]
    words += [f"targets {', '.join(step.targets)}"] if step.targets else []
    words += [f"excludes {', '.join(step.excludes)}"] if step.excludes else []
    words += [word for word, said in (("verify", step.verify), ("whole", step.whole)) if said]
    words += [f"confirm within {step.confirm_within} s"] if step.confirm_within else []
    words += [f"to {step.revision}"] if step.revision else []
    words += [_place(step)] if step.url else []
    words += [step.file] if step.file else []
    words += [f'"{safe(step.message)}"'] if step.message else []
    words += [f"when {step.when}"] if step.when else []
    return safe("; ".join(words))


def _place(step: Step) -> str:
    """Not all of a URL: it may be a password as a whole."""
    return str(step.url) if isinstance(step.url, SecretRef) else urlsplit(step.url).netloc


def _refused(each: RefusedWave) -> str:
    what = "sites" if each.kind == "sites" else "percent of the fleet"
    return (
        f"{each.found} {what}, the limit is {each.limit}, if all of them change; "
        f"make the wave smaller, or write `allow: {{{each.kind}: {each.found}}}`"
    )


def _sites(count: int) -> str:
    return _many(count, "site")


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _cell(text: str) -> str:
    return safe(text).replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
