"""A plan in a file that is applied once, later, and only if everything still is as it was planned from.

The file is the JSON of `plan --format json`, with `ivn.saved` and a seal under the key of the state folder.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ivn_provision import __version__
from ivn_provision.errors import StalePlan, StateError
from ivn_provision.model.desired import desired_of
from ivn_provision.model.resource import Value
from ivn_provision.plan.fresh import Seen, first_difference, seen_of
from ivn_provision.plan.plan import SitePlan
from ivn_provision.plan.plan_json import from_json, to_json
from ivn_provision.plan.select import select
from ivn_provision.plan.values_json import dump
from ivn_provision.run.journal import canonical, digest
from ivn_provision.run.plan_about import AGAIN, TIME_FORM, About, about_of, broken_seal, damaged, is_used
from ivn_provision.run.state import StateFolder, sync_folder
from ivn_provision.secret import Secret, SecretRef
from ivn_provision.spec.site import Site
from ivn_provision.strict_json import Node, WrongShape


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A saved plan that may be applied. `spec` are digests of what site files say, by site; `live` is what
    every object was when it was planned, by address."""

    about: About
    plans: tuple[SitePlan, ...]
    targets: tuple[str, ...]
    excludes: tuple[str, ...]
    spec: Mapping[str, str]
    live: Mapping[str, Seen]

    @property
    def id(self) -> str:
        return self.about.id

    def of_site(self, site: str) -> SitePlan | None:
        return next((plan for plan in self.plans if plan.site == site), None)


def save_plan(
    state: StateFolder,
    plans: Sequence[SitePlan],
    *,
    sites: Sequence[Site],
    now: datetime,
    valid_seconds: int,
    targets: Sequence[str] = (),
    excludes: Sequence[str] = (),
    revision: str = "",
    dirty: bool = False,
    errors: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The document of a plan file. `plans` are selected by `targets` and `excludes` already.

    Raises StateError if the key of the state folder cannot be used.
    """
    stamp = now.astimezone(UTC)
    partial = bool(targets or excludes)
    document = to_json(tuple(plans), timestamp=stamp.strftime(TIME_FORM), errors=errors, partial=partial)
    document["ivn"]["saved"] = {
        "id": f"plan-{stamp.strftime('%Y%m%dT%H%M%SZ')}-{secrets.token_hex(4)}",
        "created": stamp.strftime(TIME_FORM),
        "expires": (stamp + timedelta(seconds=valid_seconds)).strftime(TIME_FORM),
        "revision": revision,
        "dirty": dirty,
        "key": state.key_id(),
        "targets": list(targets),
        "excludes": list(excludes),
        "spec": {site.name: spec_digest(site) for site in sites},
        "live": {
            address: {"digest": each.digest, "fields": dict(each.fields)}
            for plan in plans
            for address, each in seen_of(plan).items()
        },
    }
    document["ivn"]["seal"] = state.seal(canonical(document))
    return document


def load_plan(state: StateFolder, data: object, *, now: datetime) -> SavedPlan:
    """A plan file that may be applied now.

    Raises StalePlan for one that is used, expired, edited, foreign, incomplete or of another version, and
    PlanError for what is no plan at all.
    """
    about = about_of(data)
    if about is None:
        raise StalePlan("this plan was only printed: it cannot be applied", next_step=AGAIN)
    if problem := broken_seal(state, about, data):
        raise problem
    if about.tool_version != __version__:
        raise StalePlan(
            f"plan {about.id} was made by version {about.tool_version[:20]}, and this is {__version__}",
            next_step=AGAIN,
        )
    if about.is_expired(now):
        raise StalePlan(f"plan {about.id} expired at {about.expires}", next_step=AGAIN)
    if is_used(state, about.id):
        raise _used(about)
    return _loaded(about, data)


def _loaded(about: About, data: object) -> SavedPlan:
    """The content of a plan whose seal holds."""
    plans = from_json(data)
    try:
        ivn = Node(data)["ivn"]
        if failed := [name for name, _ in ivn["errors"].members()]:
            raise StalePlan(
                f"{', '.join(failed)} could not be planned: a plan is applied whole or not at all",
                next_step="make a plan of the other sites alone, by their names",
            )
        saved = ivn["saved"]
        return SavedPlan(
            about,
            plans,
            targets=tuple(each.text() for each in saved["targets"].items()),
            excludes=tuple(each.text() for each in saved["excludes"].items()),
            spec={name: each.text() for name, each in saved["spec"].members()},
            live={
                name: Seen(each["digest"].text(), {key: one.value for key, one in each["fields"].members()})
                for name, each in saved["live"].members()
            },
        )
    except WrongShape as error:
        raise damaged(error) from error


def use(state: StateFolder, saved: SavedPlan) -> None:
    """From now on the plan counts as applied, whatever becomes of it. Raises StalePlan if it does already."""
    path = state.folder("plans") / f"{saved.id}.used"
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        sync_folder(path.parent)
    except FileExistsError as error:
        raise _used(saved.about) from error
    except OSError as error:
        raise StateError(
            f"cannot mark the plan as used: {error.strerror}",
            where=str(path),
            next_step="make room, or correct the rights; nothing was written to any site",
        ) from error


def _used(about: About) -> StalePlan:
    return StalePlan(f"plan {about.id} was applied already: a plan is used once", next_step=AGAIN)


def check_fresh(saved: SavedPlan, site: Site, plan: SitePlan) -> None:
    """Is the plan computed now, before any selection, the saved one?

    Raises StalePlan with the first resource that is another, and how.
    """
    then = saved.of_site(site.name)
    if then is None or saved.spec.get(site.name) != spec_digest(site):
        what = "was added" if then is None else "is declared otherwise in the site files"
        raise StalePlan(
            f"since plan {saved.id} was made, {site.name} {what}; nothing was written",
            where=site.path,
            next_step=AGAIN,
        )
    live = {name: each for name, each in saved.live.items() if name.partition("/")[0] == site.name}
    now = select(plan, saved.targets, saved.excludes)
    if found := first_difference(live, then, now):
        address, how = found
        raise StalePlan(
            f"since plan {saved.id} was made, {address} {how}; nothing was written",
            where=address,
            next_step=AGAIN,
        )


def spec_digest(site: Site) -> str:
    """SHA-256 of what a site declares and where it is: secrets as their references, their values never."""
    desired = desired_of(site)
    resources = {
        str(address): {name: _plain(value) for name, value in each.fields.items()}
        for address, each in desired.resources.items()
    }
    return digest(canonical([resources, sorted(desired.exclusive), _where(site)]))


def _where(site: Site) -> list[Any]:
    """What decides which systems a plan speaks to."""
    where: list[Any] = []
    if site.nvr:
        connect = site.nvr.connect
        where.append([site.nvr.product, connect.transport, connect.host, connect.port])
    if site.portal:
        where.append([site.portal.url, site.portal.account])
    where += [
        ["axis", each.number, each.axis.connect.host, each.axis.connect.port]
        for each in site.cameras or ()
        if each.axis
    ]
    return where


def _plain(value: Value) -> Any:
    if isinstance(value, (Secret, SecretRef)):
        reference = value.reference if isinstance(value, Secret) else value
        return {"secret": f"{reference.scheme}:{reference.name}"}
    return dump(value)
