"""The `portal` driver, for the HTTP API that this project proposes (`schemas/portal.openapi.yaml`).

No public API of the real portal exists (`facts/portal.md`): output says "proposed". Reading is one
request for a whole site, after one for the token; many sites are read by pages (`bulk.py`). Writing is one
conditional request an object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ivn_provision.drivers.base import Hold, Outcome
from ivn_provision.drivers.portal.bulk import PortalFleet
from ivn_provision.drivers.portal.mails import MAIL_KINDS, Mail, newest_mail, shown_by
from ivn_provision.drivers.portal.objects import (
    DEVICE,
    Stored,
    body_of,
    computed_of,
    holding_of,
    lease_of,
    off,
    resources_of,
    stored_of,
)
from ivn_provision.drivers.portal.tokens import TokenSource
from ivn_provision.errors import (
    Conflict,
    IvnError,
    PartlyApplied,
    ProtocolFault,
)
from ivn_provision.model.live import Ability, Capabilities, Capability, Facts, Holding, Lease, Live
from ivn_provision.model.resource import Address, Value
from ivn_provision.plan.plan import Action, Change, Observation, Unverified, Work
from ivn_provision.secret import Secret
from ivn_provision.strict_json import Node, WrongShape
from ivn_provision.transports.http import JsonClient, Reply

PRODUCT = "I-View Now portal"
VERSION = "proposed API v1"
_INCLUDE = "devices,alarm_inputs,newest_mail"
NOT_FOUND = "urn:ivn-provision:problem:not-found"
_MANAGED = Capability(Ability.MANAGED, evidence="proposed")
_GENERATED = Capability(
    Ability.OBSERVABLE, "the portal generates it (R-75): correct the site file", evidence="proposed"
)


class PortalReader:
    """Reads one site of the portal. `account` is the site's key there.

    `mails_since` (RFC 3339, UTC, whole seconds) is how old a mail may be that shows something; "" for any age.
    With `fleet` the first reading is what one paged read gave of the site.
    """

    target = "portal"
    _run = ""

    def __init__(
        self,
        site: str,
        account: str,
        client: JsonClient,
        tokens: TokenSource,
        *,
        mails_since: str = "",
        fleet: PortalFleet | None = None,
    ) -> None:
        self.site = site
        self._mails_since = mails_since
        self._fleet = fleet
        self.endpoint = client.endpoint
        self._account = account
        self._client = client
        self._tokens = tokens
        self._found: _Found | None = None

    def probe(self) -> Facts:
        found = self._reading()
        return Facts(
            PRODUCT,
            VERSION,
            Capabilities({("device", "smtp_account_id"): _GENERATED}, default=_MANAGED),
            holding=found.holding,
        )

    def read(self) -> Live:
        found = self._reading()
        return Live(found.live, found.computed)

    def observe(self, questions: Sequence[Unverified]) -> tuple[Observation, ...]:
        """What the newest mail of the site shows of the recorder's mail settings; it was read with the site."""
        if not any(each.is_open and each.address.kind in MAIL_KINDS for each in questions):
            return ()
        mail = self._reading().mail
        return shown_by(mail, questions) if mail and mail.received_at >= self._mails_since else ()

    def close(self) -> None:
        """What was read is forgotten too: the next reading is a new one."""
        self._found = None
        self._client.close()

    def _reading(self) -> _Found:
        if self._found is None:
            try:
                self._found = self._listed() or self._alone()
            except WrongShape as error:
                raise off(error, self.endpoint) from error
        return self._found

    def _listed(self) -> _Found | None:
        if self._fleet is None:
            return None
        listed = self._fleet.take(
            self._account, self._client, lambda params: self._call("GET", "/sites", params=params)
        )
        if listed is None:
            return None
        if listed.site is not None:
            return self._understood(listed.site)
        return _missing(lease_of(Node(listed.lease)) if listed.lease is not None else None)

    def _alone(self) -> _Found:
        path = _site_path(self._account)
        reply = self._call("GET", path, params={"include": _INCLUDE}, missing_ok=True)
        if not self._says_missing(reply):
            return self._understood(reply.body)
        # asked for by itself: of a site that does not exist the answer says nothing
        lease = self._call("GET", f"{path}/lease", missing_ok=True)
        return _missing(None if self._says_missing(lease) else lease_of(Node(lease.body)))

    def _understood(self, answer: Mapping[str, Any]) -> _Found:
        stored = stored_of(self._account, answer)
        return _Found(
            stored,
            resources_of(self.site, stored),
            computed_of(stored),
            holding_of(answer),
            newest_mail(answer),
        )

    def _says_missing(self, reply: Reply) -> bool:
        """Only the API itself can say that it has no such thing; a gateway's 404 says nothing of it."""
        if reply.status != 404:
            return False
        if reply.body.get("type") == NOT_FOUND:
            return True
        raise ProtocolFault(
            f"{self.endpoint} answered HTTP 404, but not as the API says that something does not exist",
            endpoint=self.endpoint,
            next_step="check portal.url: is it the API, and is a proxy or gateway in between?",
        )

    def _call(self, method: str, path: str, **options: Any) -> Reply:
        headers = {
            "Authorization": f"Bearer {self._tokens.token(self._client)}",
            **({"IVN-Run": self._run} if self._run else {}),
            **options.pop("headers", {}),
        }
        return self._client.request(method, path, headers=headers, **options)


