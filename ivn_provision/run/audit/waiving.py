"""Waivers -> findings: which are excused, by whom and until when, and which waivers excuse nothing. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from fnmatch import fnmatchcase, translate

from ivn_provision.model.targets import family
from ivn_provision.run.audit.drifting import cause_of
from ivn_provision.run.audit.names import part_id
from ivn_provision.run.audit.record import Cause, FieldDiff, Finding, FindingKind, Level, Waived
from ivn_provision.spec.waivers import Waiver

TARGETS = frozenset({"nvr", "portal", "camera", "check"})
"""First parts of globs without a site."""


class Waiving:
    """The waivers of one fleet on one day, and which of them matched something. Not for several threads."""

    def __init__(self, waivers: Sequence[Waiver], today: date) -> None:
        self._today = today
        holding = sorted(waivers, key=lambda each: each.until, reverse=True)  # the one that holds longest
        self._waivers = [(each, _matcher(each.address)) for each in holding]
        self._used: set[Waiver] = set()

    def applied(self, site: str, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """The findings of a site with what excuses them; one of which only some fields are waived becomes two."""
        return tuple(part for each in findings for part in self._judged(site, each))

    def unused(self, seen: Collection[str], unseen: Collection[str], *, whole: bool) -> tuple[Waiver, ...]:
        """Those that matched nothing, as far as that is known: `seen` sites were looked at, `unseen` ones were
        not or not wholly, and unless the audit was `whole` there are others."""
        idle = (each for each, _ in self._waivers if each not in self._used)
        decided = [each for each in idle if _is_decided(each, seen, unseen, whole=whole)]
        return tuple(sorted(decided, key=lambda each: (str(each.place), each.title)))

    def _judged(self, site: str, finding: Finding) -> Iterator[Finding]:
        shapes = _shapes(site, finding)
        about = [
            each for each, matches in self._waivers if any(map(matches, shapes)) and _is_of(each, finding)
        ]
        whole = next((each for each in about if not each.field), None)
        if whole is not None and whole.holds_on(self._today):
            yield self._with(finding, whole)
            return
        parts = _parts(finding, [each for each in about if each.field])
        if len(parts) == 1 and None not in parts:
            ((waiver, _),) = parts.items()
            yield self._with(finding, waiver or whole)
            return
        for waiver, fields in parts.items():
            if waiver is None:
                yield self._with(_part(finding, fields), whole)
            else:
                names = tuple(each.name for each in fields)
                part = replace(_part(finding, fields), id=part_id(finding.id, names))
                yield self._with(part, waiver)

    def _with(self, finding: Finding, waiver: Waiver | None) -> Finding:
        if waiver is None:
            return finding
        self._used.add(waiver)
        expired = not waiver.holds_on(self._today)
        waived = Waived(waiver.reason, waiver.owner, waiver.until.isoformat(), expired=expired)
        return replace(finding, waiver=waived)


def _part(finding: Finding, fields: tuple[FieldDiff, ...]) -> Finding:
    """The finding of some of its fields: what caused these, and how bad that is."""
    if not fields:
        return finding
    cause = cause_of(fields)
    level = Level.NOTE if cause is Cause.NOT_APPLIED else finding.level
    return replace(finding, fields=fields, cause=cause, level=level)


def _parts(finding: Finding, waivers: Sequence[Waiver]) -> dict[Waiver | None, tuple[FieldDiff, ...]]:
    """The fields of a finding by the waiver that excuses each; None for the rest, which comes first."""
    found: dict[Waiver | None, tuple[FieldDiff, ...]] = {None: ()}
    for field in finding.fields:
        waiver = next((each for each in waivers if fnmatchcase(field.name, each.field)), None)
        found[waiver] = (*found.get(waiver, ()), field)
    if not found[None] and len(found) > 1:
        del found[None]
    return found


def _is_of(waiver: Waiver, finding: Finding) -> bool:
    """Is it about this kind of finding at all?"""
    if waiver.check:
        return finding.kind is FindingKind.CHECK and fnmatchcase(finding.what, waiver.check)
    if waiver.field:
        if finding.kind is FindingKind.CHECK or finding.action in {"create", "delete"}:
            return False  # a whole object is no matter of one field
        return any(fnmatchcase(each.name, waiver.field) for each in finding.fields)
    return True


def _shapes(site: str, finding: Finding) -> tuple[str, str]:
    """Both ways to name it; what a check found of no object is `SITE/check/ID`."""
    whole = finding.address or f"{site}/check/{finding.what}"
    return whole, whole.partition("/")[2]


def _matcher(glob: str) -> Callable[[str], bool]:
    pattern = re.compile(translate(glob))
    return lambda text: pattern.match(text) is not None


def _is_decided(waiver: Waiver, seen: Collection[str], unseen: Collection[str], *, whole: bool) -> bool:
    """Could it have matched nothing that was not looked at?"""
    first = waiver.address.partition("/")[0]
    if re.search(r"[*?\[]", first) or family(first) in TARGETS:
        return whole and not unseen
    return first in seen or (whole and first not in unseen)
