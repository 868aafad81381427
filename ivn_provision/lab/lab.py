"""The lab as a context manager: a whole site world on loopback, for tests, demos and `ivn-provision lab up`.

    with Lab(tmp_path) as lab:
        lab.fire_input("harbor-marina", "192.168.10.61", 1)
        lab.portal.events("harbor-marina")

Everything runs in one asyncio loop in one background thread; all methods here may be called from any other thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from ivn_provision.errors import LabError
from ivn_provision.lab.assembly import Assembly, Ports
from ivn_provision.lab.camera.camera import AxisCamera
from ivn_provision.lab.clock import Clock, system_clock
from ivn_provision.lab.control import Control
from ivn_provision.lab.mail.sink import MailSink
from ivn_provision.lab.nvr.machine import Nvr
from ivn_provision.lab.nvr.store import Edit
from ivn_provision.lab.portal.portal import Portal
from ivn_provision.lab.portal.store import Json
from ivn_provision.lab.scenario import LabSite
from ivn_provision.lab.site_files import Endpoints, write_site_files
from ivn_provision.lab.sites import default_sites
from ivn_provision.lab.status import status_of

T = TypeVar("T")
_START_SECONDS = 120.0
_CALL_SECONDS = 60.0


class Lab:
    """Starts on `with` (or `start`); stops at its end. All files live below `directory`.

    Ports of 0 are chosen freely, and `free_ports` does so for the portal, the mail server and every recorder.
    Without `recorders` there are only portal and mail. Raises LabError if a port is taken.
    """

    def __init__(
        self,
        directory: Path,
        sites: Sequence[LabSite] | None = None,
        *,
        portal_host: str = "127.0.0.1",
        portal_port: int = 8443,
        mail_port: int = 2525,
        free_ports: bool = False,
        recorders: bool = True,
        clock: Clock = system_clock,
    ) -> None:
        if free_ports:
            portal_port = mail_port = 0
        ports = Ports(portal_host, portal_port, mail_port, recorders_free=free_ports, recorders=recorders)
        chosen = default_sites() if sites is None else tuple(sites)
        self.assembly = Assembly(directory.absolute(), chosen, ports, clock)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ivn-lab", daemon=True)

    def start(self) -> Self:
        """Returns when everything answers. Raises LabError, and then nothing is left running."""
        self._thread.start()
        try:
            self.run(self.assembly.start(), timeout=_START_SECONDS)
        except BaseException:
            self._end_loop()
            raise
        return self

    def stop(self) -> None:
        """Stop everything; the files stay."""
        try:
            self.run(self.assembly.stop())
        finally:
            self._end_loop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def run(self, work: Coroutine[Any, Any, T], *, timeout: float = _CALL_SECONDS) -> T:
        """Run a coroutine in the lab's loop and wait for it. Raises LabError after `timeout` seconds."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout)
        except TimeoutError:
            if future.done():
                raise
            future.cancel()
            raise LabError(f"the lab did not answer within {timeout:g} s") from None

    def _call(self, function: Callable[[], T]) -> T:
        async def inside() -> T:
            return function()

        return self.run(inside())

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        if not self._thread.is_alive():
            self._loop.run_until_complete(_cancel_rest())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    @property
    def directory(self) -> Path:
        return self.assembly.directory

    @property
    def sites(self) -> tuple[LabSite, ...]:
        """The scenario, with the real ports and passwords."""
        return self.assembly.sites

    @property
    def portal_url(self) -> str:
        """`https://127.0.0.1:8443/api/v1`"""
        return self.portal.url

    @property
    def ca_file(self) -> Path:
        """The certificate that the portal and the recorders can be verified with."""
        return self.assembly.tls.ca_file

    @property
    def portal(self) -> Portal:
        """`counters`, `events(site)`, `faults`, `requests`."""
        return self.assembly.portal

    @property
    def mail(self) -> MailSink:
        """`counters` and `messages`."""
        return self.assembly.mail

    @property
    def mail_port(self) -> int:
        return self.assembly.smtp.port

    def site(self, key: str) -> LabSite:
        """Raises LabError if there is no such site."""
        return next((each for each in self.sites if each.key == key), None) or self.nvr(key).site

    def nvr(self, key: str) -> Nvr:
        """The recorder of a site: `counters`, `faults`, logs. Raises LabError."""
        return self.assembly.nvr(key)

    def camera(self, site: str, which: int | str) -> AxisCamera:
        """An Axis camera that the lab plays, by number, `camera-10`, address or MAC. Raises LabError."""
        return self.assembly.cameras.get(site, which)

    def settle_cameras(self, site: str, seconds: float = 10.0) -> None:
        """Wait until the mails under way of a site's cameras are out."""
        self.run(self.assembly.cameras.settle(site, seconds))

    def fire_soft(self, site: str, pin: int) -> Json:
        """Press the portal's button of a soft trigger. Raises LabError if it cannot be sent."""
        return self.run(self.assembly.fire_soft(site, pin))

    def fire_input(self, site: str, device: str, number: int, edge: str = "rising") -> int:
        """Change an input of a device (address or MAC); how many events the recorder raised."""
        return self.run(self.assembly.fire_input(site, device, number, edge))

    def tamper(self, site: str, kind: str, key: str = "", fields: Mapping[str, str] | None = None) -> None:
        """A person changes something behind the tool's back. Raises LabError."""
        self._call(lambda: self.assembly.tamper(site, kind, key, fields or {}))

    def remove(self, site: str, kind: str, key: str) -> None:
        """A person deletes something behind the tool's back. Raises LabError."""
        self._call(lambda: self.assembly.remove(site, kind, key))

    def gui(
        self,
        site: str,
        action: str,
        kind: str = "",
        key: str = "",
        fields: Mapping[str, str] | None = None,
    ) -> None:
        """A person at the Management Application: `add`, `change`, `remove`, `save`, `restore`, `open`, `close`.

        See `nvr.store.Edit`. Raises LabError.
        """
        self._call(lambda: self.assembly.gui(site, Edit(action, kind, key, fields or {})))

    def fault(self, place: str, name: str, *, on: bool = True) -> None:
        """Switch a fault of `portal`, `mail`, a site or its `SITE/camera-10`; see `fault_list`. Raises LabError."""
        self._call(lambda: self.assembly.fault(place, name, on=on))

    def portal_state(self, site: str, *, armed: bool | None = None, incident: str | None = None) -> None:
        """Arm or disarm a site and open or end ("") an incident, as the portal shows it. Raises LabError."""
        self._call(lambda: self.assembly.portal_state(site, armed=armed, incident=incident))

    def end_shells(self, site: str) -> None:
        """What died clients left open on a site's recorder is over now, not after its idle time. Raises LabError."""
        self._call(self.nvr(site).end_shells)

    def set_latency(self, seconds: float) -> None:
        """Added to every request to the portal and the recorders."""
        self._call(lambda: self.assembly.set_latency(seconds))

    def status(self) -> Json:
        """What `lab status` shows."""
        return self._call(lambda: status_of(self.assembly))

    @contextmanager
    def control(self, asked_to_stop: Callable[[], None]) -> Iterator[Control]:
        """Serve the control API for other processes meanwhile. `asked_to_stop` is called in the lab's thread."""
        control = Control(self.assembly, asked_to_stop)
        try:
            self.run(control.start())
            yield control
        finally:
            self.run(control.stop())

    def secret_file(self, name: str) -> Path:
        """The file of `SITE-nvr`, `SITE-ivnview`, `SITE-smtp`, `SITE-camera-N` or `portal-client`. Raises LabError."""
        return self.assembly.passwords.file(name)

    def write_sites(self, directory: Path) -> list[Path]:
        """Write `fleet.yml` and a site file per site that fit this lab."""
        ends = Endpoints(
            self.portal_url, self.ca_file, self.assembly.passwords.directory, "127.0.0.1", self.mail_port
        )
        return write_site_files(directory, self.assembly.cameras.with_ports(self.sites), ends)


async def _cancel_rest() -> None:
    """Connections that the parts left behind: cancel them, so that nothing outlives the lab."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    await asyncio.sleep(0)
