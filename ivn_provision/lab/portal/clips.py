"""After a mail the portal fetches video: it connects to the recorder for real and logs in as the device's user.

Simulated from there on: no video is moved. What the recorder would have is asked of the lab (`Recorders.recorded`),
and the seconds after the alarm are not waited for.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ivn_provision.lab.portal.store import Json, Spot, Store
from ivn_provision.lab.portal.system_info import ask
from ivn_provision.lab.portal.vantage import Shut, Vantage
from ivn_provision.lab.portal.vault import Vault

CLIP_SECONDS = 5.0
_AT_ONCE = 16
_EMPTY: Json = {"pre": None, "post": None, "bytes": None, "codec": None}
PENDING: Json = {"status": "pending", **_EMPTY}


@dataclass(slots=True)
class Clips:
    """Fetches in the background, in the loop of the portal."""

    store: Store
    vantage: Vantage
    vault: Vault
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    def start(self, number: int, event: Json, received_at: datetime) -> None:
        """Fetch the clip of an event that has just been stored with a pending one."""
        task = asyncio.get_running_loop().create_task(self._fetch(number, event, received_at))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Leave what is under way pending."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _fetch(self, number: int, event: Json, received_at: datetime) -> None:
        async with self._room:
            try:
                async with asyncio.timeout(CLIP_SECONDS):
                    clip = await self._clip(event, received_at)
            except TimeoutError:
                clip = {"status": "timeout"}
        self.store.change_event(number, clips=[PENDING | clip])

    async def _clip(self, event: Json, received_at: datetime) -> Json:
        site = self.store.get(Spot("site", event["site"]))
        device = self.store.get(Spot("device", event["site"], event["device"]))
        if site is None or device is None:
            return {"status": "unreachable"}
        if "clips-fail" in self.vantage.faults:
            return {"status": "timeout"}
        place = (site.content["location_address"], device.content["web_server_port"])
        password = self.vault.password(event["site"], event["device"])
        try:
            async with self.vantage.connected("web", *place) as streams:
                answer = await ask(streams, device.content["username"] or "", password)
        except Shut as shut:
            return {"status": "timeout" if shut.status == "timeout" else "unreachable"}
        if answer.login != "ok":
            return {"status": "login_failed" if answer.login == "refused" else "timeout"}
        return self._cut(event, site.content["clip"], received_at)

    def _cut(self, event: Json, clip: Json, received_at: datetime) -> Json:
        """What there is of the seconds around the time that the mail names."""
        offset, pre, post = event["offset_seconds"] or 0.0, clip["pre_seconds"], clip["post_seconds"]
        if abs(offset) > pre:
            return {"status": "no_recording"}
        recorded = self.vantage.recorders.recorded
        if recorded is None:
            return {"status": "ready", "pre": pre, "post": post}
        there = recorded(event["site"], event["camera"], received_at + timedelta(seconds=offset))
        if there is None:
            return {"status": "no_recording"}
        status = "short" if there[0] < pre else "ready"
        return {"status": status, "pre": min(pre, there[0]), "post": min(post, there[1])}
