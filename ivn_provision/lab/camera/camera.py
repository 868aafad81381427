"""An emulated Axis camera of the lab: its web server, its rules with real mails, and hands for tests."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import TypeVar

from ivn_provision.errors import LabError
from ivn_provision.lab.camera import hands
from ivn_provision.lab.camera.book import Book, Rule
from ivn_provision.lab.camera.calls import Call
from ivn_provision.lab.camera.counters import CameraCounters, CameraMail, RequestEntry
from ivn_provision.lab.camera.desk import answered, places, right_of
from ivn_provision.lab.camera.device import Device, Making
from ivn_provision.lab.camera.io_cgi import Timers
from ivn_provision.lab.camera.listener import CameraListener, Wire
from ivn_provision.lab.camera.mail_room import TEMPLATE, deliver, letter
from ivn_provision.lab.camera.params import Parameters
from ivn_provision.lab.camera.profile import Profile, profile
from ivn_provision.lab.loopback import free_port, listen
from ivn_provision.lab.nvr.http_wire import HttpRequest, HttpResponse
from ivn_provision.lab.scenario import LabCamera

_T = TypeVar("_T")
_MOST_ENTRIES = 2000


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a camera stands: its own address, the file it keeps, the lab's TLS and CA, and its clock."""

    name: str
    host: str
    file: Path
    tls: ssl.SSLContext
    ca_file: Path
    clock: Callable[[], datetime]


