"""The revision from which each site was live, for three-way drift: one for all, or that of each site's last apply."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Lock

from ivn_provision.errors import PlanError, SecretError
from ivn_provision.model.desired import desired_of
from ivn_provision.plan.plan import SitePlan
from ivn_provision.plan.three_way import Declared, with_causes
from ivn_provision.run.git_revision import RevisionFleet
from ivn_provision.run.journal import RunSummary
from ivn_provision.secret import Secret, SecretRef
from ivn_provision.spec.site import Site

APPLIED = "applied"
_LIVE = frozenset({"applied", "unchanged"})
"""Standings after which live was what the files of the run's revision said."""


class Bases:
    """Gives each difference its cause. Each revision is read once; thread-safe, `close` it.

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
        fleet = self.fleet(revision)
        base = desired_of(fleet.site(site.name)) if fleet.has(site.name) else None
        return with_causes(plan, Declared(base, desired_of(site), self._resolve, _is_same))

    def fleet(self, revision: str) -> RevisionFleet:
        """The fleet's files there. Raises PlanError."""
        with self._lock:
            fleet = self._known.get(revision)
            if fleet is None:
                fleet = self._known[revision] = RevisionFleet(self._folder, revision)
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
