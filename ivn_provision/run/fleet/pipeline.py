"""Every site of a fleet on its own way: loaded, worked on, reduced to its result, forgotten.

Nothing waits for the whole fleet, and a site whose file or target is broken is a result like the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ivn_provision.errors import IvnError
from ivn_provision.run.fleet.loading import FleetFiles
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.fleet.runners import Runner
from ivn_provision.run.side_by_side import guarded
from ivn_provision.spec.site import Site

T = TypeVar("T")


def each_site(
    files: FleetFiles,
    refs: Sequence[SiteRef],
    runner: Runner,
    work: Callable[[Site], T],
    otherwise: Callable[[str, IvnError], T],
) -> tuple[T, ...]:
    """`work` of every site, in the order of `refs`; `otherwise` gets the site's name and what went wrong.

    `work` gives what is to be kept: a site is large, its result should be small.
    """
    positions = {ref.path: position for position, ref in enumerate(refs)}

    def whole(ref: SiteRef) -> tuple[int, T]:
        result = guarded(ref.name, lambda: work(files.load(ref)), lambda error: otherwise(ref.name, error))
        return positions[ref.path], result

    return tuple(result for _, result in sorted(runner.run(whole, refs), key=lambda each: each[0]))
