"""What a webhook is told of a play: JSON without secrets (docs/reference/playbook-file.md)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ivn_provision.run.journal_lines import stamp
from ivn_provision.run.play.outcome import PlayOutcome
from ivn_provision.run.play.standing import SiteStanding
from ivn_provision.spec.playbook import Step

FORMAT = 1
MOST_SITES = 200
"""Sites that are named; beyond that only counts are told."""


def payload(outcome: PlayOutcome, at: str, step: Step, now: datetime) -> dict[str, Any]:
    """`text` says it all in one line, as chat systems show it."""
    counts: dict[str, int] = {}
    for each in outcome.sites:
        counts[each.word] = counts.get(each.word, 0) + 1
    return {
        "format": FORMAT,
        "text": _line(outcome, step, counts),
        "play": outcome.play,
        "playbook": outcome.playbook,
        "at": stamp(now),
        "step": at,
        "message": step.message,
        "standing": outcome.standing.value,
        "wave": outcome.wave,
        "waves": len(outcome.waves),
        "sites": len(outcome.sites),
        "counts": counts,
        "failed": [_site(each) for each in outcome.failed[:MOST_SITES]],
        "needs_person": [_site(each) for each in outcome.sites if each.needs_person][:MOST_SITES],
        "different": [_site(each) for each in outcome.sites if each.differs][:MOST_SITES],
    }


def _line(outcome: PlayOutcome, step: Step, counts: dict[str, int]) -> str:
    words = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
    own = f"{step.message} - " if step.message else ""
    return f"{own}{outcome.playbook} is {outcome.standing.value}: {words} (play {outcome.play})"


def _site(site: SiteStanding) -> dict[str, str]:
    return {"site": site.name, "standing": site.word, "text": site.text}
