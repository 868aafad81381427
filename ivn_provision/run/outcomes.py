"""What became of one site of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ivn_provision.drivers.base import Outcome
from ivn_provision.errors import IvnError
from ivn_provision.plan.plan import SitePlan

if TYPE_CHECKING:
    from ivn_provision.run.accepting import Acceptance


@dataclass(frozen=True, slots=True)
class SiteOutcome:
    """`proof` is the plan of the re-read after an apply. `run` is the id of the journal that tells the rest.

    `reverted`: the apply failed, and all that it had written was put back. `pending_until` (RFC 3339): it is
    proven, and the recorder reverts it then unless a person confirms. `acceptance`: its alarms were tested.
    """

    site: str
    plan: SitePlan | None = None
    outcomes: tuple[Outcome, ...] = ()
    proof: SitePlan | None = None
    error: IvnError | None = None
    declined: bool = False
    run: str = ""
    reverted: bool = False
    pending_until: str = ""
    acceptance: Acceptance | None = None