class AxisCamera:
    """Start and stop on one loop; the hands may be called from any thread.

    `seen(input from 1, edge)` is told of every change of an input that nobody else tells the recorder of.
    """

    def __init__(self, camera: LabCamera, setting: Setting, seen: Callable[[int, str], None]) -> None:
        self.camera, self.setting = camera, setting
        self.profile: Profile = profile(camera.axis)
        self.http_port, self.https_port = camera.axis_http_port, camera.axis_https_port
        self.requests: deque[RequestEntry] = deque(maxlen=_MOST_ENTRIES)
        self.mails: deque[CameraMail] = deque(maxlen=_MOST_ENTRIES)
        self._seen = seen
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._listeners: list[CameraListener] = []
        self._sending: set[asyncio.Future[None]] = set()
        self._senders = ThreadPoolExecutor(max_workers=2, thread_name_prefix="lab-camera-mail")
        self._timers = Timers()
        self.device = Device(self._making(), self._act, self._changed)
        self.wire = Wire(self.device.mishaps, self._single, self.profile.service_seconds)
        self._places = places(self.device, self._timers, setting.host)

    @property
    def host(self) -> str:
        return self.setting.host

    @property
    def counters(self) -> CameraCounters:
        """Requests, writes, SOAP operations, mails."""
        return self.device.counters

    @property
    def faults(self) -> set[str]:
        """Those that are on; see `fault_list.CAMERA`."""
        return self.device.mishaps.on

    @property
    def book(self) -> Book:
        """Rules, action configurations and recipients, by id."""
        return self.device.book

    @property
    def params(self) -> Parameters:
        """The parameter tree; names without `root.`."""
        return self.device.params

    async def start(self) -> None:
        """Listen on HTTP and HTTPS. Raises LabError; nothing stays open then."""
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        try:
            self.http_port = await self._listen(self.http_port, None)
            self.https_port = await self._listen(self.https_port, self.setting.tls)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close every connection and wait for mails under way. What it keeps stays in its file."""
        self._timers.drop()
        for listener in self._listeners:
            await listener.stop()
        self._listeners.clear()
        await self.settle(10.0)
        self._senders.shutdown(wait=True)
        self._loop = None

    async def settle(self, seconds: float) -> None:
        """Wait for the mails under way, at most so long."""
        if self._sending:
            await asyncio.wait(set(self._sending), timeout=seconds)

    def fault(self, name: str, *, on: bool = True) -> None:
        """Switch a fault. Raises LabError for one that does not exist."""
        self._on_loop(lambda: self.device.mishaps.switch(name, on=on))

    def expire_nonces(self) -> None:
        """Every nonce that was given out is over now."""
        self._on_loop(self.device.gate.nonces.expire)

    def fire_input(self, number: int, *, active: bool = True, told: bool = False) -> None:
        """Change an input (from 1); `told` if the recorder sees it otherwise. Raises LabError."""
        self._on_loop(lambda: hands.fire_input(self.device, number, active=active, told=told))

    def fire_virtual(self, number: int, *, active: bool = True) -> bool:
        """Change a virtual input (from 1); whether that was a change. Raises LabError."""
        return self._on_loop(lambda: hands.fire_virtual(self.device, number, active=active))

    def tamper(self, kind: str, key: str, fields: dict[str, str]) -> None:
        """A person changes `param`, `rule`, `configuration`, `recipient` or `user` of it. Raises LabError."""
        self._on_loop(lambda: hands.tamper(self.device, kind, key, fields))

    def remove(self, kind: str, key: str) -> None:
        """A person removes one of them. Raises LabError."""
        self._on_loop(lambda: hands.remove(self.device, kind, key))

    def _making(self) -> Making:
        camera, setting = self.camera, self.setting
        return Making(
            self.profile,
            camera.mac,
            camera.inputs,
            camera.axis_username,
            camera.axis_password,
            setting.file,
            setting.clock,
            lambda: self._loop.time() if self._loop else 0.0,
        )

    def _single(self) -> bool:
        on = self.device.mishaps.on
        return "one-connection" in on or (self.profile.one_connection and "parallel" not in on)

    async def _listen(self, port: int, tls: ssl.SSLContext | None) -> int:
        wanted = port or free_port(self.host)
        sock = listen(self.host, wanted, f"the camera {self.setting.name}")
        listener = CameraListener(self.wire, self._answer, tls=tls)
        self._listeners.append(listener)
        await listener.start(sock)
        return wanted

    async def _answer(self, request: HttpRequest, tls: bool) -> HttpResponse:
        """Raises Cut, if a fault says so."""
        response, user, operation = await self._checked(request, tls)
        path = request.target.split("?")[0]
        at = self.setting.clock()
        self.requests.append(RequestEntry(at, request.method, path, user, response.status, operation))
        date = format_datetime(at.astimezone(UTC), usegmt=True)
        return replace(response, headers=[("Date", date), *response.headers])

    async def _checked(self, request: HttpRequest, tls: bool) -> tuple[HttpResponse, str, str]:
        if not tls and self.device.mishaps.has("https-only"):
            place = f"https://{self.host}:{self.https_port}{request.target}"
            return HttpResponse(302, [("Location", place)]), "", ""
        login, right = self.device.gate.login(request, tls=tls)
        call = Call(request, login.user, right, self.profile.charset)
        if right < right_of(self._places, call):
            self.counters.authentication_failures += "authorization" in request.headers
            return self.device.gate.challenge(tls=tls, stale=login.stale), login.user, ""
        self.counters.by_path[call.path] += 1
        response, operation = await answered(self._places, call)
        return response, login.user, operation

    def _changed(self, port: int, active: bool) -> None:
        self._seen(port + 1, "rising" if active else "falling")

    def _act(self, rule: Rule) -> None:
        configuration = self.book.configurations.get(rule.action)
        if configuration is None or configuration.template != TEMPLATE or self._loop is None:
            return
        task = self._loop.create_task(self._mail(rule, dict(configuration.parameters)))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _mail(self, rule: Rule, parameters: dict[str, str]) -> None:
        names = {"n": self.params.get("Brand.ProdShortName"), "s": self.camera.mac}
        now = self.device.local_now()
        mail = letter(parameters, lambda name: self.params.get(f"SMTP.{name}"), names, now, self.host)
        loop = asyncio.get_running_loop()
        error = await loop.run_in_executor(self._senders, deliver, mail, self.setting.ca_file)
        if error:
            self.counters.mails_failed += 1
        else:
            self.counters.mails_sent += 1
        server = f"{mail.host}:{mail.port} {mail.security}"
        self.mails.append(CameraMail(mail.at, rule.name, mail.recipients, server, mail.subject, error))

    def _on_loop(self, action: Callable[[], _T]) -> _T:
        loop = self._loop
        if loop is None:
            raise LabError(f"the camera {self.setting.name} is not running", next_step="start it first")
        if threading.get_ident() == self._thread:
            return action()

        async def run() -> _T:
            return action()

        return asyncio.run_coroutine_threadsafe(run(), loop).result(timeout=30)