@dataclass(frozen=True, slots=True)
class _Found:
    stored: Mapping[str, Stored]
    live: tuple[Any, ...]
    computed: Mapping[str, str]
    holding: Holding
    mail: Mail | None = None


def _missing(lease: Lease | None) -> _Found:
    return _Found({}, (), {}, Holding(lease=lease))


class PortalWriter(PortalReader):
    """Reads and writes one site of the portal. `_run` is the run that holds it, "" for none."""

    def hold(self, hold: Hold) -> None:
        """The site's lease in the portal, judged by the portal's clock. Raises LeaseHeld."""
        body = {"owner": hold.owner, "run": hold.run, "seconds": hold.seconds}
        self._call("PUT", f"{_site_path(self._account)}/lease", json=body)
        self._run = hold.run

    def release(self, run: str, *, stays: bool = True) -> None:
        """Give the lease back; one that is not there any more, or another run's, is none."""
        del stays
        path = f"{_site_path(self._account)}/lease"
        self._says_missing(self._call("DELETE", path, params={"run": run}, missing_ok=True))
        self._run, self._found = "", None

    def put_back(self, run: str) -> bool:
        """The portal keeps no before-images: the engine plans back."""
        del run
        return False

    def check(self, changes: Sequence[Change]) -> None:
        """Nothing is refused beforehand: the portal judges each request."""

    def apply(self, work: Work) -> tuple[Outcome, ...]:
        """One conditional request a change, in order. A stale ETag stops with Conflict.

        Raises PartlyApplied if a request failed after others had been made.
        """
        self._reading()
        done: list[Outcome] = []
        try:
            for change in work.changes:
                self._write_next(change, work, done)
        finally:
            self._found = (
                None  # also after a write that broke off: what was read before may not be true any more
            )
        return tuple(done)

    def _write_next(self, change: Change, work: Work, done: list[Outcome]) -> None:
        try:
            self._write(change, work.desired.get(change.address, {}))
        except IvnError as error:
            if not done:
                raise
            raise PartlyApplied(
                f"{len(done)} of {len(work.changes)} portal changes were made, then: {error.summary}",
                done=tuple(str(each.address) for each in done),
                where=error.where or str(change.address),
                next_step=error.next_step,
            ) from error
        done.append(Outcome(change.address, "done"))

    def _write(self, change: Change, fields: Mapping[str, Value]) -> None:
        path = _path(self._account, change.address)
        stored = self._reading().stored.get(change.handle)
        if change.handle and (stored is None or stored.etag != change.digest):
            raise Conflict(
                f"{change.address} changed in the portal since it was read; it was not written",
                endpoint=self.endpoint,
                where=str(change.address),
                next_step="run the command again: it plans from what is there now",
            )
        if change.action is Action.DELETE:
            assert stored is not None
            self._call("DELETE", path, headers={"If-Match": stored.etag})
            return
        condition = {"If-Match": stored.etag} if stored else {"If-None-Match": "*"}
        secrets = [each for each in fields.values() if isinstance(each, Secret)]
        self._call("PUT", path, json=body_of(change, fields, stored), headers=condition, secrets=secrets)


def _site_path(account: str) -> str:
    return f"/sites/{quote(account, safe='')}"


def _path(account: str, address: Address) -> str:
    """Where an object lives. Keys are quoted: they come from site files."""
    if address.kind == "site":
        return _site_path(account)
    device = f"{_site_path(account)}/devices/{DEVICE}"
    if address.kind == "device":
        return device
    pin, source = address.key[:-1], {"H": "hardware", "S": "soft"}[address.key[-1]]
    return f"{device}/alarm-inputs/{source}/{quote(pin, safe='')}"
