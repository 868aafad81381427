"""One lab recorder: a Windows machine with WS-Man in front and a Recording Server that behaves."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from lxml import etree

from ivn_provision.errors import LabError
from ivn_provision.lab.nvr import config_edit
from ivn_provision.lab.nvr.config_initial import PATH, initial_configuration, opaque_hex, user_fields
from ivn_provision.lab.nvr.counters import Counters, EventEntry, MailEntry
from ivn_provision.lab.nvr.endpoint import FAULTS, Listener, Weather
from ivn_provision.lab.nvr.gate import GateRules
from ivn_provision.lab.nvr.ntlm import Account
from ivn_provision.lab.nvr.recorder import RecordingServer
from ivn_provision.lab.nvr.shells import Shells
from ivn_provision.lab.nvr.tls_point import end_point_binding
from ivn_provision.lab.nvr.tree import WindowsTree
from ivn_provision.lab.nvr.windows_machine import IMAGE_SERVER, RECORDING_SERVER, Identity, WindowsMachine
from ivn_provision.lab.nvr.wsman import WsmanService
from ivn_provision.lab.scenario import LabSite

_STOP_ORDER = (IMAGE_SERVER, RECORDING_SERVER)
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
        self._clock = clock
        self._shells_per_user = shells_per_user
        self._listeners: list[Listener] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._recorder: RecordingServer | None = None
        self.events_log: list[EventEntry] = []
        self.mail_log: list[MailEntry] = []
        identity = Identity(f"IVN-LAB-{site.key}".upper(), site.product, site.version)
        tree = WindowsTree(directory / "files")
        self.windows = WindowsMachine(identity, tree, clock, self._service_changes, self._file_written)

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
    def configuration_path(self) -> Path:
        """Where configuration.xml really is."""
        return self.windows.tree.locate(PATH)

    def fault(self, name: str, *, on: bool = True) -> None:
        """Switch a wire fault. Raises LabError for one that does not exist."""
        if name not in FAULTS:
            raise LabError(f"there is no fault {name!r}", next_step=f"faults: {', '.join(sorted(FAULTS))}")
        (self.faults.add if on else self.faults.discard)(name)

    async def start(self) -> None:
        """Create what is missing, start the services and listen. Raises LabError; nothing stays open then."""
        _check_loopback(self.site.host)
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        try:
            self._start_services()
            await self._listen()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close every connection and wait for the mails under way."""
        for listener in self._listeners:
            await listener.stop()
        self._listeners.clear()
        for name in [each.name for each in self.windows.services() if each.state == "Running"]:
            self.windows.control(name, running=False)
        if self._recorder is not None:
            await self._recorder.drain()
        self._recorder, self._loop = None, None

    async def fire_input(self, device: str, input: int, edge: str) -> int:  # noqa: A002 - the product's word
        """An input of a device (IP or MAC) goes `rising` or `falling`; number of events hit. Raises LabError."""
        if edge.casefold() not in {"rising", "falling"}:
            raise LabError(f"{edge!r} is no edge", next_step="use rising or falling")
        return self._running().input_changed(device, input, edge.casefold())

    def tamper(self, kind: str, key: str = "", fields: Mapping[str, str] | None = None) -> None:
        """Change one object as a technician does in the Management Application, then reload. Raises LabError.

        A user that does not exist is created when `password` is among the fields.
        """
        self._on_loop(lambda: self._edit(lambda document: self._tamper(document, kind, key, fields or {})))

    def remove(self, kind: str, key: str) -> None:
        """Remove one object as a technician does, then reload. Raises LabError."""
        self._on_loop(lambda: self._edit(lambda document: config_edit.remove(document, kind, key)))

    def _tamper(self, document: config_edit.Document, kind: str, key: str, fields: Mapping[str, str]) -> None:
        if kind == "user" and "password" in fields and not config_edit.has(document, "user", key):
            _add_user(document, self.site, key)
        config_edit.change(document, kind, key, fields)
        if "password" in fields:
            self._keep_password(document, kind, fields.get("name", key), fields["password"])

    def _keep_password(self, document: config_edit.Document, kind: str, key: str, password: str) -> None:
        shown = opaque_hex(kind, key, self._clock().isoformat())
        if kind == "mail_server":
            self._running().mail_password = password
            _set_text(document.root.find("Notifications/EmailServer/Password"), shown)
        else:
            self.secrets[key] = password
            _set_text(config_edit.find(document, kind, key).find("PasswordHash"), shown)

    def _edit(self, edit: Callable[[config_edit.Document], None]) -> None:
        self._running()
        place = self.configuration_path
        document = config_edit.open_document(place.read_bytes())
        edit(document)
        place.write_bytes(config_edit.print_document(document))
        self._reload()

    def _reload(self) -> None:
        for name in _STOP_ORDER:
            if self.windows.state(name) == "Running":
                self.windows.control(name, running=False)
        for name in reversed(_STOP_ORDER):
            if not self.windows.control(name, running=True):
                raise LabError(f"{name} did not start again", next_step="see the last entries of events_log")

    def _service_changes(self, name: str, running: bool) -> bool:
        if running and self.windows.start_count[name]:
            self.counters.service_restarts += 1
        if name != RECORDING_SERVER:
            return True
        recorder = self._running()
        if not running:
            recorder.stop()
            return True
        try:
            recorder.start(self.configuration_path.read_bytes())
        except (LabError, OSError) as error:
            recorder.note("service", name, str(error))
            return False
        return True

    def _file_written(self, _: str) -> None:
        self.counters.file_writes += 1

    def _start_services(self) -> None:
        assert self._loop is not None
        self._recorder = RecordingServer(self.site.host, self.counters, self._clock, self._loop)
        self._recorder.mail_password = self.site.mail_password
        self.events_log, self.mail_log = self._recorder.events_log, self._recorder.mail_log
        self.windows.install()
        if not self.configuration_path.exists():
            self.event_port = self.site.event_port or _free_port(self.site.host)
            self.windows.tree.write(PATH, initial_configuration(self.site, self.event_port))
        for service in self.windows.services():
            if not self.windows.control(service.name, running=True):
                raise LabError(self.events_log[-1].detail, where=f"lab recorder {self.site.key}")
        active = self._recorder.active
        self.event_port = active.alert_port if active else self.event_port

    async def _listen(self) -> None:
        assert self._loop is not None
        account = Account(self.site.username, self.site.password, str(self.windows.facts()["computer_name"]))
        shells = Shells(self.windows, self._loop.time, per_user=self._shells_per_user)
        service = WsmanService(shells, self.counters)
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

    def _running(self) -> RecordingServer:
        if self._recorder is None:
            raise LabError(f"the lab recorder {self.site.key} is not running", next_step="start it first")
        return self._recorder

    def _on_loop(self, action: Callable[[], _T]) -> _T:
        loop = self._loop
        if loop is None or threading.get_ident() == self._thread:
            return action()

        async def run() -> _T:
            return action()

        return asyncio.run_coroutine_threadsafe(run(), loop).result(timeout=30)


def _add_user(document: config_edit.Document, site: LabSite, name: str) -> None:
    if not name:
        raise LabError("a user needs a name", next_step="give the name as the key")
    users = document.root.find("Users")
    parent = etree.SubElement(document.root, "Users") if users is None else users
    user = etree.SubElement(parent, "User")
    for field, text in user_fields(site, name, administrator=False).items():
        etree.SubElement(user, field).text = text


def _set_text(element: etree._Element | None, text: str) -> None:
    if element is not None:
        element.text = text


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
