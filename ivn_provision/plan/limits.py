"""The most that a plan may break, in units that a dealer knows. Pure.

What a plan reaches is an estimate from above: every write on a recorder restarts its services, and while the
recording server restarts none of its cameras records.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ivn_provision.errors import LimitExceeded, UsageProblem
from ivn_provision.model.resource import Value
from ivn_provision.plan.order import batches
from ivn_provision.plan.plan import Action, SitePlan
from ivn_provision.spec.site import Limits

RESTART_SECONDS = 60
"""Assumed for one restart of the recording services; not measured on a real recorder."""
FREE_SITES = 10
"""So many sites are never too large a share of a fleet."""
_WINDOWS = frozenset({"windows", "windows_service", "firewall_rule", "listening_port"})
KINDS = {
    "deletes": "objects that are removed",
    "cameras_stopped": "cameras that lose recording while services restart",
    "outage_seconds": "seconds without recording (estimated)",
    "pins_without_video": "pins whose camera is not on the recorder",
    "sites": "sites that one run touches",
    "fleet_percent": "percent of the fleet that one run touches",
}


@dataclass(frozen=True, slots=True)
class Reach:
    """What a plan of one site breaks, by the names of `KINDS`."""

    deletes: int
    cameras_stopped: int
    outage_seconds: int
    pins_without_video: int


def reach_of(plan: SitePlan) -> Reach:
    """The reach of what the tool would do; what a person must do counts nothing."""
    restarts = [
        batch
        for batch in batches(plan.workable)
        if batch.target == "nvr" and any(each.address.kind not in _WINDOWS for each in batch.changes)
    ]
    cameras = sum(address.kind == "camera" for address in plan.live)
    return Reach(
        deletes=sum(change.action is Action.DELETE for change in plan.workable),
        cameras_stopped=cameras if restarts else 0,
        outage_seconds=RESTART_SECONDS * len(restarts) if cameras else 0,
        pins_without_video=len(_blind_pins(plan)),
    )


def _blind_pins(plan: SitePlan) -> list[str]:
    """Enabled pins on the portal after the plan, whose camera the recorder will not have then."""
    if not plan.workable or not any(facts.target == "nvr" for facts in plan.facts):
        return []
    unread = {each.address for each in plan.unverified}  # cameras that this recorder does not show: not known
    cameras = {address.key for address in (*plan.live, *unread) if address.kind == "camera"}
    pins = {address.key: fields for address, fields in plan.live.items() if address.kind == "pin"}
    for change in plan.workable:
        kind, key = change.address.kind, change.address.key
        if kind == "camera":
            (cameras.discard if change.action is Action.DELETE else cameras.add)(key)
        elif kind == "pin" and change.action is Action.DELETE:
            pins.pop(key, None)
        elif kind == "pin":
            after: dict[str, Value] = {each.name: each.after for each in change.fields}
            pins[key] = {**pins.get(key, {}), **after}
    return [
        key
        for key, fields in pins.items()
        if fields.get("enabled") is not False and str(fields.get("camera")) not in cameras
    ]


def check_limits(
    plans: Sequence[tuple[SitePlan, Limits]],
    *,
    fleet_size: int,
    allowances: Mapping[str, int],
    raised: Mapping[str, int] | None = None,
) -> None:
    """Raises LimitExceeded with all limits that the run would pass and is not allowed to by their numbers.

    A limit of a site is passed by the number of the run's worst site. `raised` are limits that hold in the place
    of lower ones.
    """
    touched = [(plan, limits) for plan, limits in plans if plan.workable]
    higher = raised or {}
    over = [
        each
        for each in _over(touched, fleet_size)
        if allowances.get(each.kind) != each.number and each.number > higher.get(each.kind, each.limit)
    ]
    if not over:
        return
    raise LimitExceeded(
        f"{'; '.join(_words(each, allowances) for each in over)}; nothing was written",
        where=over[0].site if len({each.site for each in over}) == 1 else "",
        next_step="look at the plan; if that is meant, give "
        + " ".join(f"--allow {each.kind}={each.number}" for each in over),
    )


class _Over(NamedTuple):
    """A limit that is passed; `site` is the worst one, "" for the run as a whole."""

    kind: str
    number: int
    limit: int
    site: str = ""


def _over(touched: Sequence[tuple[SitePlan, Limits]], fleet_size: int) -> Iterator[_Over]:
    """The strictest of the sites' limits of a run counts: they come from fleet.yml, and are the same then."""
    if not touched:
        return
    reaches = [(reach_of(plan), limits, plan.site) for plan, limits in touched]
    for kind in ("deletes", "cameras_stopped", "outage_seconds", "pins_without_video"):
        counts = [(getattr(reach, kind), getattr(limits, kind), site) for reach, limits, site in reaches]
        if over := [each for each in counts if each[0] > each[1]]:
            yield _Over(kind, *max(over))
    count = len(touched)
    most = min(limits.sites for _, limits in touched)
    if count > most:
        yield _Over("sites", count, most)
    share = -(-100 * count // fleet_size) if fleet_size else 0
    most = min(limits.fleet_percent for _, limits in touched)
    if count > FREE_SITES and share > most:
        yield _Over("fleet_percent", share, most)


def _words(over: _Over, allowances: Mapping[str, int]) -> str:
    kind = over.kind
    given = f" (--allow {kind}={allowances[kind]} is another number)" if kind in allowances else ""
    return f"{over.number} {KINDS[kind]}, the limit is {over.limit}{given}"


def parse_allowances(texts: Sequence[str]) -> dict[str, int]:
    """`KIND=N` of the command line. Raises UsageProblem."""
    found: dict[str, int] = {}
    for text in texts:
        match = re.fullmatch(r"([a-z_]+)=([0-9]{1,9})", text)
        if match is None or match[1] not in KINDS:
            raise UsageProblem(f"--allow {text}: not KIND=N", next_step=f"Kinds are {', '.join(KINDS)}.")
        found[match[1]] = int(match[2])
    return found
