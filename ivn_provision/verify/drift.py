"""Checks of what differs from what is declared: every kind and field belongs to exactly one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ivn_provision.model.kinds import KINDS
from ivn_provision.model.resource import Address, Unset, Value
from ivn_provision.plan.plan import Action, Change, Standing
from ivn_provision.secret import Fingerprint, Secret, SecretRef
from ivn_provision.spec.values import Computed
from ivn_provision.verify.evidence import Evidence
from ivn_provision.verify.result import Found, State, passed, skipped, unknown

WORDS = {"create": "is missing", "delete": "is there and not declared", "replace": "must be made anew"}
_PORTAL = "the portal did not say what it generates for this site"


@dataclass(frozen=True, slots=True)
class Part:
    """What of a kind one check looks at: some fields (None: all), and with `whole` if objects are missing or too
    many. `risk` says what a difference leads to."""

    kind: str
    risk: str
    fields: tuple[str, ...] | None = None
    whole: bool = True
    state: State = State.FAIL

    def has(self, name: str) -> bool:
        """Is this field its own?"""
        return self.fields is None or name in self.fields

    def holds(self, kind: str, name: str) -> bool:
        """Is this field of that kind its own?"""
        return kind == self.kind and self.has(name)


def compared(evidence: Evidence, what: str, *parts: Part) -> Iterator[Found]:
    """Each difference; what could not be compared; or that there is none, as far as all of it was seen."""
    why = evidence.why_missing(parts[0].kind)
    if why:
        yield unknown(f"not looked at: {why}")
    if why and not evidence.is_partly_read(parts[0].kind):
        return
    found = differences(evidence, *parts)
    found += [one for part in parts for one in _unseen(evidence, part)]
    yield from found or [_nothing_found(evidence, f"{what} that answered" if why else what, parts)]


def differences(evidence: Evidence, *parts: Part) -> list[Found]:
    """Only what was seen to differ."""
    return [one for part in parts for one in _differences(evidence, part)]


def is_declared(evidence: Evidence, *parts: Part) -> bool:
    """Does the site file declare anything of it?"""
    return any(next(_declared(evidence, part), None) for part in parts)


def _nothing_found(evidence: Evidence, what: str, parts: tuple[Part, ...]) -> Found:
    if not is_declared(evidence, *parts):
        return skipped(f"the site file declares no {what}")
    vouched = _names(evidence, parts, Standing.ATTESTED)
    return passed(f"{what} as declared" + (f"; {', '.join(vouched)} as attested" if vouched else ""))


def _names(evidence: Evidence, parts: tuple[Part, ...], standing: Standing) -> list[str]:
    """Fields of these parts that reading does not show, and that stand so."""
    fields = evidence.plan.unverified if evidence.plan else ()
    found = [each for each in fields if each.standing is standing]
    return sorted({each.name for each in found for part in parts if part.holds(each.address.kind, each.name)})


def _declared(evidence: Evidence, part: Part) -> Iterator[tuple[Address, Mapping[str, Value]]]:
    for address, values in (evidence.plan.desired if evidence.plan else {}).items():
        if address.kind == part.kind and (part.whole or any(part.has(name) for name in values)):
            yield address, values


def _differences(evidence: Evidence, part: Part) -> Iterator[Found]:
    for change, name in evidence.changes(part.kind):
        if (part.has(name) if name else part.whole) and not _is_generated(_after(change, name)):
            address = str(change.address)
            text, remedy = _evidence(change, name), _remedy(change, name, part.risk)
            yield Found(part.state, text, remedy, address, differs=address)


def _unseen(evidence: Evidence, part: Part) -> Iterator[Found]:
    """What is declared and was not read: of a whole kind, of a field, or since what is declared is not known."""
    if not is_declared(evidence, part):
        return
    if evidence.is_unread(part.kind):
        yield unknown(f"this target shows no {KINDS[part.kind].title}", _RUNBOOK, part.kind)
        return
    for address, names in _open(evidence, part).items():
        listed = ", ".join(dict.fromkeys(names))
        yield unknown(f"{listed} of {address} cannot be read", _ATTEST, str(address))
    for change, name in evidence.changes(part.kind):
        if not name and not part.whole and change.action is not Action.DELETE:
            what = WORDS[change.action.value]
            yield unknown(f"{change.address} {what}: there is nothing to compare", "", str(change.address))
        elif name and part.has(name) and _is_generated(_after(change, name)):
            text = f"{name} of {change.address} is not compared: {_PORTAL}"
            yield unknown(text, "look again when the portal answers", str(change.address))


_RUNBOOK = "look at them with `ivn-provision runbook`"
_ATTEST = "a person looks at it and says so with `ivn-provision attest`"


def _open(evidence: Evidence, part: Part) -> Mapping[Address, list[str]]:
    found: dict[Address, list[str]] = {}
    for each in evidence.plan.open if evidence.plan else ():
        if part.holds(each.address.kind, each.name):
            found.setdefault(each.address, []).append(each.name)
    return found


def _after(change: Change, name: str) -> Value:
    return next((each.after for each in change.fields if each.name == name), None)


def _is_generated(value: Value) -> bool:
    """Is it still a reference to what the portal generates?"""
    return any(isinstance(each, Computed) for each in (value if isinstance(value, tuple) else (value,)))


def _evidence(change: Change, name: str) -> str:
    if not name:
        return f"{change.address} {WORDS.get(change.action.value, 'differs')}"
    field = next(each for each in change.fields if each.name == name)
    if field.reason and isinstance(field.before, Unset) and change.manual:
        return f"{name} of {change.address} is not as declared: {field.reason}"
    return f"{name} of {change.address} is {shown(field.before)}, declared {shown(field.after)}"


def _remedy(change: Change, name: str, risk: str) -> str:
    field = next((each for each in change.fields if each.name == name), None)
    if change.manual or (field is not None and field.reason):
        reason = change.reason or (field.reason if field else "")
        return f"{risk}; by hand: {reason}" if reason else f"{risk}; by hand"
    return f"{risk}; `ivn-provision apply` sets it"


def moment(at: datetime) -> str:
    """RFC 3339, in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def shown(value: Value) -> str:
    """A value for people; no secret."""
    if isinstance(value, Unset):
        return "not set"
    if isinstance(value, Secret | SecretRef | Fingerprint):
        return "(sensitive value)"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "nothing"
    return repr(value) if isinstance(value, str) else str(value)
