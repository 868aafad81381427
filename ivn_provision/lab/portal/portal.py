"""The portal as one object: start, stop, and what tests and `lab status` look at."""

from __future__ import annotations

import dataclasses
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from ivn_provision.errors import LabError
from ivn_provision.lab.clock import Clock
from ivn_provision.lab.mail.message import Mail
from ivn_provision.lab.portal.app import build_app
from ivn_provision.lab.portal.calls import BASE, Core
from ivn_provision.lab.portal.front import Counters, FrontDoor, Seen
from ivn_provision.lab.portal.ingest import ingest
from ivn_provision.lab.portal.leases import Leases, Written
from ivn_provision.lab.portal.objects import Objects, SmtpSettings
from ivn_provision.lab.portal.store import Json, Store
from ivn_provision.lab.portal.tokens import Tokens
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
    ) -> None:
        store = Store(file)
        self.counters = Counters()
        objects, tokens = Objects(store, clock, smtp), Tokens(clients, clock, token_seconds)
        self.leases = Leases(clock)
        self.core = Core(store, objects, tokens, self.counters, clock, self.leases)
        self.front = FrontDoor(build_app(self.core), self.counters)
        self.url = ""
        self._server: AsgiServer | None = None

    @property
    def faults(self) -> set[str]:
        """Switched-on faults, of `front.FAULTS`."""
        return self.front.faults

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
        self._server = AsgiServer(self.front, sock, tls)
        await self._server.start()
        self.url = f"https://{host}:{port}{BASE}"

    async def stop(self) -> None:
        """Stop serving and close the store."""
        self.front.close()
        if self._server is not None:
            await self._server.stop()
        self.core.store.close()

    def receive(self, mail: Mail) -> None:
        """Take a mail from the sink."""
        ingest(self.core, mail)

    def events(self, site: str = "", *, limit: int = 1000) -> list[Json]:
        """Events of a site, newest first; of site `""`: mails to no known account."""
        return self.core.store.events(site, before=sys.maxsize, limit=limit)

    def counter_values(self) -> dict[str, object]:
        """The counters as plain JSON."""
        plain = {each.name: getattr(self.counters, each.name) for each in dataclasses.fields(self.counters)}
        return {name: dict(value) if isinstance(value, dict) else value for name, value in plain.items()}


def unknown_site(key: str, known: list[str]) -> LabError:
    """The error for a site that the lab or portal does not have."""
    return LabError(
        f"there is no site {key!r}", next_step=f"sites are: {', '.join(known[:20]) or 'none yet'}"
    )
