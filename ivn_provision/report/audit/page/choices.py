"""What the page's list of places offers: the groups, networks and labels that sites are filtered by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ivn_provision.run.audit.record import SiteAudit

MOST = 80
"""Values of one list: a label of which there are more is no way to divide a fleet; the search finds it."""


@dataclass(frozen=True, slots=True)
class Choice:
    text: str
    count: int


@dataclass(frozen=True, slots=True)
class Choices:
    """`kind` is `group`, `network`, or `label`, and `key` the label's."""

    kind: str
    choices: tuple[Choice, ...]
    key: str = ""


def choices_of(sites: Iterable[SiteAudit]) -> tuple[Choices, ...]:
    """Only lists of which a person can choose."""
    groups: Counter[str] = Counter()
    networks: Counter[str] = Counter()
    labels: dict[str, Counter[str]] = {}
    for site in sites:
        groups.update(set(site.groups))
        networks.update([site.network] if site.network else [])
        for key, value in site.labels.items():
            labels.setdefault(key, Counter())[value] += 1
    found = [_choices("group", groups), _choices("network", networks)]
    found += [_choices("label", labels[key], key) for key in sorted(labels)]
    return tuple(each for each in found if 1 <= len(each.choices) <= MOST)


def _choices(kind: str, counts: Counter[str], key: str = "") -> Choices:
    return Choices(kind, tuple(Choice(value, counts[value]) for value in sorted(counts)), key)
