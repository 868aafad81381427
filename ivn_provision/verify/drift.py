"""Checks of what differs from what is declared: every kind and field belongs to exactly one of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from ivn_provision.model.resource import Unset, Value
from ivn_provision.plan.plan import Change
from ivn_provision.secret import Fingerprint, Secret, SecretRef
from ivn_provision.verify.evidence import Evidence
from ivn_provision.verify.result import Found, State, passed, skipped, unknown

WORDS = {"create": "is missing", "delete": "is there and not declared", "replace": "must be made anew"}


def drifted(
    evidence: Evidence,
    kind: str,
    remedy: str,
    fields: tuple[str, ...] | None = None,
    *,
    whole: bool = True,
    state: State = State.FAIL,
) -> Iterator[Found]:
    """One result for each difference in `fields` (None: all), and with `whole` for objects missing or too many."""
    for change, name in evidence.changes(kind):
        if (name and (fields is None or name in fields)) or (whole and not name):
            yield Found(state, _evidence(change, name), _remedy(change, name, remedy), str(change.address))


def as_declared(evidence: Evidence, kinds: tuple[str, ...], what: str, found: list[Found]) -> Iterator[Found]:
    """The differences that were found; or that there is none, as far as that can be known."""
    if found:
        yield from found
        return
    target = "portal" if kinds[0] in {"site", "device", "pin"} else "nvr"
    if target in evidence.missing:
        yield unknown(f"not looked at: {evidence.missing[target]}")
    elif not any(address.kind in kinds for address in (evidence.plan.desired if evidence.plan else ())):
        yield skipped(f"the site file declares no {what}")
    elif all(evidence.is_unread(kind) for kind in kinds):
        yield unknown(f"this recorder does not show its {what}", "look at them with `ivn-provision runbook`")
    else:
        yield passed(f"{what} as declared")


def _evidence(change: Change, name: str) -> str:
    if not name:
        return f"{change.address} {WORDS.get(change.action.value, 'differs')}"
    field = next(each for each in change.fields if each.name == name)
    return f"{name} of {change.address} is {shown(field.before)}, declared {shown(field.after)}"


def _remedy(change: Change, name: str, remedy: str) -> str:
    field = next((each for each in change.fields if each.name == name), None)
    if change.manual or (field is not None and field.reason):
        reason = change.reason or (field.reason if field else "")
        return f"{remedy}; by hand: {reason}" if reason else f"{remedy}; by hand"
    return f"{remedy}; `ivn-provision apply` sets it"


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
