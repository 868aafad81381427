"""The merged tree -> plain data for the schema: references followed, tombstones dropped, secrets checked.

While the schema looks, a secret is the text of its reference and a computed value its path; `settle()` puts
the real values in afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

from ivn_provision.diagnostics import Diagnostic, Severity
from ivn_provision.secret import SecretRef
from ivn_provision.spec.nodes import BAD, Node, Reference
from ivn_provision.spec.references import Resolver
from ivn_provision.spec.secret_keys import SECRET_KEYS, key_text, known_keys, may_be_quoted
from ivn_provision.spec.values import Computed

Data = None | bool | int | float | str | SecretRef | Computed | dict[str, "Data"] | list["Data"]

_SCALARS = (str, int, bool, float)
_REFERENCES = (Reference, SecretRef)
_PLACEHOLDER = "env:REPORTED"
_WRITE_SECRET = "Write `!secret env:NAME`, `!secret file:PATH` or `!secret keyring:SERVICE/USER`, and change the password."  # noqa: S105 - a hint


@dataclass(frozen=True, slots=True)
class Late:
    """A value that is put in after the schema has looked."""

    container: dict[str, Data] | list[Data]
    key: str | int
    value: SecretRef | Computed

    def settle(self) -> None:
        self.container[self.key] = self.value  # type: ignore[index] # key and container were made together


class Plain:
    """Plain data of one document, and what was found on the way.

    `partial` is for a level alone (a group, the fleet): its references lead to values of the sites, so they
    are left out instead of followed.
    """

    def __init__(self, root: Node, *, partial: bool = False) -> None:
        self._resolver = Resolver(root)
        self._partial = partial
        self._known = known_keys()
        self._late: list[Late] = []
        self._found: list[Diagnostic] = []
        self.unknown: set[int] = set()
        """The `id` of each node whose value is not known here: reported before, or a reference of a level."""
        self.data: Data = self._value(root)

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """Problems of references and secrets."""
        return [*self._resolver.diagnostics, *self._found]

    def settle(self) -> None:
        """Replaces the stand-ins of secrets and computed values."""
        for late in self._late:
            late.settle()

    def _value(self, node: Node) -> Data:
        value = node.value
        if value.__class__ is dict:
            return self._map(value)
        if isinstance(value, list):
            return self._list(value)
        if isinstance(value, _SCALARS):
            return value
        if value is not None:
            self.unknown.add(id(node))
        if isinstance(value, SecretRef):
            self._stray(node)
        return None

    def _map(self, items: dict[str, Node]) -> Data:
        out: dict[str, Data] = {}
        known = self._known
        for key, node in items.items():
            value = node.value
            kind = value.__class__
            if kind in _SCALARS and key not in SECRET_KEYS:
                out[key] = value  # type: ignore[assignment] # as it says
            elif kind is dict or kind is list:
                if key not in known or key in SECRET_KEYS:
                    out[key] = self._hidden(key, node)
                else:
                    out[key] = self._map(value) if kind is dict else self._list(value)  # type: ignore[arg-type] # as above
            elif value is None:
                self._tombstone(key, node)
            elif kind is Reference and self._partial:
                continue
            else:
                out[key] = self._special(key, node, out)
        return out

    def _hidden(self, key: str, node: Node) -> Data:
        """A map or list where a password may be meant (`{hunter2}`): nothing is said about what is inside."""
        if key in SECRET_KEYS:
            return self._open_password(node)
        before = len(self._found)
        value = self._value(node)
        del self._found[before:]
        return value

    def _list(self, items: list[Node]) -> Data:
        out: list[Data] = []
        for node in items:
            out.append(None)
            special = isinstance(node.value, _REFERENCES)
            out[-1] = self._special(len(out) - 1, node, out) if special else self._value(node)
        return out

    def _special(self, key: str | int, node: Node, out: dict[str, Data] | list[Data]) -> Data:
        if self._partial and isinstance(node.value, Reference):
            self.unknown.add(id(node))
            return node.value.path
        value = self._resolver.value_of(node) if isinstance(node.value, Reference) else node.value
        wanted = key in SECRET_KEYS
        if isinstance(value, SecretRef):
            if not wanted:
                self.unknown.add(id(node))
                self._stray(node)
                return None
            self._late.append(Late(out, key, value))
            return f"{value.scheme}:{value.name}"
        if isinstance(value, Computed):
            self._late.append(Late(out, key, value))
            return value.path
        if value is BAD or not isinstance(value, _SCALARS) or (not wanted and _leads_to_secret(node)):
            self.unknown.add(id(node))
            return None
        return self._open_password(node) if wanted else value

    def _open_password(self, node: Node) -> Data:
        summary = "a secret is wanted here: passwords never stand in a site file"
        if isinstance(node.value, Reference):
            summary = "a secret is wanted here, and the reference leads to a value that is none"
        self._report("SCH020", summary, node, _WRITE_SECRET)
        return _PLACEHOLDER

    def _stray(self, node: Node) -> None:
        hint = f"Only {' and '.join(sorted(SECRET_KEYS))} take a secret; write the value itself."
        self._report("SCH021", "no secret is wanted here", node, hint)

    def _report(self, code: str, summary: str, node: Node, hint: str) -> None:
        self._found.append(Diagnostic(Severity.ERROR, code, summary, node.place(), hint=hint))

    def _tombstone(self, key: str, node: Node) -> None:
        """A null that removes nothing is more likely a value that was forgotten."""
        if node.below is None and node.source.level == "site":
            hint = "Write a value, or delete the line; null only removes what a group or the fleet says."
            summary = f"`{key_text(key)[:80]}` is empty: this null removes nothing"
            found = Diagnostic(Severity.WARNING, "SCH042", summary, node.key_place(key), hint=hint)
            self._found.append(found)


def _leads_to_secret(node: Node) -> bool:
    """Does a reference lead to what may be a password in clear? Then the schema must not quote it."""
    if not isinstance(node.value, Reference):
        return False
    *above, key = node.value.path.split(".")
    return not may_be_quoted(key, above[-1] if above else "")
