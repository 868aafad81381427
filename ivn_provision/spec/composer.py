"""PyYAML's composer with our limits: libyaml's where it is built in, else the pure Python one.

It composes nodes with marks and resolves nothing: what has no tag gets the empty tag, and `style` tells
plain text (empty) from quoted.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from ivn_provision.spec.slow_composer import SlowParser as _Base
else:
    try:
        from yaml._yaml import CParser as _Base
    except ImportError:  # PyYAML without libyaml: ten times slower, otherwise the same
        from ivn_provision.spec.slow_composer import SlowParser as _Base

UNTAGGED = ""
MAX_DEPTH = 64
_SAFE_DEPTH = 1000
"""What libyaml's composer may recurse in C without harm."""
_SCANNED_TOO_DEEP = "maximum nesting depth"


class TooDeep(Exception):
    """Nesting over `MAX_DEPTH`. libyaml recurses in C: without this a hostile file would end the process."""

    def __init__(self, node: Any) -> None:
        super().__init__()
        self.mark = node.start_mark if node is not None else None


class _Composer(_Base):
    """The hooks are builtins that do nothing (and `""`): called per node, Python ones cost a quarter more."""

    resolve: Any = staticmethod("".format)
    descend_resolver: Any = staticmethod(operator.is_)
    ascend_resolver: Any = staticmethod(dict)


class _Counting(_Composer):
    """For text that might be nested deeply."""

    def __init__(self, text: str) -> None:
        _Composer.__init__(self, text)
        self._depth = 0
        self.descend_resolver = self._descend
        self.ascend_resolver = self._ascend

    def _descend(self, current_node: Any, _index: Any) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TooDeep(current_node)

    def _ascend(self) -> None:
        self._depth -= 1


def compose(text: str) -> yaml.Node | None:
    """The root node of the one document in `text`. Raises `yaml.YAMLError` or `TooDeep`.

    Up to `MAX_DEPTH` nothing is refused here; above, only what might be harmful.
    """
    composer = _Composer if _most_levels(text) <= _SAFE_DEPTH else _Counting
    try:
        node: yaml.Node | None = composer(text).get_single_node()
    except yaml.MarkedYAMLError as problem:
        if _SCANNED_TOO_DEEP not in (problem.problem or "") or problem.problem_mark is None:
            raise
        # the scanner of PyYAML 6.0.4 looks ahead and refuses first: up to there our own limit says where
        _Counting(text[: problem.problem_mark.index]).get_single_node()
        raise
    return node


def _most_levels(text: str) -> int:
    """No document in `text` is nested deeper: a bracket or half a column is needed per level."""
    return text.count("[") + text.count("{") + 2 * max(map(len, text.splitlines()), default=0)
