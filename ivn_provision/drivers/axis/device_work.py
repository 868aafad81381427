"""Ports, stream profiles, clock and accounts are written, and read again: some values are kept otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ivn_provision.drivers.axis import accounts, device_write, json_api, params
from ivn_provision.drivers.axis.device_live import clock_resources, port_resources, profile_resources
from ivn_provision.drivers.axis.making import Maker
from ivn_provision.drivers.axis.params import check_updated, parse_added, parse_list, update_form
from ivn_provision.drivers.axis.reading import Reading
from ivn_provision.drivers.axis.replies import refused
from ivn_provision.model.resource import Address, Resource, Value
from ivn_provision.plan.equal import same
from ivn_provision.plan.plan import Action, Change
from ivn_provision.secret import Secret
from ivn_provision.transports.vapix import VapixLink

KINDS = frozenset({"io_port", "stream_profile", "camera_clock", "axis_user"})


@dataclass(slots=True)
class DeviceWork:
    """One apply. `wrote` are the fields that parameters were set from, for the look afterwards; `half` says what of a
    change that failed is there."""

    link: VapixLink
    reading: Reading
    make: Maker
    wrote: dict[Address, Mapping[str, Value]] = field(default_factory=dict, init=False)
    half: str = field(default="", init=False)

    def write(self, change: Change, fields: Mapping[str, Value]) -> None:
        """`fields` is the whole object as it is to be; what did not change is not sent. Raises TargetError."""
        changed = {each.name for each in change.fields}
        sent = {name: value for name, value in fields.items() if name in changed}
        if change.address.kind == "axis_user":
            self._account(change, fields, sent)
            return
        if change.address.kind == "stream_profile" and change.action is not Action.UPDATE:
            self._profile(change, fields)
        elif change.address.kind == "io_port" and json_api.PORTS_API in self.reading.apis:
            reply = self.link.ask(device_write.set_port(int(change.address.key), sent))
            json_api.parse_ports_set(reply, str(int(change.address.key) - 1))
        else:
            pairs = self._pairs(change, fields, sent)
            check_updated(self.link.ask(update_form(pairs).post(params.PATH)), pairs)
        if change.action is not Action.DELETE:
            self.wrote[change.address] = sent

    def _pairs(
        self, change: Change, fields: Mapping[str, Value], sent: Mapping[str, Value]
    ) -> list[tuple[str, str]]:
        if change.address.kind == "io_port":
            return device_write.port_pairs(change.handle, str(fields["direction"]), sent)
        if change.address.kind == "stream_profile":
            return device_write.profile_pairs(change.handle, self.reading.params, sent)
        return device_write.clock_pairs(sent)

    def _profile(self, change: Change, fields: Mapping[str, Value]) -> None:
        if change.action is Action.DELETE:
            form = params.remove_form([change.handle])
            check_updated(self.link.ask(form.post(params.PATH)), [])
            return
        reply = self.link.ask(device_write.add_profile(change.address.key, fields))
        made, error = parse_added(reply)
        if error and made:
            self.half = f"the group StreamProfile.{made} was made, without its values"
            form = params.remove_form([f"StreamProfile.{made}"])
            check_updated(self.link.ask(form.post(params.PATH)), [])
            self.half = ""
        if error:
            raise refused(reply, error)

    def _account(self, change: Change, fields: Mapping[str, Value], sent: Mapping[str, Value]) -> None:
        name, role, ptz = change.address.key, str(fields.get("role", "viewer")), fields.get("ptz") is True
        password = sent.get("password")
        secret = password if isinstance(password, Secret) else None
        if change.action is Action.DELETE:
            form = accounts.remove_form(name)
        elif change.action is Action.CREATE and secret is not None:
            form = accounts.add_form(name, secret, role, ptz=ptz)
        else:
            form = accounts.update_form(name, secret, role, ptz=ptz)
        accounts.check_done(self.link.ask(form.post(accounts.PATH)), name, form.secrets)

    def details(self) -> dict[Address, str]:
        """One more list of all parameters: what the camera keeps otherwise than it was told. Raises TargetError."""
        if not self.wrote:
            return {}
        known = parse_list(self.link.ask(params.LIST.get(params.PATH)))
        live = {each.address: each for each in self._resources(Reading(self.reading.apis, known))}
        return {
            address: ", ".join(kept)
            for address, wanted in self.wrote.items()
            if (kept := list(_kept(wanted, live.get(address))))
        }

    def _resources(self, reading: Reading) -> Iterator[Resource]:
        names = {address.key for address in self.wrote}
        yield from port_resources(reading, self.make)
        yield from profile_resources(reading, self.make, names)
        yield from clock_resources(reading, self.make)


def _kept(wanted: Mapping[str, Value], live: Resource | None) -> Iterator[str]:
    if live is None:
        yield "the camera does not show it afterwards"
        return
    for name, value in wanted.items():
        if name in live.fields and not same(live.kind, name, value, live.fields[name]):
            yield f"the camera keeps {name} {live.fields[name]!s} instead of {value!s}"
