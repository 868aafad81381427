"""Field values <-> the JSON of a snapshot: lossless but for secrets, of which only a keyed hash stays."""

from __future__ import annotations

from typing import Any

from ivn_provision.model.resource import LiveRef, Value
from ivn_provision.plan.values_json import Masked, dump, load
from ivn_provision.run.state import StateFolder
from ivn_provision.secret import Fingerprint, Secret, SecretRef


class KeyedHash(str):
    """Stands for a secret: equal only for the same fingerprint under the same key."""

    __slots__ = ()


def keyed(state: StateFolder, value: Value) -> Value:
    """The value, or what may be written down in its place."""
    if isinstance(value, Fingerprint):
        return KeyedHash(state.seal(f"fingerprint {value.salt} {value.digest}"))
    if isinstance(value, Secret):
        return KeyedHash(state.seal(f"secret {value.reveal()}"))
    if isinstance(value, (SecretRef, Masked)):
        return KeyedHash(state.seal(f"reference {value}"))
    return value


def to_json(state: StateFolder, value: Value) -> Any:
    """The value as it is written down; of a secret that is declared, its reference too."""
    hidden = keyed(state, value)
    if isinstance(hidden, KeyedHash):
        reference = _reference(value)
        return {"keyed": str(hidden), **({"reference": reference} if reference else {})}
    if isinstance(hidden, LiveRef):
        return {"live": hidden.handle, "with_kind": hidden.with_kind}
    return dump(hidden)


def _reference(value: Value) -> str:
    if isinstance(value, Secret):
        return str(value.reference)
    return str(value) if isinstance(value, SecretRef) else ""


def from_json(data: Any) -> Value:
    """The inverse of `to_json`. Raises ValueError."""
    if isinstance(data, dict) and isinstance(data.get("keyed"), str):
        return KeyedHash(data["keyed"])
    if isinstance(data, dict) and isinstance(data.get("live"), str):
        return LiveRef(data["live"], with_kind=data.get("with_kind") is True)
    return load(data)
