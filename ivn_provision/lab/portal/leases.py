"""Who may write to a site, and whether an alarm is going on there. Proposed and simulated, like all of the API."""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from starlette.responses import JSONResponse, Response

from ivn_provision.errors import LabError
from ivn_provision.lab.clock import rfc3339
from ivn_provision.lab.portal.contract import body_schema
from ivn_provision.lab.portal.problems import Problem, not_found
from ivn_provision.lab.portal.requests import bad_parameter
from ivn_provision.lab.portal.store import Json

RUN_HEADER = "ivn-run"
_LOCKED = 423
_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_RUN = re.compile(r"[A-Za-z0-9._-]{1,120}")
_INCIDENT = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


@dataclass(frozen=True, slots=True)
class Lease:
    """One writer of a site, until its time."""

    owner: str
    run: str
    ends: datetime


@dataclass(frozen=True, slots=True)
class Written:
    """One write that was taken, also of what was there already. `before` and `after` are ETags, "" where there is
    no object; `run` is the header's. `content`: a hash before and after of what is stored, but for its revision."""

    site: str
    path: str
    method: str
    before: str
    after: str
    run: str
    content: tuple[str, str] = ("", "")


@dataclass(slots=True)
class Leases:
    """Leases and alarm states by site. They end with the lab."""

    clock: Callable[[], datetime]
    leases: dict[str, Lease] = field(default_factory=dict)
    armed: set[str] = field(default_factory=set)
    incidents: dict[str, str] = field(default_factory=dict)
    log: list[Written] = field(default_factory=list)

    def take(self, site: str, body: Json) -> Json:
        """Take, renew or take over. Raises Problem `lease-held`."""
        if self._other(site, str(body["run"])):
            raise self._held(site)
        ends = self.clock() + timedelta(seconds=int(body["seconds"]))
        self.leases[site] = Lease(str(body["owner"]), str(body["run"]), ends)
        shown = self.show(site)
        assert shown is not None
        return shown

    def drop(self, site: str, run: str) -> None:
        """Give it back. Raises Problem `not-found` unless it is of this run."""
        lease = self.leases.get(site)
        if lease is None or lease.run != run:
            raise not_found(f"lease of run {run} on site {site}")
        del self.leases[site]

    def check(self, site: str, run: str) -> None:
        """May this run write an object? Raises Problem `lease-held` (423) while another one holds the site."""
        if self._other(site, run):
            raise self._held(site, _LOCKED)

    def _other(self, site: str, run: str) -> bool:
        lease = self.leases.get(site)
        return lease is not None and lease.run != run and not self._expired(lease)

    def _held(self, site: str, status: int = 0) -> Problem:
        lease = self.leases[site]
        ends = rfc3339(lease.ends)
        return Problem(
            "lease-held",
            f"{lease.owner} writes to site {site}: run {lease.run}, until {ends}.",
            extra={"owner": lease.owner, "run": lease.run, "expires_at": ends},
            status=status,
        )

    def show(self, site: str) -> Json | None:
        """As the API shows it; an expired one too, until it is given back or taken over."""
        lease = self.leases.get(site)
        if lease is None:
            return None
        return {
            "owner": lease.owner,
            "run": lease.run,
            "expires_at": rfc3339(lease.ends),
            "expired": self._expired(lease),
        }

    def vacant(self, taken: Container[str]) -> Json:
        """Leases by the keys of sites that do not exist."""
        return {site: self.show(site) for site in sorted(self.leases) if site not in taken}

    def set_alarm(self, site: str, armed: bool | None, incident: str | None) -> None:
        """What happens on the site; None leaves it as it is, "" ends an incident. Raises LabError."""
        if not _KEY.fullmatch(site):
            raise LabError(f"{site!r} is no key of a site")
        if incident and not _INCIDENT.fullmatch(incident):
            raise LabError("an incident is one line of at most 200 characters")
        if armed is not None:
            (self.armed.add if armed else self.armed.discard)(site)
        if incident:
            self.incidents[site] = incident
        elif incident is not None:
            self.incidents.pop(site, None)

    def show_alarm(self, site: str) -> Json:
        """What the portal knows of alarms on the site."""
        return {"armed": site in self.armed, "open_incident": self.incidents.get(site)}

    def _expired(self, lease: Lease) -> bool:
        return lease.ends <= self.clock()


def site_key(text: str) -> str:
    """A key of a site, which need not exist: a lease comes before the first write."""
    if not _KEY.fullmatch(text):
        raise not_found("site with such a site key")
    return text


def run_of(header: str) -> str:
    """The run that a write is of, "" for none. Raises Problem 422."""
    if header and not _RUN.fullmatch(header):
        raise bad_parameter("IVN-Run", "IVN-Run is the id of a run")
    return header


def drop(leases: Leases, site: str, run: str) -> Response:
    """`DELETE /sites/{site_key}/lease?run=RUN`"""
    if not _RUN.fullmatch(run):
        raise bad_parameter("run", "run is the id of a run")
    leases.drop(site, run)
    return Response(status_code=204)


def put(leases: Leases, site: str, body: object) -> Response:
    """`PUT /sites/{site_key}/lease`"""
    known = site in leases.leases
    return JSONResponse(
        leases.take(site, body_schema("LeaseInput").check(body)), status_code=200 if known else 201
    )


def get(leases: Leases, site: str) -> Response:
    """`GET /sites/{site_key}/lease`"""
    shown = leases.show(site)
    if shown is None:
        raise not_found(f"lease on site {site}")
    return JSONResponse(shown)
