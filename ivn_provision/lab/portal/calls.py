"""What a handler works with: the request, the portal's parts, and who asks."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from ivn_provision.lab.clock import Clock
from ivn_provision.lab.portal import requests
from ivn_provision.lab.portal.clips import Clips
from ivn_provision.lab.portal.front import Counters
from ivn_provision.lab.portal.leases import Leases
from ivn_provision.lab.portal.objects import Objects
from ivn_provision.lab.portal.problems import not_found
from ivn_provision.lab.portal.sessions import Sessions
from ivn_provision.lab.portal.store import Spot, Store, Stored
from ivn_provision.lab.portal.tokens import Grant, Tokens
from ivn_provision.lab.portal.vantage import Vantage
from ivn_provision.lab.portal.vault import Vault

BASE = "/api/v1"


@dataclass(slots=True)
class Core:
    """The portal without HTTP. `faults` are those of `front.FAULTS` that are on; `duplicate_seconds` is how long
    a further mail of a pin is a duplicate of the first one."""

    store: Store
    objects: Objects
    tokens: Tokens
    counters: Counters
    clock: Clock
    leases: Leases
    sessions: Sessions
    vantage: Vantage
    vault: Vault
    clips: Clips
    faults: set[str]
    duplicate_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `grant` is None only at the token endpoint."""

    request: Request
    core: Core
    grant: Grant | None


def existing(call: Call, kind: str) -> Stored:
    """The object that the path names. Raises Problem `not-found`."""
    spot = requests.spot_of(call.request.path_params, kind)
    found = call.core.store.get(spot)
    if found is None:
        raise not_found(words(spot))
    return found


def words(spot: Spot) -> str:
    """An object for people."""
    names = {"site": f"site {spot.site}", "device": f"device {spot.device} of site {spot.site}"}
    return names.get(spot.kind, f"{spot.source} alarm input {spot.pin} of {spot.site}/{spot.device}")
