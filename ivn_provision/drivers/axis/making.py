"""How a live resource of a camera is made, with the digest of exactly what was read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ivn_provision.model.resource import Address, Resource, Value


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes resources of one camera. `seen` is what else belongs to the object, beyond its fields; `shared` are
    fields that are read from elsewhere: no part of the object, nor of its digest."""

    site: str
    target: str

    def __call__(
        self,
        kind: str,
        key: str,
        handle: str,
        fields: Mapping[str, Value],
        *,
        seen: Mapping[str, str] | None = None,
        shared: Collection[str] = (),
        owned: bool = True,
        title: str = "",
    ) -> Resource:
        address = Address(self.site, self.target, kind, key)
        own = {name: value for name, value in fields.items() if name not in shared}
        digest = _digest([kind, key, handle, title], own, seen or {})
        return Resource(address, fields, handle=handle, digest=digest, owned=owned, title=title)


def _digest(about: list[str], fields: Mapping[str, Value], seen: Mapping[str, str]) -> str:
    """Of a secret its fingerprint is in the name that `seen` holds; a field shows only that it is one."""
    shown = {name: [type(value).__name__, _text(value)] for name, value in fields.items()}
    text = json.dumps([about, shown, dict(seen)], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _text(value: Value) -> str:
    return json.dumps(sorted(map(str, value))) if isinstance(value, tuple) else str(value)
