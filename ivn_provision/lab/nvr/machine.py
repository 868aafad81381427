"""One lab recorder: a Windows machine with WS-Man in front and a Recording Server that behaves."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from ivn_provision.errors import LabError
from ivn_provision.lab.nvr.config_initial import PATH
from ivn_provision.lab.nvr.counters import Counters, EventEntry, MailEntry
from ivn_provision.lab.nvr.endpoint import FAULTS, Listener, Weather
from ivn_provision.lab.nvr.gate import GateRules
from ivn_provision.lab.nvr.machine_faults import MACHINE_FAULTS
from ivn_provision.lab.nvr.ntlm import Account
from ivn_provision.lab.nvr.product_services import ProductServices
from ivn_provision.lab.nvr.recorder import RecordingServer
from ivn_provision.lab.nvr.shells import Shells
from ivn_provision.lab.nvr.store import Edit
from ivn_provision.lab.nvr.stores import store_of
from ivn_provision.lab.nvr.tls_point import end_point_binding
from ivn_provision.lab.nvr.tree import WindowsTree
from ivn_provision.lab.nvr.windows_machine import FileWritten, Identity, WindowsMachine
from ivn_provision.lab.nvr.windows_tamper import WINDOWS_KINDS, remove_windows, tamper_windows
from ivn_provision.lab.nvr.wsman import WsmanService
from ivn_provision.lab.scenario import LabSite

_T = TypeVar("_T")


def local_now() -> datetime:
    """The machine's clock: local time with its zone."""
    return datetime.now(UTC).astimezone()


