"""The text of a plan's JSON, piece by piece: of a fleet the whole document is ten times as large as its plans."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ivn_provision.plan.plan import SitePlan
from ivn_provision.plan.plan_json import frame, resource_changes, site_json

_CHANGES, _SITES = '"resource_changes": [', '"sites": ['


def pieces(
    plans: Sequence[SitePlan],
    *,
    timestamp: str,
    errors: Mapping[str, str] | None = None,
    partial: bool = False,
) -> Iterator[str]:
    """Together `json.dumps(to_json(...), indent=2)`."""
    text = json.dumps(frame(plans, timestamp=timestamp, errors=errors, partial=partial), indent=2)
    # within a string each quote has a backslash before it, so no text of a site can look like these
    head, _, rest = text.partition(_CHANGES)
    middle, _, tail = rest.partition(_SITES)
    yield head + _CHANGES
    yield from _items((each for plan in plans for each in resource_changes(plan)), depth=2)
    yield middle + _SITES
    yield from _items((site_json(plan) for plan in plans), depth=3)
    yield tail


def _items(items: Iterable[Mapping[str, Any]], *, depth: int) -> Iterator[str]:
    """What stands between the brackets, which close on a line of their own after an item."""
    before, line = "", "\n" + "  " * depth
    for item in items:
        # a line end is never within a string: there it is written as an escape
        yield before + line + json.dumps(item, indent=2).replace("\n", line)
        before = ","
    if before:
        yield line[:-2]
