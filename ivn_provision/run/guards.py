"""What stands between an apply and a site that nobody wants: who writes, how much may break, and the way back."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from ivn_provision.run.state import StateFolder
from ivn_provision.strict_json import Node

if TYPE_CHECKING:
    from ivn_provision.run.accepting import Acceptance
    from ivn_provision.run.saved_plan import SavedPlan
    from ivn_provision.spec.site import Site


class OnFailure(StrEnum):
    """What becomes of a site when its apply fails or is interrupted half-way."""

    ROLLBACK = "rollback"
    STOP = "stop"


_ON_FAILURE = re.compile("rollback|stop")


@dataclass(frozen=True, slots=True)
class Guards:
    """The guards of one run, the same for all its sites.

    `owner` is `user@host`, `command` what was called, `revision` and `dirty` of the fleet's repository.
    `confirm_within` seconds after its first write a recorder reverts by itself, unless the run ends well before
    (0: never); with `hold` it stays armed after the proof, until a person confirms. `stopping` is asked
    between steps. `accept` tests the alarms of a site after its proof; None for no test. `raised` are limits that
    a playbook raises, up to and with their numbers; `may_begin` is asked before the first write on a site.
    """

    state: StateFolder
    owner: str
    command: str = "apply"
    revision: str = ""
    dirty: bool = False
    confirm_within: int = 0
    hold: bool = False
    on_failure: OnFailure = OnFailure.ROLLBACK
    allowances: Mapping[str, int] = field(default_factory=dict)
    overrides: frozenset[str] = frozenset()
    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    saved: SavedPlan | None = None
    fleet_size: int = 0
    stopping: Callable[[], bool] = lambda: False
    accept: Callable[[Site], Acceptance] | None = None
    raised: Mapping[str, int] = field(default_factory=dict)
    may_begin: Callable[[str], bool] = lambda _: True

    def as_of(self, begin: Node) -> Guards:
        """These with what the run that is resumed was given. `begin` is its first record. Raises WrongShape."""
        options = begin["options"]
        return replace(
            self,
            confirm_within=options["confirm_within"].integer(0, 86400),
            hold=options["hold"].flag(),
            on_failure=OnFailure(options["on_failure"].text(_ON_FAILURE, "rollback or stop")),
            targets=tuple(each.text() for each in options["target"].items()),
            excludes=tuple(each.text() for each in options["exclude"].items()),
        )

    def options(self) -> dict[str, object]:
        """What of it belongs into a journal."""
        return {
            "confirm_within": self.confirm_within,
            "hold": self.hold,
            "verify": self.accept is not None,
            "on_failure": self.on_failure.value,
            "allow": dict(self.allowances),
            **({"raised": dict(self.raised)} if self.raised else {}),
            "override": sorted(self.overrides),
            "target": list(self.targets),
            "exclude": list(self.excludes),
        }
