"""The `axis` driver: one camera over VAPIX. Reading is six requests; rules are written by SOAP on all firmware."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from ivn_provision.drivers.axis.abilities import capabilities_of
from ivn_provision.drivers.axis.catalog import Catalog
from ivn_provision.drivers.axis.checks import Limits
from ivn_provision.drivers.axis.device_live import (
    account_resources,
    clock_resources,
    port_resources,
    profile_resources,
)
from ivn_provision.drivers.axis.firmware import notes, product
from ivn_provision.drivers.axis.logins import Logins, Refusals
from ivn_provision.drivers.axis.looking import Looking, Wanted
from ivn_provision.drivers.axis.making import Maker
from ivn_provision.drivers.axis.naming import salt_of
from ivn_provision.drivers.axis.reading import Reading, read_camera
from ivn_provision.drivers.axis.rule_live import rule_resources
from ivn_provision.drivers.axis.seen import CameraSeen
from ivn_provision.drivers.axis.writing import Writing
from ivn_provision.drivers.base import Hold, Outcome
from ivn_provision.errors import Conflict, IvnError, PartlyApplied, ProtocolFault, Uncertain
from ivn_provision.model.live import Facts, Live
from ivn_provision.model.resource import UNSET, Resource, Value
from ivn_provision.model.targets import camera_target
from ivn_provision.plan.plan import Action, Change, Observation, Unverified, Work
from ivn_provision.secret import Secret
from ivn_provision.spec.site import Camera
from ivn_provision.transports.vapix import VapixLink


class AxisReader:
    """Reads a camera. `passwords` are the declared ones of its accounts, as far as they are at hand; `refused` those
    that the run knows to be wrong."""

    def __init__(
        self,
        site: str,
        camera: Camera,
        link: VapixLink,
        *,
        passwords: Mapping[str, Secret] | None = None,
        refused: Refusals | None = None,
    ) -> None:
        self.site = site
        self.target = camera_target(camera.number)
        self.endpoint = link.endpoint
        image = camera.axis.image if camera.axis else None
        self._profiles = frozenset({image.profile} if image else ())
        self._link = link
        self._make = Maker(site, self.target)
        self._logins = Logins(link, passwords or {}, {} if refused is None else refused)
        self._seen: Reading | None = None

    def probe(self) -> Facts:
        reading = self._reading()
        return Facts(
            product(reading),
            reading.firmware or "unknown firmware",
            capabilities_of(reading),
            notes=tuple(notes(reading)),
        )

    def read(self) -> Live:
        return Live(self._resources(self._reading()), {})

    def observe(self, questions: Sequence[Unverified]) -> tuple[Observation, ...]:
        """Passwords of declared accounts, by one login for each that is open."""
        mine = [
            each
            for each in questions
            if each.address[1:3] == (self.target, "axis_user") and each.name == "password"
        ]
        if not any(each.is_open for each in mine):
            return ()
        there = frozenset(each.name for each in self._reading().accounts)
        return tuple(self._logins.observe(mine, there))

    def reading(self) -> Reading:
        """All that one reading gave, for checks."""
        return self._reading()

    def look(self, wanted: Wanted, clock: Callable[[], datetime]) -> CameraSeen:
        """What checks ask beyond a reading: at most three requests more. `clock` is ours."""
        return Looking(self._reading(), self._link.ask, clock).seen(wanted)

    def close(self) -> None:
        self._seen = None
        self._link.close()

    def _reading(self) -> Reading:
        if self._seen is None:
            self._seen = read_camera(self._link)
        return self._seen

    def _resources(self, reading: Reading) -> tuple[Resource, ...]:
        login = self._link.connect.username
        return (
            *account_resources(reading, self._make, login),
            *clock_resources(reading, self._make),
            *port_resources(reading, self._make),
            *profile_resources(reading, self._make, self._profiles),
            *rule_resources(reading, self._make, self._salt(reading)),
        )

    def _salt(self, reading: Reading) -> str:
        return salt_of(self._link.password, reading.serial)


class AxisWriter(AxisReader):
    """Reads and writes a camera. `known_password` is that of the declared mail account: an earlier state that is put
    back holds none."""

    def __init__(
        self,
        site: str,
        camera: Camera,
        link: VapixLink,
        *,
        passwords: Mapping[str, Secret] | None = None,
        refused: Refusals | None = None,
        known_password: Secret | None = None,
    ) -> None:
        super().__init__(site, camera, link, passwords=passwords, refused=refused)
        self._known_password = known_password
        self._catalog = Catalog(link)

    def close(self) -> None:
        super().close()
        self._catalog = Catalog(self._link)

    def hold(self, hold: Hold) -> None:
        """A camera has no lease: that of the recorder or the portal holds the site."""

    def release(self, run: str, *, stays: bool = True) -> None:
        """Nothing is held."""

    def put_back(self, run: str) -> bool:
        """A camera keeps no before-images: the engine plans back."""
        del run
        return False

    def check(self, changes: Sequence[Change]) -> None:
        """Names, ports, room and inputs that this camera does not have. Raises Refused."""
        limits = Limits(self._reading(), self._catalog, self._link.connect.username)
        for change in changes:
            limits.check(change, {each.name: each.after for each in change.fields})

    def apply(self, work: Work) -> tuple[Outcome, ...]:
        """Reads the camera anew, compares, then makes one change after another.

        Raises Conflict before any write, PartlyApplied if some of the changes were made when another failed.
        """
        self._seen = None
        reading = self._reading()
        live = {each.handle: each for each in self._resources(reading)}
        for change in work.changes:
            self._check_unchanged(change, live)
        limits = Limits(reading, self._catalog, self._link.connect.username)
        wanted = [_whole(change, live, work) for change in work.changes]
        for change, fields in zip(work.changes, wanted, strict=True):
            limits.check(change, fields)
        writing = Writing.of(self._link, reading, self._catalog, self._make, self._known_password)
        try:
            return self._written(work, wanted, writing)
        finally:
            self._seen = None

    def _written(
        self, work: Work, wanted: Sequence[Mapping[str, Value]], writing: Writing
    ) -> tuple[Outcome, ...]:
        done: list[Outcome] = []
        for change, fields in zip(work.changes, wanted, strict=True):
            try:
                done.append(Outcome(change.address, "done", writing.write(change, fields)))
            except IvnError as error:
                raise _failed(error, done, work, change, writing.half) from error
            if change.address.kind == "axis_user" and any(each.name == "password" for each in change.fields):
                self._logins.forget(change.address.key)
        try:
            kept = writing.details()
        except IvnError:
            return tuple(done)  # all was made; the proof reads it anyway
        return tuple(
            replace(each, detail="; ".join(filter(None, (each.detail, kept.get(each.address, "")))))
            for each in done
        )

    def _check_unchanged(self, change: Change, live: Mapping[str, Resource]) -> None:
        found = live.get(change.handle)
        if change.handle:
            unchanged = found is not None and found.digest == change.digest
        else:
            unchanged = not any(each.address == change.address and each.owned for each in live.values())
        if not unchanged:
            raise Conflict(
                f"{change.address} changed on the camera since it was read; nothing was written",
                endpoint=self.endpoint,
                where=str(change.address),
                next_step="run the command again: it plans from what is there now",
            )


def _whole(change: Change, live: Mapping[str, Resource], work: Work) -> dict[str, Value]:
    """All fields of an object as it is to be: what is declared, and of the rest what is there."""
    found = live.get(change.handle)
    there = {name: value for name, value in found.fields.items() if value != UNSET} if found else {}
    there.pop("smtp.password", None)
    if change.action is Action.DELETE:
        return there
    return {**there, **work.desired.get(change.address, {})}


def _failed(error: IvnError, done: Sequence[Outcome], work: Work, change: Change, half: str) -> IvnError:
    if not done and not half:
        return error
    made = f"{len(done)} of {len(work.changes)} changes of the camera were made" if done else ""
    of_this = f"of {change.address} {half}" if half else ""
    lost = isinstance(error, (Uncertain, ProtocolFault))
    return PartlyApplied(
        "; ".join(filter(None, (made, of_this, f"then: {error.summary}"))),
        done=tuple(str(each.address) for each in done),
        where=error.where or str(change.address),
        next_step="run apply again: it finds out what is there and mends it"
        if half or lost
        else error.next_step,
    )
