"""The revision from which each site was live, for three-way drift: one for all, or that of each site's last apply."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Lock

from ivn_provision.errors import PlanError, SecretError
from ivn_provision.model.desired import Desired, desired_of
from ivn_provision.plan.plan import SitePlan
from ivn_provision.plan.three_way import Declared, with_causes
from ivn_provision.run.git_revision import RevisionFleet
from ivn_provision.run.journal import RunSummary
from ivn_provision.secret import Secret, SecretRef
from ivn_provision.spec.site import Site

APPLIED = "applied"
_LIVE = frozenset({"applied", "unchanged"})
"""Standings after which live was what the files of the run's revision said."""
_MOST_OPEN = 4


class Bases:
    """Gives each difference its cause. A revision is listed once, as long as it is in use; thread-safe, `close` it.

    `revision` says from which revision a site was live, "" where that is not known. `secret` resolves references.
    """

    def __init__(
        self, folder: Path, revision: Callable[[str], str], secret: Callable[[SecretRef], Secret]
    ) -> None:
        self._folder, self._revision, self._secret = folder, revision, secret
        self._known: dict[str, RevisionFleet] = {}
        self._lock = Lock()

    def caused(self, site: Site, plan: SitePlan) -> SitePlan:
        """The plan with causes. Raises PlanError for a revision that cannot be read, SpecError for a site with
        errors there."""
        revision = self._revision(site.name)
        if not revision:
            note = "since when it was live is not known: every difference counts as made by hand"
            return replace(plan, notes=(*plan.notes, note)) if plan.changes else plan
        if not plan.changes:
            return plan
        base = self._declared(site.name, revision)
        return with_causes(plan, Declared(base, desired_of(site), self._resolve, _is_same))

    def check(self, revision: str) -> None:
        """Raises PlanError if there is no such revision, or no fleet in it that may be read."""
        with self._lock:
            self._fleet(revision)

    def _declared(self, name: str, revision: str) -> Desired | None:
        """None if there was no such site."""
        with self._lock:
            fleet = self._fleet(revision)
            return desired_of(fleet.site(name)) if fleet.has(name) else None

    def _fleet(self, revision: str) -> RevisionFleet:
        """Sites may have been applied at hundreds of revisions: few are kept open."""
        fleet = self._known.pop(revision, None) or RevisionFleet(self._folder, revision)
        self._known[revision] = fleet
        while len(self._known) > _MOST_OPEN:
            self._known.pop(next(iter(self._known))).close()
        return fleet

    def close(self) -> None:
        """Private folders go away."""
        for each in self._known.values():
            each.close()
        self._known.clear()

    def _resolve(self, reference: SecretRef) -> Secret | None:
        try:
            return self._secret(reference)
        except SecretError:
            return None


def fixed(revision: str) -> Callable[[str], str]:
    """The same for every site. Raises PlanError for what names no revision."""
    if not revision:
        raise PlanError("--base needs a revision", next_step=f"Give a hash, tag or branch, or {APPLIED!r}.")
    return lambda _: revision


def applied(runs: tuple[RunSummary, ...]) -> Mapping[str, str]:
    """The revision of the last apply that left each site proven, as far as the journals tell; newest run first.

    A later run of which that cannot be said (it failed, was for a part of the site, came from files that were not committed, or rolled back)
    makes the revision unknown.
    """
    found: dict[str, str] = {}
    for run in runs:
        if run.error:
            break  # it may be the last of any site that no later run was for
        for site, standing in run.sites.items():
            if site in found or standing == "refused":
                continue
            sure = standing in _LIVE and run.command == "apply" and not (run.dirty or run.partial)
            found[site] = run.revision if sure else ""
    return found


def _is_same(one: SecretRef, other: SecretRef) -> bool:
    """The same reference, wherever the fleet's folder was named from."""
    same = (one.scheme, one.name) == (other.scheme, other.name)
    return same and (one.scheme != "file" or os.path.realpath(one.base) == os.path.realpath(other.base))
