"""Reads the cameras of a site: several side by side, of each one thing after the other, each with its own outcome."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ivn_provision.drivers.onvif import parse
from ivn_provision.drivers.onvif.faults import as_error
from ivn_provision.drivers.onvif.library import library, namespace_of, service
from ivn_provision.drivers.onvif.seen import DeviceClock, OnvifSeen, Profile
from ivn_provision.drivers.onvif.wire import ENTRY, Wire, opened
from ivn_provision.errors import AuthenticationFailed, IvnError, ProtocolFault, Refused
from ivn_provision.secret import Secret
from ivn_provision.spec.onvif import Onvif
from ivn_provision.transports.deadline import exceeded

SIDE_BY_SIDE = 8
CAMERA_SECONDS = 30.0
MOST_REFUSALS = 2
"""Of a login that was never let in: some devices tell everybody what they are, so that only the second refusal tells
a wrong password from a missing right."""
_OPEN = "services"
"""What ONVIF answers to everybody."""
Outcome = OnvifSeen | IvnError
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """A camera to read, by its number on the site."""

    number: int
    connect: Onvif
    password: Secret


def read_cameras(
    asked: Sequence[Asked], *, each: float, together: float, clock: Callable[[], datetime]
) -> Mapping[int, Outcome]:
    """What each camera said, or why it did not, by number: `each` seconds for one, `together` for all of them.

    Every account is tried once at its own camera: none is locked out. Raises Refused without the extra `onvif`.
    """
    library()
    return asyncio.run(_all(asked, each, together, clock))


async def _all(
    asked: Sequence[Asked], each: float, together: float, clock: Callable[[], datetime]
) -> Mapping[int, Outcome]:
    turns = asyncio.Semaphore(SIDE_BY_SIDE)
    ends = asyncio.get_running_loop().time() + together

    async def one(camera: Asked) -> Outcome:
        async with turns:
            left = ends - asyncio.get_running_loop().time()
            if left <= 0:
                return exceeded(
                    together, endpoint=camera.connect.host, doing="reading other cameras of the site"
                )
            return await _one(camera, min(each, left), clock)

    found = await asyncio.gather(*(one(camera) for camera in asked))
    return {camera.number: outcome for camera, outcome in zip(asked, found, strict=True)}


async def _one(camera: Asked, seconds: float, clock: Callable[[], datetime]) -> Outcome:
    password = camera.password.reveal()
    endpoint = f"{camera.connect.host}:{camera.connect.port}"
    try:
        async with asyncio.timeout(seconds), opened(camera.connect, password, seconds) as wire:
            return await _Reading(camera.connect.username, password, seconds, wire, clock).seen()
    except Exception as error:
        found = as_error(error, endpoint, seconds, password)
        if found is None:
            raise
        return found


@dataclass(slots=True)
class _Reading:
    """One camera. What it cannot or will not say beyond its name and time is noted in `missing`."""

    username: str
    password: str
    seconds: float
    wire: Wire
    clock: Callable[[], datetime]
    ahead: timedelta | None = None
    missing: dict[str, str] = field(default_factory=dict)
    other_hosts: set[str] = field(default_factory=set)
    refusals: int = 0
    let_in: bool = False

    async def seen(self) -> OnvifSeen:
        """All of it. Raises errors of ours, of httpx and of zeep."""
        clock = await self._clock()
        async with self._service("devicemgmt", self.wire.address()) as device:
            information = parse.device_of(await device.GetDeviceInformation())
            addresses = await self._addresses(device)
            profiles = await self._profiles(addresses)
            inputs = await self._inputs(addresses, device)
            ntp = await self._try("ntp", device.GetNTP)
            users = await self._try("accounts", device.GetUsers)
        return OnvifSeen(
            endpoint=self.wire.endpoint,
            device=information,
            clock=clock,
            profiles=profiles,
            inputs=inputs,
            ntp=None if "ntp" in self.missing else parse.ntp_of(ntp),
            accounts=None if "accounts" in self.missing else parse.accounts_of(users),
            other_hosts=tuple(sorted(self.other_hosts)),
            missing=self.missing,
        )

    async def _clock(self) -> DeviceClock:
        """Without login, as ONVIF has it; some devices want one all the same. The token of all that follows is dated
        by the camera's clock: it takes no other."""
        async with self._service("devicemgmt", self.wire.address()) as device:
            before = self.clock()
            try:
                answer = await device.authless_GetSystemDateAndTime()
            except Exception as error:
                if not isinstance(self._error(error), AuthenticationFailed):
                    raise
                before = self.clock()
                answer = await device.GetSystemDateAndTime()
            after = self.clock()
        there = parse.time_of(answer)
        if there is not None:
            self.ahead = there - datetime.now(UTC)  # the library dates its tokens by this machine's clock
        return parse.clock_of(answer, before, after)

    async def _addresses(self, device: Any) -> Mapping[str, str]:
        """Paths of the services, by namespace."""
        found = await self._try("services", lambda: device.GetServices({"IncludeCapability": False}))
        addresses = parse.xaddrs_of(found)
        if not addresses:
            found = await self._try("services", lambda: device.GetCapabilities({"Category": "All"}))
            spaces = (namespace_of("media"), namespace_of("deviceio"))
            addresses = parse.xaddrs_of_capabilities(found, *spaces)
        return {space: self._path(address) for space, address in addresses.items()}

    def _path(self, address: str) -> str:
        """Where a service is at the declared host: the host that a device names may be wrong, or another's."""
        try:
            parts = urlsplit(address)
            host = parts.hostname or ""
        except ValueError:
            return ENTRY
        if host and host != self.wire.endpoint.rpartition(":")[0].strip("[]").lower():
            self.other_hosts.add(host)
        return parts.path if parts.path.startswith("/") else ENTRY

    async def _profiles(self, addresses: Mapping[str, str]) -> tuple[Profile, ...] | None:
        path = addresses.get(namespace_of("media"))
        if path is None:
            self.missing["profiles"] = self.missing.get("services", "it has no media service of version 1")
            return None
        async with self._service("media", self.wire.address(path)) as media:
            found = await self._try("profiles", media.GetProfiles)
        return None if "profiles" in self.missing else parse.profiles_of(found)

    async def _inputs(self, addresses: Mapping[str, str], device: Any) -> int | None:
        """Of the device I/O service; without one, as many connectors as the device says it has."""
        path = addresses.get(namespace_of("deviceio"))
        if path is not None:
            async with self._service("deviceio", self.wire.address(path)) as deviceio:
                found = await self._try("inputs", deviceio.GetDigitalInputs)
            return None if "inputs" in self.missing else parse.inputs_of(found)
        connectors = parse.connectors_of(
            await self._try("inputs", lambda: device.GetCapabilities({"Category": "Device"}))
        )
        if connectors is None:
            self.missing.setdefault("inputs", "it has no device I/O service and names no connectors")
        return connectors

    async def _try(self, what: str, ask: Callable[[], Awaitable[T]]) -> T | None:
        """The answer, or None and the reason in `missing`: not for what ends the whole reading."""
        try:
            answer = await ask()
        except Exception as error:
            found = self._error(error)
            if not isinstance(found, (AuthenticationFailed, Refused, ProtocolFault)):
                raise
            self.missing[what] = found.summary
            self.refusals += isinstance(found, AuthenticationFailed)
            if self.refusals >= MOST_REFUSALS and not self.let_in:
                raise found from error  # no right that is missing: the device may lock the account
            return None
        self.let_in |= what != _OPEN
        self.missing.pop(what, None)
        return answer

    def _error(self, error: Exception) -> IvnError | None:
        return as_error(error, self.wire.endpoint, self.seconds, self.password)

    @asynccontextmanager
    async def _service(self, name: str, address: str) -> AsyncIterator[Any]:
        made = await service(
            name, address, self.wire, username=self.username, password=self.password, ahead=self.ahead
        )
        try:
            yield made
        finally:
            await made.close()
