"""The Recording Server itself: it loads the configuration, hears events and inputs, and sends mail."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from ivn_provision.errors import LabError
from ivn_provision.lab.nvr.config_active import ActiveConfiguration, Unreadable
from ivn_provision.lab.nvr.counters import Counters, EventEntry, MailEntry
from ivn_provision.lab.nvr.generic_listener import GenericListener
from ivn_provision.lab.nvr.mailer import Notification, deliver

_MOST_ENTRIES = 1000


class RecordingServer:
    """Runs on one loop. Everything it does follows the configuration loaded at its last start."""

    def __init__(
        self, host: str, counters: Counters, clock: Callable[[], datetime], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._host = host
        self._counters = counters
        self._clock = clock
        self._loop = loop
        self._listener: GenericListener | None = None
        self._mails: set[asyncio.Future[None]] = set()
        self._senders = ThreadPoolExecutor(max_workers=4, thread_name_prefix="lab-mail")
        self.active: ActiveConfiguration | None = None
        self.mail_password = ""
        self.events_log: list[EventEntry] = []
        self.mail_log: list[MailEntry] = []

    def start(self, load: Callable[[], ActiveConfiguration]) -> None:
        """Load the configuration and listen. Raises LabError when it cannot, OSError of its file."""
        try:
            active = load()
        except Unreadable as error:
            raise LabError(f"the Recording Server cannot read its configuration: {error}") from error
        try:
            self._listener = GenericListener(self._host, active.alert_port, self._loop, self._heard)
        except OSError as error:
            raise LabError(
                f"the Recording Server cannot listen on {self._host}:{active.alert_port}: {error.strerror}",
                next_step="free the port or choose another one",
            ) from error
        self.active = active

    def stop(self) -> None:
        """Stop listening; mails under way go on."""
        if self._listener is not None:
            self._listener.close()
        self._listener, self.active = None, None

    async def settle(self, seconds: float) -> None:
        """Wait for the mails under way, at most so long."""
        if self._mails:
            await asyncio.wait(set(self._mails), timeout=seconds)

    async def drain(self) -> None:
        """Wait for the mails under way and end the sending threads."""
        while self._mails:
            await asyncio.gather(*self._mails)
        self._senders.shutdown(wait=True)

    def input_changed(self, device: str, number: int, edge: str) -> int:
        """An input of a device went `rising` or `falling`; the number of events hit. Raises LabError."""
        active = self.active
        if active is None:
            return 0
        guid = _device_guid(active, device)
        hits = [
            e for e in active.inputs if e.enabled and (e.device, e.number, e.edge) == (guid, number, edge)
        ]
        for event in hits:
            detail = f"{device} input {number} {edge}"
            self._hit(
                active,
                "input",
                event.name,
                detail,
                camera=active.cameras.get(event.camera, ""),
                email=event.email,
            )
        return len(hits)

    def note(self, kind: str, name: str, detail: str) -> None:
        """Add to the log of events; the oldest entries go."""
        self.events_log.append(EventEntry(self._clock(), kind, name, detail))
        del self.events_log[:-_MOST_ENTRIES]

    def _heard(self, text: str, protocol: str) -> None:
        active = self.active
        if active is None:
            return
        hits = [event for event in active.generics if event.hit_by(text, protocol)]
        for event in hits:
            self._hit(
                active, "generic", event.name, f"{protocol} {text[:80]!r}", camera="", email=event.email
            )
        if not hits:
            self.note("unmatched", "", f"{protocol} {text[:80]!r}")

    def _hit(
        self, active: ActiveConfiguration, kind: str, name: str, detail: str, *, camera: str, email: bool
    ) -> None:
        self._counters.events += 1
        self.note(kind, name, detail)
        if email and active.mail.usable:
            mail = Notification(active.mail, self.mail_password, name, camera, self._clock(), self._host)
            task = self._loop.create_task(self._send(mail))
            self._mails.add(task)
            task.add_done_callback(self._mails.discard)

    async def _send(self, mail: Notification) -> None:
        error = await self._loop.run_in_executor(self._senders, deliver, mail)
        if error:
            self._counters.mails_failed += 1
        else:
            self._counters.mails_sent += 1
        settings = mail.settings
        server = f"{settings.host}:{settings.port} {settings.security}"
        self.mail_log.append(MailEntry(mail.at, mail.event, settings.recipients, server, error))
        del self.mail_log[:-_MOST_ENTRIES]


def _device_guid(active: ActiveConfiguration, device: str) -> str:
    mac = re.sub("[:-]", "", device).upper()
    for each in active.devices:
        if device == each.address or mac == each.mac:
            return each.guid
    known: Mapping[str, str] = {each.address: each.mac for each in active.devices}
    shown = ", ".join(f"{address} ({mac})" for address, mac in known.items()) or "none"
    raise LabError(f"this recorder has no device {device!r}", next_step=f"devices: {shown}")
