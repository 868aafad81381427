"""How a site stands between runs: what its targets hold, and what the journals here say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ivn_provision.model.live import Lease, Revert
from ivn_provision.plan.plan import SitePlan
from ivn_provision.run.journal import runs_of
from ivn_provision.run.state import StateFolder
from ivn_provision.run.story import ENDED


@dataclass(frozen=True, slots=True)
class Standing:
    """`leases` by target; `reverts` of the recorder; `runs` are those of this machine that did not end here."""

    site: str
    leases: tuple[tuple[str, Lease], ...]
    reverts: tuple[Revert, ...]
    armed: bool
    incident: str
    runs: tuple[tuple[str, str], ...]

    @property
    def is_pending(self) -> bool:
        waits = any(each.state in {"armed", "left", "failed"} for each in self.reverts)
        return bool(self.leases or self.runs) or waits


def standings_of(plans: Sequence[SitePlan], state: StateFolder) -> tuple[Standing, ...]:
    """One for each plan. Damaged journals are passed over here: `history` says so."""
    runs = runs_of(state)
    return tuple(
        Standing(
            plan.site,
            tuple((each.target, each.holding.lease) for each in plan.facts if each.holding.lease is not None),
            tuple(revert for each in plan.facts for revert in each.holding.reverts),
            any(each.holding.armed for each in plan.facts),
            next((each.holding.incident for each in plan.facts if each.holding.incident), ""),
            tuple(
                (run.run, run.sites[plan.site])
                for run in runs
                if plan.site in run.sites and run.sites[plan.site] not in ENDED
            ),
        )
        for plan in plans
    )
