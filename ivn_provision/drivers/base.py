"""The driver contract: what every target's driver offers and the conformance suite holds it to.

`probe` and `read` are one round trip together: a driver may do both at the first call of either.
A `Reader` cannot write; only `open_writer` of a driver module gives a `Writer`, so that `plan` and
`drift` never hold one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ivn_provision.model.live import Facts, Live
from ivn_provision.model.resource import Address

if TYPE_CHECKING:
    from ivn_provision.plan.plan import Change, Observation, Unverified, Work


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one change. `status` is `done`, or `unknown` after a write that broke off."""

    address: Address
    status: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """A lease to take: `owner` is `user@host`, `run` the id of the run, `seconds` until it ends by itself.

    `revert_seconds`: a recorder undoes this run's writes by itself so long after the first, unless it is
    released before; 0 for never.
    """

    owner: str
    run: str
    seconds: int
    revert_seconds: int = 0


class Reader(Protocol):
    """Reads one target of one site."""

    target: str

    def probe(self) -> Facts: ...

    def read(self) -> Live: ...

    def observe(self, questions: Sequence[Unverified]) -> tuple[Observation, ...]:
        """What can be said from outside of fields that reading does not show, of any target of the site.

        Called after `read`, with all such fields and their standing: what a person attested may be refuted.
        What costs a request of its own is asked for open ones only. Silence means: not observable.
        """
        ...

    def close(self) -> None: ...


class Writer(Reader, Protocol):
    """Reads and writes one target of one site."""

    def check(self, changes: Sequence[Change]) -> None:
        """Raises Refused if these changes may not be made here. Called before anything is written anywhere."""
        ...

    def hold(self, hold: Hold) -> None:
        """Take the site's lease on this target, or renew it. Before any `apply`.

        A lease that has expired is taken over, and one of the same run renewed. Raises LeaseHeld.
        """
        ...

    def release(self, run: str, *, stays: bool = True) -> None:
        """Give the run's lease back and disarm its reverts. Nothing held is no error.

        `stays`: what the run wrote is to stay. Raises RevertFired where it did not; then nothing is given back.
        """
        ...

    def put_back(self, run: str) -> bool:
        """Undo the writes of a run by the before-images that the target itself keeps; true if all is undone.

        False: the target keeps none (the portal), or somebody changed the same files since (nothing was put
        back then). The lease stays.
        """
        ...

    def apply(self, work: Work) -> tuple[Outcome, ...]:
        """Make the changes, comparing digests on the far side first (compare-and-swap).

        Raises `Conflict` before any write if a live value is not the one the plan was made from, and
        `PartlyApplied` if some of the changes were made when another failed.
        """
        ...
