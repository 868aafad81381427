"""`waivers.yml` beside `fleet.yml`: known differences that are excused, each with a reason, an owner and a last day.

Read like every other file of the fleet: YAML 1.2, bounded, no tags, checked against `schemas/waivers.schema.json`.
Days are those of UTC.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatchcase
from typing import TypedDict, cast

from ivn_provision.diagnostics import Diagnostic, Place, Severity, sort_key
from ivn_provision.errors import SpecError
from ivn_provision.spec.discovery import WAIVERS_FILE
from ivn_provision.spec.nodes import Node, at_pointer
from ivn_provision.spec.single_file import Words, read_single
from ivn_provision.spec.source import read_bytes

SCHEMA = "waivers.schema.json"
LONGEST_DAYS = 366
CODES = {
    "WAV001": "a waiver until a day that does not exist",
    "WAV002": "a waiver for more than 366 days",
    "WAV003": "a waiver that has expired",
    "WAV004": "a waiver of everything",
    "WAV005": "a waiver for a field and for a check at once",
    "WAV006": "the same waiver twice",
}
_WORDS = Words("waivers", "waivers:")
_EVERYTHING = frozenset("*?/")


@dataclass(frozen=True, slots=True)
class Waiver:
    """One of them. `address`, `field` and `check` are globs, "" where not given; `until` is its last day."""

    address: str
    reason: str
    owner: str
    until: date
    field: str = ""
    check: str = ""
    place: Place | None = None

    def holds_on(self, day: date) -> bool:
        """Does it still excuse anything?"""
        return day <= self.until

    @property
    def title(self) -> str:
        """What tells it from others: its globs."""
        return " ".join([self.address, *filter(None, (self.field, self.check and f"check {self.check}"))])


class _Data(TypedDict, total=False):
    address: str
    field: str
    check: str
    reason: str
    owner: str
    until: str


def waivers_file(root: str) -> str:
    """Where a fleet keeps its waivers."""
    return os.path.join("" if root == "." else root, WAIVERS_FILE)


def waivers_of(root: str, today: date) -> tuple[Waiver, ...]:
    """Those of a fleet; none where it has no such file. Raises SpecError."""
    path = waivers_file(root)
    return read_waivers(path, today) if os.path.lexists(path) else ()


def read_waivers(path: str, today: date) -> tuple[Waiver, ...]:
    """Those of a file. Raises SpecError with every problem and its place."""
    waivers, found = check_waivers(path, today)
    if any(each.is_error for each in found):
        raise SpecError(
            found,
            summary=f"{path} holds errors",
            next_step="Correct the file: what it excuses is not known until then.",
        )
    return waivers


def check_waivers(path: str, today: date) -> tuple[tuple[Waiver, ...], tuple[Diagnostic, ...]]:
    """The waivers of a file that can be used, and its problems in the order of the file."""
    content = read_bytes(path)
    if isinstance(content, Diagnostic):
        return (), (content,)
    single = read_single(path, content, SCHEMA, _WORDS)
    if single.root is None:
        return (), single.diagnostics
    found = list(single.diagnostics)
    waivers: list[Waiver] = []
    known: dict[tuple[str, str, str], Waiver] = {}
    for index, data in enumerate(cast("dict[str, list[_Data]]", single.data)["waivers"]):
        node = at_pointer(single.root, f"/waivers/{index}")
        assert node is not None
        problems = list(_problems(data, node, today))
        found += problems
        if any(each.is_error for each in problems):
            continue
        waiver = _waiver(data, node)
        key = (waiver.address, waiver.field, waiver.check)
        if key in known:
            hint = f"The other one stands at {known[key].place}. Keep one of the two."
            found.append(_problem("WAV006", "the same is waived twice", node, "address", hint))
        known.setdefault(key, waiver)
        waivers.append(waiver)
    return tuple(waivers), tuple(sorted(found, key=sort_key))


def _waiver(data: _Data, node: Node) -> Waiver:
    return Waiver(
        address=data["address"].strip(),
        reason=data["reason"].strip(),
        owner=data["owner"].strip(),
        until=date.fromisoformat(data["until"]),
        field=data.get("field", ""),
        check=data.get("check", ""),
        place=node.place(),
    )


def _problems(data: _Data, node: Node, today: date) -> Iterator[Diagnostic]:
    narrow = any(
        data.get(key) and not _is_any(data[key], "a", "zz-9", "enabled") for key in ("field", "check")
    )
    if not narrow and _is_any(data["address"], "a/nvr/camera/1", "zz-9/portal/site", "m/check/web-port"):
        hint = "Name what is excused: a site, a kind, an object; or add `field` or `check`."
        yield _problem("WAV004", "this waiver excuses everything", node, "address", hint)
    if "field" in data and "check" in data:
        hint = "What a check finds has no field. Take one of the two out, or write two waivers."
        yield _problem("WAV005", "`field` and `check` never hold together", node, "check", hint)
    try:
        until = date.fromisoformat(data["until"])
    except ValueError:
        hint = "Write it as 2026-12-31."
        yield _problem("WAV001", f"there is no day {data['until']}", node, "until", hint)
        return
    latest = today + timedelta(days=LONGEST_DAYS)
    if until > latest:
        hint = f"Waivers end: write a day up to {latest}. Change the site file if it shall stay as it is."
        yield _problem("WAV002", f"{until} is more than {LONGEST_DAYS} days ahead", node, "until", hint)
    elif until < today:
        hint = "What it excused counts again. Repair it, or let its owner decide anew."
        text = f"waived until {until}, which is over"
        yield _problem("WAV003", text, node, "until", hint, severity=Severity.WARNING)


def _is_any(glob: str, *samples: str) -> bool:
    """Does a glob match whatever it may be matched with? However it is spelled."""
    return all(fnmatchcase(each, glob.strip()) for each in samples)


def _problem(
    code: str, summary: str, node: Node, key: str, hint: str, *, severity: Severity = Severity.ERROR
) -> Diagnostic:
    assert isinstance(node.value, dict)
    return Diagnostic(severity, code, summary, node.value[key].place(), hint=hint)
