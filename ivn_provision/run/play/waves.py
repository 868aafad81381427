"""Which sites go first, and when a play has failed too often. Pure.

`waves: [1, 10%, 100%]` are the sizes of one wave after the other, as Ansible's `serial` has them: they are not
added up, a share is of all sites of the play (rounded down, but at least one site), and the last size is taken
again until every site had its turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar

from ivn_provision.spec.playbook import OnFailure, Size

T = TypeVar("T")


class Verdict(StrEnum):
    """What happens after a step of a wave."""

    GO_ON = "go on"
    STOP = "stop"
    ROLLBACK = "rollback"


def count_of(size: Size, total: int) -> int:
    """So many sites of `total` are in a wave of that size: at least one."""
    return max(1, size.number * total // 100 if size.percent else size.number)


def in_waves(items: Sequence[T], sizes: Sequence[Size]) -> tuple[tuple[T, ...], ...]:
    """Each item in exactly one wave, in their order. No wave is empty; the last may be smaller."""
    found: list[tuple[T, ...]] = []
    begin = 0
    while begin < len(items):
        size = sizes[min(len(found), len(sizes) - 1)]
        end = begin + count_of(size, len(items))
        found.append(tuple(items[begin:end]))
        begin = end
    return tuple(found)


def too_many(failed: int, total: int, most: Size) -> bool:
    """Have more sites of the whole play failed than may? A share is of all sites of the play."""
    return failed * 100 > most.number * total if most.percent else failed > most.number


def verdict(failed: int, total: int, most: Size, on_failure: OnFailure) -> Verdict:
    """Failures count over all waves, not anew for each."""
    if not too_many(failed, total, most):
        return Verdict.GO_ON
    return Verdict.ROLLBACK if on_failure is OnFailure.ROLLBACK else Verdict.STOP
