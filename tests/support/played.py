"""Plays against a lab: the playbook's text, the command line, and what is live afterwards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivn_provision.run.journal import Record, read_run, runs_of
from ivn_provision.run.play.starting import plays
from tests.support.command import Ran, ivn_here
from tests.support.world import World


@dataclass
class Plays:
    """Plays in the folder of a world, with its attestations on file."""

    world: World

    @property
    def folder(self) -> Path:
        return self.world.folder.parent

    def write(self, text: str, name: str = "playbook.yml") -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def play(self, *arguments: str) -> Ran:
        """`play --format json ARGUMENTS`."""
        return ivn_here("play", "--format", "json", *arguments, cwd=self.folder)

    def attest(self, names: Sequence[str]) -> None:
        for name in names:
            self.world.attest_all(name)

    def runs(self, site: str) -> list[str]:
        """How each run ended on a site, the oldest first."""
        return [run.sites[site] for run in reversed(runs_of(self.world.state)) if site in run.sites]

    def is_declared(self, site: str) -> bool:
        (outcome,) = self.world.plan(site)
        assert outcome.error is None, outcome.error
        assert outcome.plan is not None
        return outcome.plan.is_empty

    def is_untouched(self, site: str) -> bool:
        """Is nothing of ours there?"""
        (outcome,) = self.world.plan(site)
        assert outcome.plan is not None
        return not any(address.kind in {"generic_event", "pin", "site"} for address in outcome.plan.live)

    def records(self, play: str) -> tuple[Record, ...]:
        """Of the play's journal, verified."""
        return read_run(plays(self.world.state), play)


def words(ran: Ran) -> dict[str, str]:
    """How each site stands, by the report."""
    return {each["site"]: each["standing"] for each in document(ran)["sites"]}


def document(ran: Ran) -> dict[str, Any]:
    assert ran.out, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    return found
