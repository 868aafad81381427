"""Puts text into a site file without touching any other byte of it."""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from ivn_provision.errors import UsageProblem

_BY_HAND = "put the section into the file by hand: without --write it is only printed"


@dataclass(frozen=True, slots=True)
class Axis:
    """Where the `axis:` section of a camera begins in a text: the line (from 0) of its first key, the column of its
    keys, and which there are."""

    line: int
    column: int
    keys: frozenset[str]


def axis_in(text: str, number: int, path: str) -> Axis:
    """The section of the camera with this number. Raises UsageProblem where the file itself has none in block style."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    section = _value(_camera(_value(root, "cameras"), number), "axis")
    if not isinstance(section, yaml.MappingNode) or not section.value:
        raise UsageProblem(
            f"{path} itself says nothing of `axis` of camera {number}: a group or the fleet does",
            next_step=_BY_HAND,
        )
    first = section.value[0][0].start_mark
    line = text.splitlines()[first.line]
    if section.flow_style or line[: first.column].strip():
        raise UsageProblem(
            f"{path}:{first.line + 1}: the `axis` section of camera {number} is not written in lines of its own",
            next_step=_BY_HAND,
        )
    return Axis(first.line, first.column, frozenset(str(key.value) for key, _ in section.value))


def with_lines(text: str, axis: Axis, block: str) -> str:
    """The text with `block`, which begins at column 0, before the section's first key."""
    lines = text.splitlines(keepends=True)
    ending = "\r\n" if lines[axis.line].endswith("\r\n") else "\n"
    made = [f"{' ' * axis.column}{each}".rstrip() + ending for each in block.splitlines()]
    return "".join([*lines[: axis.line], *made, *lines[axis.line :]])


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _camera(cameras: yaml.Node | None, number: int) -> yaml.Node | None:
    if not isinstance(cameras, yaml.SequenceNode):
        return None
    for each in cameras.value:
        found = _value(each, "number")
        if isinstance(found, yaml.ScalarNode) and found.value == str(number):
            return each if isinstance(each, yaml.Node) else None
    return None
