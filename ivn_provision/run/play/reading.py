"""A playbook from its file, with its selectors and conditions read as well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ivn_provision.diagnostics import Diagnostic, Place, Severity
from ivn_provision.errors import SpecError, UsageProblem
from ivn_provision.run.fleet.selection import Selector, parse_selector
from ivn_provision.run.play.conditions import Condition, parse_condition
from ivn_provision.spec.playbook import Playbook, Step
from ivn_provision.spec.playbook_file import PLAYBOOK_CODES, LoadedPlaybook, load_playbook

PLAY_CODES = PLAYBOOK_CODES
NO_NAME = "00000000T000000Z-00000000"
"""In the place of a play's name where none is made."""


@dataclass(frozen=True, slots=True)
class ReadPlaybook:
    """A playbook and what its texts mean. `conditions` are by the text of `when`."""

    playbook: Playbook
    selectors: tuple[Selector, ...]
    conditions: Mapping[str, Condition]

    def condition(self, step: Step) -> Condition:
        """When a step is done."""
        return self.conditions[step.when]


def read_playbook(path: str, given: Mapping[str, str], play: str = NO_NAME) -> ReadPlaybook:
    """Raises SpecError with all problems of the file, and UsageProblem for what was given."""
    loaded = load_playbook(path, given, play)
    problems = _problems(loaded)
    if problems or loaded.playbook is None:
        raise SpecError(
            problems, summary="the playbook cannot be used", next_step="Correct it; nothing was done."
        )
    playbook = loaded.playbook
    steps = (*playbook.steps, *playbook.finally_)
    return ReadPlaybook(
        playbook,
        tuple(parse_selector(each) for each in playbook.sites),
        {step.when: parse_condition(step.when) for step in steps},
    )


def problems_of(path: str, given: Mapping[str, str]) -> tuple[Diagnostic, ...]:
    """Every problem of a playbook. Raises UsageProblem for what was given."""
    return _problems(load_playbook(path, given, NO_NAME))


def _problems(loaded: LoadedPlaybook) -> tuple[Diagnostic, ...]:
    if loaded.playbook is None:
        return loaded.diagnostics
    return tuple(_unclear(loaded.playbook))


def _unclear(playbook: Playbook) -> Iterator[Diagnostic]:
    """Selectors and conditions that say nothing."""
    for text in playbook.sites:
        try:
            parse_selector(text)
        except UsageProblem as error:
            assert playbook.selectors_at is not None
            yield _problem(error, playbook.selectors_at)
    for step in (*playbook.steps, *playbook.finally_):
        try:
            parse_condition(step.when)
        except UsageProblem as error:
            yield _problem(error, step.place)


def _problem(error: UsageProblem, place: Place) -> Diagnostic:
    summary = error.summary.replace("--sites ", "")
    return Diagnostic(Severity.ERROR, "PLB004", summary, place, hint=error.next_step)
