"""An earlier state as what a site shall be: a snapshot in the place of the site file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ivn_provision.errors import StateError
from ivn_provision.model.desired import Desired
from ivn_provision.model.kinds import KINDS
from ivn_provision.model.resource import Address, Resource, Unset, Value
from ivn_provision.model.site_targets import targets_of
from ivn_provision.model.targets import CAMERA, family
from ivn_provision.model.windows import ANY
from ivn_provision.plan.plan import Action, Change, SitePlan
from ivn_provision.run.snapshots import KeyedHash, Snapshot, keyed
from ivn_provision.run.state import StateFolder
from ivn_provision.spec.site import Site
from ivn_provision.spec.values import Computed

_OBSERVED = frozenset({"windows", "listening_port", "action_configuration"})
"""Kinds of which a reading is a measurement, not a setting, and what a broken run left on a camera."""
_MADE = frozenset({"hardware_event", "generic_event", "alarm", "pin", "firewall_rule", "site", "device"})
"""Kinds whose objects the tool makes: what is there of ours and was not then, goes."""
_MADE_ON_CAMERAS = ("recipient", "action_rule", "action_configuration")
_ACCOUNT = Computed("portal.smtp_account_id")
_MAILS_TO = frozenset({("mail_message", "recipients"), ("mail_server", "sender")})
_POINTS = frozenset({("hardware_event", "device"), ("hardware_event", "camera"), ("alarm", "source")})
"""Fields without which an object that is made anew would be a wrong one."""

_NOBODY = ("(not declared)", "(none)")
_WRITE_ONLY = "it is write-only: the earlier value is not known"
_NEVER_FORGOTTEN = "the portal's API can set a password, not remove it"
_GENERATED = "the portal generates it"
_NOT_OURS = "it pointed at an object that is not ours"
_ODD = "the tool does not know how to write this value"

_WORDS: Mapping[tuple[str, str], frozenset[str]] = {
    ("camera", "video.codec"): frozenset({"mjpeg", "h264", "mpeg4"}),
    ("camera", "recording.mode"): frozenset({"always", "event", "motion", "motion_and_event", "never"}),
    ("hardware_event", "edge"): frozenset({"rising", "falling"}),
    ("hardware_event", "record"): frozenset({"all", "none"}),
    ("generic_event", "rule"): frozenset({"match", "search"}),
    ("mail_server", "security"): frozenset({"none", "starttls", "tls"}),
    ("windows_service", "start_mode"): frozenset({"auto", "manual", "disabled"}),
    ("windows_service", "state"): frozenset({"running", "stopped"}),
    ("firewall_rule", "protocol"): frozenset({"tcp", "udp"}),
    ("firewall_rule", "action"): frozenset({"allow"}),
    ("firewall_rule", "scope"): frozenset({ANY}),
}
"""What can be written where a reading may show anything."""
_FLAGS = frozenset(
    {
        ("camera", "enabled"),
        ("hardware_event", "enabled"),
        ("hardware_event", "email"),
        ("generic_event", "enabled"),
        ("generic_event", "email"),
        ("alarm", "enabled"),
        ("mail_message", "enabled"),
        ("server_access", "internet_access"),
    }
)


@dataclass(frozen=True, slots=True)
class Lost:
    """What of an earlier state the tool cannot put back: a field, or with "" a whole object."""

    address: Address
    name: str
    reason: str

    @property
    def is_for_a_person(self) -> bool:
        """Can a person put it back? Nobody chooses what the portal generates."""
        return self.reason != _GENERATED


def desired_of_snapshot(
    site: Site, snapshot: Snapshot, *, leave_out: frozenset[Address] = frozenset()
) -> Desired:
    """What the snapshot held, as far as the tool can write it. Raises StateError for another site's.

    Of the kinds whose objects the tool makes the lists are complete. An address that was the portal's own for
    the recorder's mails is the portal's present one: an older one would lose every alarm.
    """
    if snapshot.site != site.name:
        raise StateError(
            f"snapshot {snapshot.id} is of {snapshot.site}, not of {site.name}",
            where=snapshot.id,
            next_step=f"see `ivn-provision history {site.name}`",
        )
    targets = _targets(site, snapshot)
    account = snapshot.resources.get(Address(site.name, "portal", "device"), {}).get("smtp_account_id")
    resources = {
        address: Resource(
            address,
            _with_account(address.kind, _settable(address.kind, fields), account if site.portal else None),
            needs=tuple(each for each in _needs(address, fields) if each in snapshot.resources),
        )
        for address, fields in snapshot.resources.items()
        if address.kind not in _OBSERVED and address.target in targets and address not in leave_out
    }
    made = {kind for kind in _MADE if KINDS[kind].target in targets}
    cameras = {each for each in targets if family(each) == CAMERA}
    return Desired(
        site.name,
        resources,
        frozenset(made | {f"{target}/{kind}" for target in cameras for kind in _MADE_ON_CAMERAS}),
    )


def _targets(site: Site, snapshot: Snapshot) -> frozenset[str]:
    """What both the snapshot and the present site file know."""
    declared = targets_of(site)
    return declared & set(snapshot.targets or declared)


def _settable(kind: str, fields: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in fields.items() if not _reason(kind, name, value)}


def _with_account(kind: str, fields: dict[str, Value], account: Value) -> dict[str, Value]:
    if not isinstance(account, str):
        return fields

    def current(value: Value) -> Value:
        if isinstance(value, tuple):
            return tuple(_ACCOUNT if each == account else each for each in value)
        return _ACCOUNT if value == account else value

    return {name: current(value) if (kind, name) in _MAILS_TO else value for name, value in fields.items()}


def _needs(address: Address, fields: Mapping[str, Value]) -> Iterator[Address]:
    """What must be there before the object can be made, as `desired_of` has it."""
    site, kind = address.site, address.kind
    if kind == "hardware_event":
        yield Address(site, "nvr", "camera", str(fields.get("camera")))
    elif kind == "alarm":
        source, _, key = str(fields.get("source")).partition("/")
        yield Address(site, "nvr", source, key)
    elif kind == "device":
        yield Address(site, "portal", "site")
    elif kind in {"pin", "mail_server", "mail_message"}:
        yield Address(site, "portal", "device")


def _reason(kind: str, name: str, value: Value) -> str:
    """Why a value cannot be written, "" if it can."""
    if isinstance(value, KeyedHash):
        return _WRITE_ONLY
    if (kind, name) == ("device", "smtp_account_id"):
        return _GENERATED
    if (kind, name) == ("device", "password"):
        return _NEVER_FORGOTTEN
    if (kind, name) in _POINTS and isinstance(value, str):
        return _NOT_OURS if value.endswith(_NOBODY) or value.startswith("unknown device ") else ""
    return _ODD if _is_odd(kind, name, value) else ""


def _is_odd(kind: str, name: str, value: Value) -> bool:
    """Was it read in a form that nothing declares? On a recorder no value at all can be put back."""
    if isinstance(value, Unset):
        return kind in {"windows_service", "firewall_rule"}
    if (kind, name) in _FLAGS:
        return not isinstance(value, bool)
    if (kind, name) == ("firewall_rule", "enabled"):
        return value is not True
    if (kind, name) == ("firewall_rule", "port"):
        return not isinstance(value, int)
    words = _WORDS.get((kind, name))
    return words is not None and value not in words


def lost_fields(state: StateFolder, site: Site, snapshot: Snapshot, plan: SitePlan) -> tuple[Lost, ...]:
    """What is another now than it was then, and stays so. `plan` is the way back, freshly read."""
    targets = _targets(site, snapshot)
    found = []
    for address, fields in sorted(snapshot.resources.items()):
        if address.kind in _OBSERVED:
            continue
        if address.target not in targets:
            found.append(Lost(address, "", f"the site file says nothing of its {address.target} any more"))
            continue
        live = plan.live.get(address)
        for name, value in fields.items():
            reason = _reason(address.kind, name, value)
            if reason and not _is_there(state, live, name, value):
                found.append(Lost(address, name, reason))
    return tuple(dict.fromkeys([*found, *lost_of_plan(plan)]))


def _is_there(state: StateFolder, live: Mapping[str, Value] | None, name: str, value: Value) -> bool:
    """Is it as it was? What is not there has no value either."""
    if live is None or name not in live:
        return isinstance(value, Unset)
    return keyed(state, live[name]) == value


def lost_of_plan(plan: SitePlan) -> tuple[Lost, ...]:
    """What a plan leaves to a person: changes by hand, what waits for them, and what reading does not show."""
    found = [each for change in plan.waiting for each in _waiting(change)]
    found += [
        Lost(each.address, each.name, each.reason or "the target does not show it") for each in plan.open
    ]
    return tuple(found)


def _waiting(change: Change) -> Iterator[Lost]:
    if change.blocked_by is not None:
        yield Lost(change.address, "", f"it waits for {change.blocked_by}")
    elif change.action in {Action.CREATE, Action.DELETE}:
        word = "makes" if change.action is Action.CREATE else "removes"
        yield Lost(change.address, "", change.reason or f"a person {word} it")
    else:
        for each in change.fields:
            yield Lost(change.address, each.name, each.reason or "it is set by hand")


def not_to_be_made(plan: SitePlan, lost: Iterable[Lost], adopted: frozenset[Address]) -> frozenset[Address]:
    """Objects that are gone, and better stay so: without what they pointed at, or of which only a part is known."""
    made = {change.address for change in plan.changes if change.action is Action.CREATE}
    blind = {each.address for each in lost if (each.address.kind, each.name) in _POINTS}
    return frozenset(made & (blind | adopted))
