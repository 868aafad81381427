"""What a handler works with: the request, the portal's parts, and who asks."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from ivn_provision.lab.clock import Clock
from ivn_provision.lab.portal.front import Counters
from ivn_provision.lab.portal.leases import Leases
from ivn_provision.lab.portal.objects import Objects
from ivn_provision.lab.portal.store import Store
from ivn_provision.lab.portal.tokens import Grant, Tokens

BASE = "/api/v1"


@dataclass(frozen=True, slots=True)
class Core:
    """The portal without HTTP."""

    store: Store
    objects: Objects
    tokens: Tokens
    counters: Counters
    clock: Clock
    leases: Leases


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `grant` is None only at the token endpoint."""

    request: Request
    core: Core
    grant: Grant | None
