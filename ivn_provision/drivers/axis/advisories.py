"""Versions of firmware that are known to be vulnerable: `advisories.yml`, which is not a list of all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

import yaml

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Advisory:
    """`mended` is by product number, `tracks` by the first numbers of a version. `calls`: requests that are not made
    to a camera that may have it."""

    id: str
    what: str
    mended: Mapping[str, str] = field(default_factory=dict)
    tracks: Mapping[str, str] = field(default_factory=dict)
    calls: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Weakness:
    """What a firmware has, or with `perhaps` may have: its models are not all known."""

    advisory: Advisory
    fixed: str
    perhaps: bool = False


def version(text: str) -> Version:
    """`5.50.5.10` as numbers, so that 10 comes after 9; empty for what is no version."""
    return tuple(map(int, text.split("."))) if re.fullmatch(r"\d{1,6}(\.\d{1,6})*", text, re.ASCII) else ()


@cache
def advisories() -> tuple[Advisory, ...]:
    """All that the tool knows of."""
    text = files(__package__).joinpath("advisories.yml").read_text("utf-8")
    return tuple(
        Advisory(
            id=each["id"],
            what=each["what"],
            mended={name: str(fixed) for name, fixed in each.get("mended", {}).items()},
            tracks={name: str(fixed) for name, fixed in each.get("tracks", {}).items()},
            calls=frozenset(each.get("calls", ())),
        )
        for each in yaml.safe_load(text)
    )


def weaknesses(model: str, firmware: str) -> tuple[Weakness, ...]:
    """What is known of this firmware; nothing for a version that cannot be read."""
    seen = version(firmware)
    found = []
    for each in advisories() if seen else ():
        fixed = each.mended.get(model)
        if fixed is not None and seen < version(fixed):
            found.append(Weakness(each, fixed))
        for track, mended in each.tracks.items():
            start = version(track)
            if seen[: len(start)] == start and seen < version(mended):
                found.append(Weakness(each, mended, perhaps=True))
    return tuple(found)


def unjudged(model: str) -> tuple[str, ...]:
    """Of these nobody here knows whether the model has them."""
    return tuple(each.id for each in advisories() if each.mended and model not in each.mended)


def may_call(model: str, firmware: str, call: str) -> str:
    """Why a request is not made to such a camera; "" if it may be."""
    if not version(firmware):
        return "the camera does not say its firmware"
    reasons = (each.advisory.id for each in weaknesses(model, firmware) if call in each.advisory.calls)
    return next((f"firmware {firmware} may have {name}" for name in reasons), "")
