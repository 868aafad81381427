"""What people attest of fields that reading cannot show, and how such a field stands today. Pure.

An attestation is of one value: it says nothing any more once another value is declared, and it expires.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ivn_provision.diagnostics import Place
from ivn_provision.model.resource import Address, Value
from ivn_provision.plan.plan import Observation, Standing, Unverified
from ivn_provision.plan.values_json import is_unknown
from ivn_provision.secret import Secret, SecretRef
from ivn_provision.spec.values import Computed

DEFAULT_DAYS = 90
_DIGITS = 16
_EARLY = timedelta(days=1)
"""A day without a time begins in UTC, which may still be ahead of the clock here."""
_END = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Attestation:
    """`by` saw on `moment` (UTC) that a field has the value whose digest is `value`.

    `how` is free text, `run` the id of the run that recorded it, `place` where it is written.
    """

    address: Address
    field: str
    value: str
    by: str
    moment: datetime
    how: str = ""
    run: str = ""
    place: Place | None = None

    def until(self, days: int) -> datetime:
        """The first moment at which it is no longer valid."""
        return self.moment + min(timedelta(days=days), _END - self.moment)

    def is_ahead(self, now: datetime) -> bool:
        """Nobody can have seen yet what it says: it does not count."""
        return self.moment - now > _EARLY


def value_digest(value: Value) -> str:
    """16 hexadecimal digits of SHA-256 of the declared value as canonical JSON; of a secret: its reference.

    The password itself is not in it: a digest of a short password in a file under version control could be
    tried out.
    """
    text = json.dumps(_canonical(value), ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _canonical(value: Value) -> Any:
    if isinstance(value, Secret):
        return _canonical(value.reference)
    if isinstance(value, (SecretRef, Computed)):
        return {type(value).__name__: str(value)}
    if isinstance(value, tuple):
        return sorted((_canonical(each) for each in value), key=str)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def judged(
    questions: Iterable[Unverified], attestations: Sequence[Attestation], *, now: datetime, days: int
) -> tuple[Unverified, ...]:
    """The fields with their standing by what is attested. The newest attestation of the value counts.

    One from the future, from a slip of the pen or of a clock, would outlive all others: it counts for nothing.
    """
    return tuple(_standing(each, attestations, now, days) for each in questions)


def _standing(
    question: Unverified, attestations: Sequence[Attestation], now: datetime, days: int
) -> Unverified:
    told = [each for each in attestations if (each.address, each.field) == (question.address, question.name)]
    about = [each for each in told if not each.is_ahead(now)]
    if not about:
        evidence = f"by {told[0].by} on {day(told[0].moment)}, which is still to come" if told else ""
        return replace(question, standing=Standing.NEVER, evidence=evidence)
    same = [each for each in about if each.value == value_digest(question.value)]
    newest = max(same or about, key=lambda each: each.moment)
    evidence = f"by {newest.by} on {day(newest.moment)}"
    if not same or is_unknown(question.value):
        return replace(question, standing=Standing.CHANGED, evidence=evidence)
    valid = newest.until(days) > now
    return replace(
        question,
        standing=Standing.ATTESTED if valid else Standing.EXPIRED,
        evidence=f"{evidence}, {'valid until' if valid else 'expired on'} {day(newest.until(days))}",
    )


def day(moment: datetime) -> str:
    """`2026-11-23`, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d")


def weighed(
    questions: Sequence[Unverified],
    observations: Iterable[Observation],
    attestations: Sequence[Attestation] = (),
) -> tuple[tuple[Unverified, ...], tuple[tuple[Unverified, Observation], ...]]:
    """The fields after what was observed, and those that an observation refutes.

    What refutes goes before what confirms, but an attestation that is valid and newer than the evidence goes
    before both: the last mail may be older than the repair.
    """
    seen = list(observations)
    left, refuted = [], []
    for question in questions:
        about = [each for each in seen if (each.address, each.name) == (question.address, question.name)]
        against = next((each for each in about if not each.confirmed), None)
        confirming = next((each for each in about if each.confirmed), None)
        if against is not None and not _overtaken(question, against, attestations):
            refuted.append((question, against))
        elif confirming is not None and against is None:
            left.append(replace(question, standing=Standing.OBSERVED, evidence=confirming.evidence))
        else:
            left.append(question)
    return tuple(left), tuple(refuted)


def _overtaken(question: Unverified, against: Observation, attestations: Sequence[Attestation]) -> bool:
    if question.standing is not Standing.ATTESTED or not against.at:
        return False
    evidence = moment_of(against.at)
    return any(
        (each.address, each.field) == (question.address, question.name)
        and each.value == value_digest(question.value)
        and each.moment > evidence
        for each in attestations
    )


def moment_of(text: str) -> datetime:
    """A time of RFC 3339, or a day (its beginning in UTC). Raises ValueError."""
    text = text.strip()
    if len(text) == 10:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or text[10:11] not in {"T", "t", " "}:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC)


def entry_lines(attestation: Attestation, indent: str = "  ") -> list[str]:
    """One entry of an attestation file, as YAML."""
    values = {
        "address": str(attestation.address),
        "field": attestation.field,
        "value": attestation.value,
        "by": attestation.by,
        "when": attestation.moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "how": attestation.how,
        "run": attestation.run,
    }
    return item_lines(values, indent)


def item_lines(values: dict[str, str], indent: str = "  ") -> list[str]:
    """A map of texts as an item of a list in YAML, every text quoted."""
    lines = [f"{indent}  {key}: {quoted(text)}" for key, text in values.items()]
    return [f"{indent}- {lines[0].strip()}", *lines[1:]]


def quoted(text: str) -> str:
    """Text between double quotes, as YAML and JSON read it; what is not printable as an escape."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(char if char.isprintable() else _escape(ord(char)) for char in plain) + '"'


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
