"""Puts text into a site file without touching any other character of it.

A library that keeps comments through a load and a dump (ruamel.yaml) writes the whole file anew, with its own
line folds and blanks. The composer knows where everything stands: so the text is only cut open at one place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

from ivn_provision.errors import UsageProblem
from ivn_provision.spec.composer import compose

_BY_HAND = "put the section into the file by hand: without --write it is only printed"
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Axis:
    """The `axis:` section of a camera in a text: the column of its keys, which there are, and the index of the
    character behind its last value."""

    column: int
    keys: frozenset[str]
    end: int


def axis_in(text: str, number: int, path: str) -> Axis:
    """The section of the camera with this number. Raises UsageProblem where the file itself has none in block style.

    `text` is that of a valid site file, without a byte order mark.
    """
    section = _value(_camera(_value(compose(text), "cameras"), number), "axis")
    if not isinstance(section, yaml.MappingNode) or not section.value:
        raise UsageProblem(
            f"{path} itself says nothing of `axis` of camera {number}: a group or the fleet does",
            next_step=_BY_HAND,
        )
    first = section.value[0][0].start_mark
    if section.flow_style or text[first.index - first.column : first.index].strip(" "):
        raise UsageProblem(
            f"{path}:{first.line + 1}: the `axis` section of camera {number} is not written in lines of its own",
            next_step=_BY_HAND,
        )
    return Axis(first.column, frozenset(str(key.value) for key, _ in section.value), _end(section))


def with_lines(text: str, axis: Axis, block: str) -> str:
    """The text with `block`, whose lines begin at column 0, behind the section's last value and its comment."""
    ends = [(each.start(), each.end(), each[0]) for each in _BREAK.finditer(text)]
    ending = "\r\n" if ends and ends[0][2] == "\r\n" else "\n"
    begun = max((after for _, after, _ in ends if after <= axis.end), default=0)
    if begun and not text[begun : axis.end].strip(" "):
        at = begun  # a block of text ends with its line end
    else:
        at = next((after for _, after, _ in ends if after > axis.end), len(text))
    lead = "" if at in {after for _, after, _ in ends} else ending
    indent = " " * axis.column
    lines = [(indent + each if each else "") + ending for each in block.split("\n")[:-1]]
    return text[:at] + lead + "".join(lines) + text[at:]


def _end(node: yaml.Node) -> int:
    """The index behind the last character that belongs to a value; comments behind it do not."""
    index: int = node.end_mark.index
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        parts = last if isinstance(node, yaml.MappingNode) else (last,)
        index = max(map(_end, parts))  # an alias stands for a value further up: then its key is the last
    return index


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
