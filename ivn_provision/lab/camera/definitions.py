"""What a parameter may be: type, bounds and rights, as `listdefinitions` tells them (facts/axis.md, 3.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

KINDS = frozenset({"string", "int", "bool", "enum", "password", "hostname", "ip"})
STARS = "*****"
_CONTROL = re.compile("[\\x00-\\x1f\\x7f\\ud800-\\udfff]")
_HOST = re.compile(r"[A-Za-z0-9._:-]*")
_IP = re.compile(r"[0-9A-Fa-f.:]*")


@dataclass(frozen=True, slots=True)
class Definition:
    """One parameter. `level` has four digits: create, delete, read, write. `value` is the one it begins with."""

    value: str
    level: str
    kind: str
    choices: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None
    longest: int | None = None
    flags: tuple[str, ...] = ()

    @property
    def read_level(self) -> int:
        return int(self.level[2])

    @property
    def write_level(self) -> int:
        return int(self.level[3])

    @property
    def readonly(self) -> bool:
        return "readonly" in self.flags

    def shown(self, value: str) -> str:
        """As `list` gives it: a password that is set as stars."""
        return STARS if self.kind == "password" and value else value

    def accepts(self, value: str) -> bool:
        """Whether an update may set it so."""
        if _CONTROL.search(value) or (self.longest is not None and len(value) > self.longest):
            return False
        if self.kind in {"bool", "enum"}:
            return value in (self.choices or ("yes", "no"))
        if self.kind == "int":
            return self._is_number(value)
        pattern = {"hostname": _HOST, "ip": _IP}.get(self.kind)
        return pattern is None or pattern.fullmatch(value) is not None

    def _is_number(self, value: str) -> bool:
        if not re.fullmatch(r"-?\d{1,9}", value, re.ASCII):
            return False
        number = int(value)
        return (self.low is None or number >= self.low) and (self.high is None or number <= self.high)


def definition(row: Sequence[str]) -> Definition:
    """`[value, level, type, flags...]` of a profile. Raises ValueError."""
    value, level, kind, *flags = row
    name, *words = kind.split()
    if name not in KINDS or not re.fullmatch(r"\d{4}", level):
        raise ValueError(f"no definition of a parameter: {row}")
    numbers = [int(word) for word in words] if name in {"int", "string", "password"} else []
    bounds = numbers if name == "int" and numbers else [None, None]
    return Definition(
        value,
        level,
        name,
        choices=tuple(words) if name == "enum" else (),
        low=bounds[0],
        high=bounds[1],
        longest=numbers[0] if numbers and name != "int" else None,
        flags=tuple(flags),
    )
