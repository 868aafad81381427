"""Runs a piece of work on many sites side by side; one dead site never holds up another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from ivn_provision.errors import IvnError, TargetError
from ivn_provision.model.targets import CAMERA, family
from ivn_provision.run.fleet.dispatch import dispatched
from ivn_provision.run.fleet.limits import STANDARD, FleetLimits

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    limits: FleetLimits = STANDARD,
    network: Callable[[Item], str] = lambda _: "",
) -> tuple[Result, ...]:
    """`work` of every item, in the order given. `work` raises nothing (see `guarded`)."""
    if len(items) <= 1:
        return tuple(work(each) for each in items)
    found = sorted(dispatched(work, items, limits, network), key=lambda each: each[0])
    return tuple(result for _, result in found)


def guarded(site: str, work: Callable[[], Result], otherwise: Callable[[IvnError], Result]) -> Result:
    """A run's outer edge: whatever goes wrong on a site becomes its outcome."""
    try:
        return work()
    except IvnError as error:
        name_place(error, site)
        return otherwise(error)
    except Exception as error:  # noqa: BLE001 - the outer edge: other sites go on, the defect is reported
        defect = _defect(error)
        name_place(defect, site)
        return otherwise(defect)


def name_place(error: IvnError, site: str) -> None:
    """Put the site and, for a target, its endpoint in front of the error's place."""
    endpoint = error.endpoint if isinstance(error, TargetError) else ""
    before = [part for part in (site, endpoint) if part and part not in error.where]
    error.where = " ".join([*before, error.where]).strip()


@contextmanager
def camera_named(site: str, target: str) -> Iterator[None]:
    """An error inside says which camera it is of: a site has many, and their addresses say little to a person."""
    try:
        yield
    except IvnError as error:
        if family(target) == CAMERA:
            name_place(error, f"{site}/{target}")
        raise


def _defect(error: Exception) -> IvnError:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else "?"
    return IvnError(
        f"a defect of ivn-provision: {type(error).__name__} at {place}",
        next_step="please report it with the version and what you did; nothing more was done on this site",
    )
