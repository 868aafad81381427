"""Address and resource: what a driver reads and what a site declares, in one shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, unquote

from ivn_provision.diagnostics import Place
from ivn_provision.secret import Fingerprint, Secret, SecretRef
from ivn_provision.spec.values import Computed


class Unset:
    """A managed field that the live system does not have (as opposed to an empty one)."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "(not set)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unset)

    def __hash__(self) -> int:
        return hash(Unset)


UNSET = Unset()


@dataclass(frozen=True, slots=True)
class LiveRef:
    """A live field that points at another live object by the driver's handle of it.

    The diff replaces it by the key of the resource that the object was matched with (`10`), with its
    kind in front where `with_kind` (`hardware_event/2`), so that a renamed camera is not a changed event.
    """

    handle: str
    with_kind: bool = False

    def __str__(self) -> str:
        return f"object {self.handle}"


Scalar = None | bool | int | float | str | Secret | SecretRef | Fingerprint | Computed | Unset | LiveRef
Value = Scalar | tuple[str | Computed, ...]


def _quoted(part: str) -> str:
    """A part of an address; blanks at its ends are quoted, since forms and command lines drop them."""
    inner = part.strip(" ")
    if not inner:
        return quote(part, safe="")
    before, _, after = part.partition(inner)
    return quote(before) + quote(inner, safe=" ()+,-.:=@_") + quote(after)


class Address(NamedTuple):
    """`harbor-marina/nvr/camera/10`; a singleton has no key: `harbor-marina/nvr/mail_server`."""

    site: str
    target: str
    kind: str
    key: str = ""

    def __str__(self) -> str:
        parts = [self.site, self.target, self.kind]
        if self.key:
            parts.append(self.key)
        return "/".join(_quoted(part) for part in parts)

    @classmethod
    def parse(cls, text: str) -> Address:
        """The inverse of `str`. Raises ValueError with the expected form."""
        parts = [unquote(part) for part in text.split("/")]
        if len(parts) not in {3, 4} or not all(parts):
            raise ValueError(f"not an address: {text!r}; expected SITE/TARGET/KIND[/KEY]")
        return cls(*parts)


@dataclass(frozen=True, slots=True)
class Resource:
    """One object of a site.

    `fields` maps dotted field names (`recording.mode`) to values. On the desired side only declared
    fields are there; `declared_at` is the place in the YAML and `pointer` its JSON pointer there. On the live
    side `handle` is the driver's own reference (a Guid, an ETag path), `digest` identifies the exact value that
    was read, and `owned` says whether the object follows our naming convention or carries our marker; a live object that is
    not owned is foreign and never changed unless a declaration matches its identity. `title` is what
    people call a live object; `needs` are resources without which this one cannot be made.
    """

    address: Address
    fields: Mapping[str, Value]
    declared_at: Place | None = None
    handle: str = ""
    digest: str = ""
    owned: bool = True
    title: str = ""
    needs: tuple[Address, ...] = ()
    pointer: str = ""

    @property
    def kind(self) -> str:
        return self.address.kind
