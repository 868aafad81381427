"""The parameter tree of a camera: values by full name without `root.`, each with its definition."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from ivn_provision.lab.camera.definitions import Definition
from ivn_provision.lab.camera.profile import GroupTemplate

ROOT = "root."


class NotSet(Exception):
    """A value or a name was refused."""


@dataclass(slots=True)
class Parameters:
    """`computed` are values that are looked up when they are read. Values here are never stars.

    Groups that were added bear their number: `StreamProfile.S4`. A number is given again only after the
    highest one went.
    """

    definitions: dict[str, Definition]
    groups: Mapping[str, GroupTemplate]
    computed: dict[str, Callable[[], str]] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)

    def get(self, name: str, default: str = "") -> str:
        """The value; `default` where there is no such parameter."""
        if name in self.computed:
            return self.computed[name]()
        known = self.definitions.get(name)
        return default if known is None else self.values.get(name, known.value)

    def set(self, name: str, value: str, level: int = 7) -> None:
        """Change a value for an account of this level. Raises NotSet."""
        known = self.definitions.get(name)
        if known is None or known.readonly or level < known.write_level or not known.accepts(value):
            raise NotSet(name)
        self.values[name] = value

    def matching(self, wanted: str, level: int) -> Iterator[tuple[str, str]]:
        """Names and shown values of a group or parameter, `*` stands for any text of one step; "" for all."""
        pattern = re.compile(_pattern(wanted))
        for name in self._names():
            if pattern.match(name) and self.definitions[name].read_level <= level:
                yield name, self.definitions[name].shown(self.get(name))

    def add(self, template: str, group: str, given: Mapping[str, str]) -> tuple[str, list[str]]:
        """Make a group; its entry (`S4`) and the names that were refused. Raises NotSet: unknown, or full."""
        found = self.groups.get(template)
        if found is None or found.group != group:
            raise NotSet(template)
        numbers = [int(entry[len(found.letter) :]) for entry in self.entries(found)]
        if len(numbers) >= found.most:
            raise NotSet(group)
        entry = f"{found.letter}{max(numbers, default=-1) + 1}"
        self.restore_group(template, entry)
        refused = []
        for name, value in given.items():
            try:
                self.set(f"{found.group}.{entry}.{name}", value)
            except NotSet:
                refused.append(name)
        return entry, refused

    def restore_group(self, template: str, entry: str) -> None:
        """Define a group's parameters."""
        found = self.groups[template]
        for name, each in found.parameters.items():
            self.definitions[f"{found.group}.{entry}.{name}"] = each

    def entries(self, template: GroupTemplate) -> list[str]:
        """`["S0", "S1"]`"""
        pattern = re.compile(rf"{re.escape(template.group)}\.({re.escape(template.letter)}\d+)\.")
        found = dict.fromkeys(match[1] for name in self.definitions if (match := pattern.match(name)))
        return sorted(found, key=lambda entry: int(entry[len(template.letter) :]))

    def remove(self, wanted: str) -> None:
        """Remove a group that a template makes. Raises NotSet."""
        group, _, entry = wanted.rpartition(".")
        made = [each for each in self.groups.values() if each.group == group and entry in self.entries(each)]
        if not made:
            raise NotSet(wanted)
        for name in [each for each in self.definitions if each.startswith(f"{wanted}.")]:
            del self.definitions[name]
            self.values.pop(name, None)

    def _names(self) -> list[str]:
        return sorted(self.definitions, key=_natural)


def without_root(name: str) -> str:
    """One leading `root.` less; `root` alone is all."""
    return "" if name == "root" else name.removeprefix(ROOT)


def _pattern(wanted: str) -> str:
    steps = (re.escape(step).replace(r"\*", "[^.]*") for step in wanted.split("."))
    return r"\.".join(steps) + r"(\.|\Z)" if wanted else ""


def _natural(name: str) -> list[tuple[str, int]]:
    """`S10` after `S9`."""
    parts = [re.fullmatch(r"(.*?)(\d*)", step) for step in name.split(".")]
    return [(part[1], int(part[2] or -1)) for part in parts if part]