class Nvr:
    """A recorder on loopback. Start and stop on one loop; `tamper` and `remove` may be called from any thread.

    `directory` keeps the file tree between runs; `secrets` holds what the product would encrypt.
    """

    def __init__(
        self,
        site: LabSite,
        directory: Path,
        server_tls: ssl.SSLContext,
        *,
        clock: Callable[[], datetime] = local_now,
        shells_per_user: int = 30,
    ) -> None:
        self.site = site
        self.counters = Counters()
        self.weather = Weather()
        self.http_port, self.https_port, self.event_port = site.http_port, site.https_port, site.event_port
        self.secrets = {name: password for name, password, _ in site.users}
        self._tls = server_tls
        self._shells_per_user = shells_per_user
        self._listeners: list[Listener] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._services: ProductServices | None = None
        self._shells: Shells | None = None
        self.events_log: list[EventEntry] = []
        self.mail_log: list[MailEntry] = []
        identity = Identity(f"IVN-LAB-{site.key}".upper(), site.product, site.version)
        tree = WindowsTree(directory / "files")
        self.windows = WindowsMachine(identity, tree, clock, self._service_changes, self._file_written)
        self.store = store_of(site, tree)
        self.windows.configuration = self.store.files
        self.windows.product_changes = lambda: self.store.touch(self.windows.now())

    @property
    def faults(self) -> set[str]:
        """Switched-on wire faults; see `endpoint.FAULTS`."""
        return self.weather.faults

    @property
    def latency_seconds(self) -> float:
        """Added to every request."""
        return self.weather.latency_seconds

    @latency_seconds.setter
    def latency_seconds(self, value: float) -> None:
        self.weather.latency_seconds = value

    @property
    def write_log(self) -> list[FileWritten]:
        """Every file that the agent put in place, oldest first."""
        return list(self.windows.write_log)

    @property
    def image_port(self) -> int:
        """Where the Image Server really listens; 0 before the start."""
        return self._services.image_port if self._services else 0

    @property
    def configuration_path(self) -> Path:
        """Where configuration.xml really is."""
        return self.windows.tree.locate(PATH)

    def fault(self, name: str, *, on: bool = True) -> None:
        """Switch a fault of the wire or of the machine. Raises LabError for one that does not exist."""
        if name not in FAULTS | MACHINE_FAULTS:
            known = ", ".join(sorted(each for each in FAULTS | MACHINE_FAULTS if "-at-" not in each))
            step = f"faults are: {known}; and drop-at-receive and its like (docs/how-to/use-the-lab.md)"
            raise LabError(f"a recorder has no fault {name!r}", next_step=step)
        self._on_loop(lambda: self._switch(name, on=on))

    async def start(self) -> None:
        """Create what is missing, start the services and listen. Raises LabError; nothing stays open then."""
        _check_loopback(self.site.host)
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        try:
            self._start_services()
            await self._listen()
            self.windows.tasks.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close every connection and wait for programs and mails under way."""
        await asyncio.to_thread(self.windows.tasks.stop)
        for listener in self._listeners:
            await listener.stop()
        self._listeners.clear()
        if self._shells is not None:
            await self._shells.idle()
        for name in [each.name for each in self.windows.services() if each.state == "Running"]:
            self.windows.control(name, running=False)
        if self._services is not None:
            await self._services.drain()
        self._services, self._shells, self._loop = None, None, None

    def recorded(self, camera: int) -> tuple[float, float] | None:
        """Seconds that it has of a camera before and after an alarm, by the active configuration; None for nothing."""
        active = self._services.recorder.active if self._services else None
        for each in active.recordings if active else ():
            if each.number == camera:
                return each.before, each.after
        return None

    async def settled(self, before: EventEntry | None, seconds: float) -> None:
        """Until the recorder has heard something after `before`, and its mails are out; at most so long each."""
        for _ in range(int(seconds / 0.02)):
            if self.events_log[-1:] != ([before] if before else []):
                break
            await asyncio.sleep(0.02)
        await self._running().recorder.settle(seconds)

    async def fire_input(self, device: str, input: int, edge: str) -> int:  # noqa: A002 - the product's word
        """An input of a device (IP or MAC) goes `rising` or `falling`; number of events hit. Raises LabError."""
        if edge.casefold() not in {"rising", "falling"}:
            raise LabError(f"{edge!r} is no edge", next_step="use rising or falling")
        return self._running().recorder.input_changed(device, input, edge.casefold())

    def gui(self, edit: Edit) -> None:
        """A person opens the Management Application, does one thing, saves, and closes it. Raises LabError.

        An application that is open already stays so.
        """
        self._on_loop(lambda: self._save(edit))

    def open_gui(self, *, is_open: bool = True) -> None:
        """Open or close the Management Application, and do nothing with it."""
        self.windows.management_application_open = is_open

    def tamper(self, kind: str, key: str = "", fields: Mapping[str, str] | None = None) -> None:
        """Change one object as a technician does. A user that is not there is made if `password` is given."""
        if kind in WINDOWS_KINDS:
            self._on_loop(lambda: tamper_windows(self.windows, kind, key, fields or {}))
        else:
            self.gui(Edit("change", kind, key, fields or {}))

    def remove(self, kind: str, key: str) -> None:
        """Remove one object as a technician does. Raises LabError."""
        if kind in WINDOWS_KINDS:
            self._on_loop(lambda: remove_windows(self.windows, kind, key))
        else:
            self.gui(Edit("remove", kind, key))

    def _switch(self, name: str, *, on: bool) -> None:
        faults = self.windows.faults.on if name in MACHINE_FAULTS else self.faults
        (faults.add if on else faults.discard)(name)
        if name == "disk-full":
            self.windows.fill_disks(on=on)
        if name in MACHINE_FAULTS and self._services is not None:
            self._services.fault_changed(name, on=on)

    def _save(self, edit: Edit) -> None:
        self._running()
        before = self.windows.management_application_open
        self.windows.management_application_open = True
        try:
            restart = self.store.edit(edit, self.windows.now())
            if "password" in edit.fields:
                self._keep_password(edit)
            self._reload(restart)
        finally:
            self.windows.management_application_open = before

    def _keep_password(self, edit: Edit) -> None:
        if edit.kind == "mail_server":
            self._running().recorder.mail_password = edit.fields["password"]
        else:
            self.secrets[edit.fields.get("name", edit.key)] = edit.fields["password"]

    def _reload(self, names: Sequence[str]) -> None:
        for name in names:
            if self.windows.state(name) == "Running":
                self.windows.control(name, running=False)
        for name in reversed(names):
            if not self.windows.control(name, running=True):
                raise LabError(f"{name} did not start again", next_step="see the last entries of events_log")

    def _service_changes(self, name: str, running: bool) -> bool:
        if running and self.windows.start_count[name]:
            self.counters.service_restarts += 1
        # the agent works in a thread of its own, the services on the loop
        return self._on_loop(lambda: self._running().change(name, running=running))

    def _file_written(self, _: str) -> None:
        self.counters.file_writes += 1

    def end_shells(self) -> None:
        """As if the idle time of every shell was over: a client that died leaves its own behind."""
        if self._shells is not None:
            self._shells.end_all()

    def _start_services(self) -> None:
        assert self._loop is not None
        recorder = RecordingServer(
            self.site.host, self.counters, self.windows.now, self._loop, self.windows.faults
        )
        recorder.mail_password = self.site.mail_password
        self.events_log, self.mail_log = recorder.events_log, recorder.mail_log
        self._services = ProductServices(
            self.windows, self.store, recorder, self.secrets, site=self.site, loop=self._loop
        )
        self.windows.install()
        if not self.configuration_path.exists():
            self.event_port = self.site.event_port or _free_port(self.site.host)
        self.store.install(self.event_port)
        for service in self.windows.services():
            if not self.windows.control(service.name, running=True):
                raise LabError(self.events_log[-1].detail, where=f"lab recorder {self.site.key}")
        active = recorder.active
        self.event_port = active.alert_port if active else self.event_port

    async def _listen(self) -> None:
        assert self._loop is not None
        account = Account(self.site.username, self.site.password, str(self.windows.facts()["computer_name"]))
        self._shells = Shells(self.windows, self._loop.time, per_user=self._shells_per_user)
        service = WsmanService(self._shells, self.counters)
        plain, secure = GateRules(account), GateRules(account, end_point_binding(self._tls))
        self.http_port = await self._open(plain, service, self.site.http_port, None)
        self.https_port = await self._open(secure, service, self.site.https_port, self._tls)

    async def _open(
        self, rules: GateRules, service: WsmanService, port: int, tls: ssl.SSLContext | None
    ) -> int:
        listener = Listener(rules, service, self.counters, self.weather)
        self._listeners.append(listener)
        try:
            return await listener.start(self.site.host, port, tls)
        except OSError as error:
            raise LabError(
                f"the lab recorder {self.site.key} cannot listen on {self.site.host}:{port}: {error.strerror}",
                next_step="free the port or give the site another one",
            ) from error

    def _running(self) -> ProductServices:
        if self._services is None:
            raise LabError(f"the lab recorder {self.site.key} is not running", next_step="start it first")
        return self._services

    def _on_loop(self, action: Callable[[], _T]) -> _T:
        loop = self._loop
        if loop is None or threading.get_ident() == self._thread:
            return action()

        async def run() -> _T:
            return action()

        return asyncio.run_coroutine_threadsafe(run(), loop).result(timeout=30)


def _check_loopback(host: str) -> None:
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise LabError(f"{host} is not a loopback address", next_step="the lab binds to 127.0.0.0/8 only")


def _free_port(host: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind((host, 0))
        port: int = sock.getsockname()[1]
    return port
