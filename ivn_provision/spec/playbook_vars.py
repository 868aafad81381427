"""Variables of a playbook: `${name}` in its texts becomes a value. No expressions, and nothing is evaluated.

A text that is nothing but `${name}` becomes the value itself, so that a number stays one. `$$` is a dollar sign.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from ivn_provision.diagnostics import Diagnostic, Severity
from ivn_provision.errors import UsageProblem
from ivn_provision.spec.nodes import Node
from ivn_provision.spec.playbook import Variable
from ivn_provision.spec.suggest import did_you_mean, listing

BUILT_IN = "play"
"""The name of the play itself, which nobody gives."""
_SIGN = re.compile(r"\$\$|\$\{([A-Za-z0-9_.-]{1,80})\}|\$\{")
_WHOLE = re.compile(r"\$\{([A-Za-z0-9_.-]{1,80})\}")
_NUMBER = re.compile(r"-?[0-9]{1,9}")
_LEFT_ALONE = frozenset({"playbook", "do", "vars"})


def in_force(root: Node, given: Mapping[str, str]) -> dict[str, Variable]:
    """The defaults of a playbook with what was given. Raises UsageProblem for a name that it does not have, and
    for one that has no value."""
    declared = _declared(root)
    for name in given:
        if name not in declared:
            known = f"Its variables are {listing(list(declared))}." if declared else "It has no variables."
            raise UsageProblem(
                f"--var {name}: the playbook has no such variable",
                next_step=f"{did_you_mean(name, list(declared))}{known}",
            )
    found = {name: _typed(given[name], value) if name in given else value for name, value in declared.items()}
    missing = [name for name, value in found.items() if value is None]
    if missing:
        raise UsageProblem(
            f"the playbook needs a value for {listing(missing)}",
            where=str(root.source.path),
            next_step=f"Give --var {missing[0]}=VALUE.",
        )
    return {name: value for name, value in found.items() if value is not None}


def substituted(root: Node, values: Mapping[str, Variable]) -> tuple[Node, list[Diagnostic]]:
    """The tree with its variables replaced, and what is wrong with them."""
    found: list[Diagnostic] = []
    return _map(root, values, found), found


def _declared(root: Node) -> dict[str, Variable | None]:
    assert isinstance(root.value, dict)
    node = root.value.get("vars")
    entries = node.value if node is not None and isinstance(node.value, dict) else {}
    kinds = (str, int, type(None))
    return {
        name: each.value
        for name, each in entries.items()
        if isinstance(each.value, kinds) and not isinstance(each.value, bool)
    }


def _typed(text: str, default: Variable | None) -> Variable:
    """A variable whose default is a number takes numbers. Raises UsageProblem."""
    if not text.isprintable() or len(text) > 1000:
        raise UsageProblem("--var: a value is one line of at most 1000 characters")
    if not isinstance(default, int):
        return text
    if not _NUMBER.fullmatch(text):
        raise UsageProblem(
            f"--var: {text[:60]!r} is not a whole number", next_step=f"Its default is {default}."
        )
    return int(text)


def _map(node: Node, values: Mapping[str, Variable], found: list[Diagnostic]) -> Node:
    if isinstance(node.value, dict):
        made = {
            key: each if key in _LEFT_ALONE else _map(each, values, found) for key, each in node.value.items()
        }
        return replace(node, value=made)
    if isinstance(node.value, list):
        return replace(node, value=[_map(each, values, found) for each in node.value])
    if isinstance(node.value, str) and "$" in node.value:
        return replace(node, value=_filled(node, node.value, values, found))
    return node


def _filled(node: Node, text: str, values: Mapping[str, Variable], found: list[Diagnostic]) -> Variable:
    whole = _WHOLE.fullmatch(text)
    if whole is not None and whole[1] in values:
        return values[whole[1]]

    def one(sign: re.Match[str]) -> str:
        if sign[0] == "$$":
            return "$"
        if sign[1] is None:
            found.append(_error("`${` without its `}`", node, "Write `$${` for these two characters."))
        elif sign[1] not in values:
            hint = f"{did_you_mean(sign[1], list(values))}There is: {listing(list(values))}."
            found.append(_error(f"there is no variable `{sign[1]}`", node, hint))
        else:
            return str(values[sign[1]])
        return sign[0]

    return _SIGN.sub(one, text)


def _error(summary: str, node: Node, hint: str) -> Diagnostic:
    return Diagnostic(Severity.ERROR, "PLB003", summary, node.place(), hint=hint)
