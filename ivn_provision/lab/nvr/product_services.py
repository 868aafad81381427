"""What the product's services do when Windows starts or stops them: the Recording Server and the Image Server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from ivn_provision.errors import LabError
from ivn_provision.lab.loopback import listen
from ivn_provision.lab.nvr.access import Access
from ivn_provision.lab.nvr.config_active import Unreadable
from ivn_provision.lab.nvr.image_server import ImageServer
from ivn_provision.lab.nvr.product_logs import IMAGE_LOG, RECORDING_LOG, log_line
from ivn_provision.lab.nvr.recorder import RecordingServer
from ivn_provision.lab.nvr.store import Store
from ivn_provision.lab.nvr.windows_machine import IMAGE_SERVER, RECORDING_SERVER, WindowsMachine


class ProductServices:
    """Runs on the loop of `recorder`. `passwords` are those of the basic users."""

    def __init__(
        self,
        windows: WindowsMachine,
        store: Store,
        recorder: RecordingServer,
        passwords: Mapping[str, str],
        *,
        host: str,
        image_port: int,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], datetime],
    ) -> None:
        self._windows, self._store, self.recorder = windows, store, recorder
        self._passwords = passwords
        self._host, self._chosen_port, self.image_port = host, image_port, image_port
        self._loop, self._clock = loop, clock
        self._image: ImageServer | None = None
        self._closing: list[ImageServer] = []

    def change(self, name: str, *, running: bool) -> bool:
        """Start or stop one; false if it cannot start."""
        if name == RECORDING_SERVER:
            return self._recording(running=running)
        if name == IMAGE_SERVER:
            return self._image_server(running=running)
        return True

    async def drain(self) -> None:
        """Wait for mails and connections that were ended."""
        for image in self._closing:
            await image.closed()
        self._closing.clear()
        await self.recorder.drain()

    def _recording(self, *, running: bool) -> bool:
        if not running:
            self.recorder.stop()
            self._log(RECORDING_LOG, "Recording Server stopped")
            return True
        try:
            self._start_recording()
        except (LabError, OSError) as error:
            self.recorder.note("service", RECORDING_SERVER, str(error))
            self._log(RECORDING_LOG, f"Recording Server cannot start: {error}", level="ERROR")
            return False
        self._log(RECORDING_LOG, "Recording Server started")
        self._faults_after_start()
        return True

    def _start_recording(self) -> None:
        if self._windows.faults.start_fails():
            raise LabError("the Recording Server ended unexpectedly (a fault of the lab)")
        self.recorder.start(self._store.load)
        active = self.recorder.active
        assert active is not None
        for protocol in ("tcp", "udp"):
            real = (self._host, active.alert_port)
            self._windows.listens(RECORDING_SERVER, protocol, active.alert_port, real)

    def _faults_after_start(self) -> None:
        if "rewritten-after-start" in self._windows.faults:
            self._store.touch(self._clock())
        if "log-error-after-start" in self._windows.faults:
            self._log(RECORDING_LOG, "Device driver failed (a fault of the lab)", level="ERROR")

    def _image_server(self, *, running: bool) -> bool:
        if not running:
            self._stop_image()
            return True
        try:
            access = self._access()
            self._start_image(access)
        except (Unreadable, LabError, OSError) as error:
            self.recorder.note("service", IMAGE_SERVER, str(error))
            self._log(IMAGE_LOG, f"Image Server cannot start: {error}", level="ERROR")
            return False
        self._log(IMAGE_LOG, f"Image Server started on port {access.local_port}")
        return True

    def _access(self) -> Access:
        access = self._store.access(str(self._windows.facts()["computer_name"]))
        if "camera-missing-after-start" in self._windows.faults:
            return replace(access, cameras=access.cameras[1:])
        return access

    def _start_image(self, access: Access) -> None:
        self._stop_image()
        try:
            sock = listen(self._host, self.image_port, "the Image Server")
        except LabError:
            if self._chosen_port:
                raise
            # a port that nobody chose may have been taken while the service was stopped
            sock = listen(self._host, 0, "the Image Server")
        self._image = ImageServer(sock, access, self._passwords, self._loop, self._windows.time)
        self.image_port = self._image.address[1]
        self._windows.listens(IMAGE_SERVER, "tcp", access.local_port, self._image.address)

    def _stop_image(self) -> None:
        if self._image is not None:
            self._image.close()
            self._closing = [*(each for each in self._closing if each.busy), self._image]
            self._image = None
            self._log(IMAGE_LOG, "Image Server stopped")

    def _log(self, log: str, text: str, *, level: str = "INFO") -> None:
        log_line(self._windows.tree, log, self._clock(), text, level=level)
