"""The portal as one object: start, stop, and what tests and `lab status` look at."""

from __future__ import annotations

import dataclasses
import json
import socket
from collections.abc import Mapping
from pathlib import Path

from ivn_provision.errors import LabError
from ivn_provision.lab.clock import Clock
from ivn_provision.lab.mail.message import Mail
from ivn_provision.lab.portal.app import build_app
from ivn_provision.lab.portal.calls import BASE, Core
from ivn_provision.lab.portal.clips import Clips
from ivn_provision.lab.portal.events import events_of
from ivn_provision.lab.portal.front import Counters, FrontDoor, Seen
from ivn_provision.lab.portal.ingest import ingest
from ivn_provision.lab.portal.leases import Leases, Written
from ivn_provision.lab.portal.objects import Objects, SmtpSettings
from ivn_provision.lab.portal.rate_limit import RateLimit
from ivn_provision.lab.portal.releases import cancel_held
from ivn_provision.lab.portal.sessions import Sessions
from ivn_provision.lab.portal.store import Json, Store, Wanted
from ivn_provision.lab.portal.tokens import Tokens
from ivn_provision.lab.portal.vantage import Recorders, Vantage
from ivn_provision.lab.portal.vault import Vault
from ivn_provision.lab.server import AsgiServer


class Portal:
    """The simulated portal. `clients` maps client ids to secrets. Lives in the loop that calls `start`."""

    def __init__(
        self,
        file: Path,
        clients: Mapping[str, str],
        smtp: SmtpSettings,
        clock: Clock,
        *,
        token_seconds: int = 1800,
        recorders: Recorders | None = None,
    ) -> None:
        store, faults = Store(file), set[str]()
        vault = Vault(store, file.with_name("portal.key"))
        vantage = Vantage(faults, recorders or Recorders())
        self.counters = Counters()
        self.leases = Leases(clock)
        self.core = Core(
            store=store,
            objects=Objects(store, clock, smtp, vault),
            tokens=Tokens(clients, clock, token_seconds),
            counters=self.counters,
            clock=clock,
            leases=self.leases,
            sessions=Sessions(store, clock),
            vantage=vantage,
            vault=vault,
            clips=Clips(store, vantage, vault),
            faults=faults,
        )
        self.front = FrontDoor(build_app(self.core), self.counters, faults)
        self.url = ""
        self._server: AsgiServer | None = None

    @property
    def faults(self) -> set[str]:
        """Switched-on faults, of `front.FAULTS`."""
        return self.front.faults

    @property
    def limit(self) -> RateLimit:
        """How many requests a second the fault `rate-limit` lets in, and how many it refused."""
        return self.front.limit

    @property
    def requests(self) -> list[Seen]:
        """The last 10,000 requests, oldest first."""
        return list(self.front.requests)

    @property
    def write_log(self) -> list[Written]:
        """Every write that the API took, oldest first; one that changed nothing too."""
        return list(self.leases.log)

    @property
    def latency_seconds(self) -> float:
        return self.front.latency_seconds

    @latency_seconds.setter
    def latency_seconds(self, seconds: float) -> None:
        self.front.latency_seconds = seconds

    async def start(self, sock: socket.socket, tls: tuple[Path, Path]) -> None:
        """Serve HTTPS on `sock` with certificate and key."""
        host, port = sock.getsockname()
        self.core.objects.refresh_smtp()
        self.core.vantage.source = host
        self._server = AsgiServer(self.front, sock, tls)
        await self._server.start()
        self.url = f"https://{host}:{port}{BASE}"

    async def stop(self) -> None:
        """Stop serving and close the store."""
        self.front.close()
        if self._server is not None:
            await self._server.stop()
        await self.core.clips.stop()
        self.core.store.close()

    def receive(self, mail: Mail) -> None:
        """Take a mail from the sink."""
        ingest(self.core, mail)

    def events(self, site: str = "", *, limit: int = 1000) -> list[Json]:
        """Events of a site, newest first; of site `""`: mails to no known account."""
        return events_of(self.core, Wanted(site), limit)

    def alarms(self, site: str = "") -> list[Json]:
        """What reached the station, oldest first: understood, and no test. Of all sites, or of one."""
        sql = (
            "SELECT id, body FROM events WHERE (?='' OR site=?) AND json_extract(body, '$.parse_status')='parsed'"
            " AND NOT json_extract(body, '$.test') ORDER BY id"
        )
        return [{"id": row[0], **json.loads(row[1])} for row in self.core.store.rows(sql, (site, site))]

    def disarmed(self, site: str) -> None:
        """A person disarmed a site: what is held there is never released."""
        cancel_held(self.core.store, site, self.core.clock())

    def counter_values(self) -> dict[str, object]:
        """The counters as plain JSON."""
        plain = {each.name: getattr(self.counters, each.name) for each in dataclasses.fields(self.counters)}
        shown = {name: dict(value) if isinstance(value, dict) else value for name, value in plain.items()}
        return {**shown, "alarms": len(self.alarms())}


def unknown_site(key: str, known: list[str]) -> LabError:
    """The error for a site that the lab or portal does not have."""
    return LabError(
        f"there is no site {key!r}", next_step=f"sites are: {', '.join(known[:20]) or 'none yet'}"
    )
