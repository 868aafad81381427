"""Values in the words of a dialog: what a person types, ticks or picks. Secrets as references."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ivn_provision.model.resource import Address, LiveRef, Unset, Value
from ivn_provision.plan.screens import Control
from ivn_provision.plan.values_json import is_sensitive
from ivn_provision.secret import Secret, SecretRef
from ivn_provision.spec.values import Computed

_COMPUTED = {"portal.smtp_account_id": "the SMTP Account ID that the portal shows for this device"}


@dataclass(frozen=True, slots=True)
class Names:
    """What declared objects are called, by address."""

    desired: Mapping[Address, Mapping[str, Value]]

    def of(self, address: Address) -> str:
        name = self.field(address, "name")
        return name if isinstance(name, str) and name else address.key

    def field(self, address: Address, name: str) -> Value:
        return self.desired.get(address, {}).get(name)


def words_of(value: Value, control: Control, names: Names, address: Address) -> str:
    """One value as a person enters it."""
    if is_sensitive(value):
        return _secret(value)
    if isinstance(value, Computed):
        return _COMPUTED.get(value.path, f"the value of {value.path}")
    if isinstance(value, tuple):
        return "; ".join(words_of(each, Control(), names, address) for each in value)
    if isinstance(value, bool):
        return control.words.get("true" if value else "false", "yes" if value else "no")
    if isinstance(value, (Unset, LiveRef)) or value is None:
        return str(value) if value is not None else ""
    return control.words.get(str(value)) or _referred(str(value), control, names, address)


def _secret(value: Value) -> str:
    reference = value.reference if isinstance(value, Secret) else value
    return (
        f"the secret {str(reference).removeprefix('!secret ')}"
        if isinstance(reference, SecretRef)
        else "a secret"
    )


def _referred(text: str, control: Control, names: Names, address: Address) -> str:
    """The name by which the dialog shows another object."""
    if control.refers == "camera":
        return names.of(Address(address.site, address.target, "camera", text))
    if control.refers == "event" and "/" in text:
        kind, _, key = text.partition("/")
        return names.of(Address(address.site, address.target, kind, key))
    return text


def was_text(value: Value) -> str:
    """What is there now; "" where nothing is known of it, or it is a secret."""
    if isinstance(value, (Unset, LiveRef)) or value is None or is_sensitive(value):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "; ".join(map(str, value)) if isinstance(value, tuple) else str(value)
