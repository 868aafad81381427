"""The tree of a playbook -> plain data for its schema, with secrets where one may stand and nowhere else."""

from __future__ import annotations

from ivn_provision.diagnostics import Diagnostic, Severity
from ivn_provision.secret import SecretRef
from ivn_provision.spec.nodes import Node, Reference
from ivn_provision.spec.plain import Data

_URL = "url"
_NO_SECRET = "Only `url` of a notify takes a secret; secrets are never variables."  # noqa: S105 - a hint
_NO_REFERENCE = "A playbook knows no `!ref`: use a variable, `${name}`."


class PlaybookData:
    """As `plain.Plain`: `data`, the ids of nodes whose value is not known, and what was found on the way."""

    def __init__(self, root: Node) -> None:
        self.unknown: set[int] = set()
        self.diagnostics: list[Diagnostic] = []
        self.data: Data = self._value(root, "")

    def _value(self, node: Node, key: str) -> Data:
        value = node.value
        if isinstance(value, dict):
            return {name: self._value(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [self._value(each, "") for each in value]
        if value is None or isinstance(value, str | int | float):
            return value
        self.unknown.add(id(node))
        if isinstance(value, SecretRef):
            if key == _URL:
                self.unknown.discard(id(node))
                return f"{value.scheme}:{value.name}"
            self._report("no secret is wanted here", node, _NO_SECRET)
        elif isinstance(value, Reference):
            self._report("a playbook has no references", node, _NO_REFERENCE)
        return None

    def _report(self, summary: str, node: Node, hint: str) -> None:
        self.diagnostics.append(Diagnostic(Severity.ERROR, "SCH021", summary, node.place(), hint=hint))
