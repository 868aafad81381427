"""`screens.yml`: the Management Application's menu paths, dialogs and labels, as data for runbooks."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Any

import yaml

from ivn_provision.plan.screens import UNDOCUMENTED, Control, Exercise, Screens, Section, Way

_NONE = Screens("the recorder's own program")


def screens_of(product: str) -> Screens:
    """The screens for a site file's `nvr.product`; without sections for a product that is not documented."""
    data = _data()
    return _screens() if re.search(str(data["products"]), product) else _NONE


@cache
def _data() -> dict[str, Any]:
    file = resources.files("ivn_provision.drivers.xprotect_e") / "screens.yml"
    data: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return data


@cache
def _screens() -> Screens:
    data = _data()
    return Screens(
        program=str(data["program"]),
        sections=tuple(_section(each) for each in data["sections"]),
        exercises=tuple(_exercise(each) for each in data["exercises"]),
    )


def _section(data: dict[str, Any]) -> Section:
    return Section(
        kind=data["kind"],
        title=data["title"],
        create=_way(data["create"]),
        change=_way(data["change"]),
        remove=_way(data["remove"]),
        controls={name: _control(each) for name, each in data["controls"].items()},
        key=_control(data["key"]) if "key" in data else None,
    )


def _way(data: dict[str, Any]) -> Way:
    return Way(
        go_to=data["go_to"],
        dialog=data.get("dialog", UNDOCUMENTED),
        requirements=tuple(data.get("requirements", ())),
        notes=tuple(data.get("notes", ())),
    )


def _control(data: dict[str, Any]) -> Control:
    return Control(
        label=data.get("label", UNDOCUMENTED),
        requirements=tuple(data.get("requirements", ())),
        words={str(value): word for value, word in data.get("words", {}).items()},
        refers=data.get("refers", ""),
        seen_by=data.get("seen_by", ""),
        note=data.get("note", ""),
    )


def _exercise(data: dict[str, Any]) -> Exercise:
    return Exercise(
        title=data["title"],
        go_to=data["go_to"],
        lines=tuple(data["lines"]),
        requirements=tuple(data["requirements"]),
        kinds=frozenset(data["kinds"]),
        after=data["after"],
        mails=bool(data.get("mails", False)),
    )
