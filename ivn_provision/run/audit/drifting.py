"""The differences of a plan as findings: one for each object, with what the checks know of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ivn_provision.diagnostics import Place
from ivn_provision.model.declared_places import field_place, section_place
from ivn_provision.model.desired import desired_of
from ivn_provision.model.kinds import KINDS
from ivn_provision.model.resource import Address, Resource
from ivn_provision.plan.plan import Action, Change, FieldChange, SitePlan, Unverified
from ivn_provision.plan.values_json import is_unknown
from ivn_provision.run.audit.names import finding_id
from ivn_provision.run.audit.record import Cause, FieldDiff, Finding, FindingKind, Level
from ivn_provision.spec.site import Site
from ivn_provision.verify.drift import shown
from ivn_provision.verify.result import Result, State

LONGEST = 1000
"""Of a value, in characters: a mail's text is shown, a runaway one is not."""
_WORDS = {
    Action.CREATE: "is missing",
    Action.UPDATE: "differs",
    Action.REPLACE: "differs, and must be made anew",
    Action.DELETE: "is there and not declared",
}
_SAME = {Action.REPLACE: Action.UPDATE}
"""A difference that needs a replacement is the same finding as one that does not."""


class Declared:
    """What a site declares, and where."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._resources: Mapping[Address, Resource] = desired_of(site).resources

    def place(self, address: Address, field: str = "") -> Place:
        """Of a field, an object, or the list where the object would stand."""
        resource = self._resources.get(address)
        if resource is None:
            return section_place(self.site, address)
        if field:
            return field_place(self.site, resource, field)
        return self.site.places.place(resource.pointer)


def drift_findings(
    plan: SitePlan, declared: Declared, results: Sequence[Result]
) -> tuple[tuple[Finding, ...], tuple[Address, ...]]:
    """Findings, and the objects of which something could not be compared: it is not known what they should be."""
    known: dict[str, list[Result]] = {}
    for result in results:
        if result.found.differs and result.state in {State.FAIL, State.WARN}:
            known.setdefault(result.found.differs, []).append(result)
    found, unknown = [], []
    for address, action, fields in _objects(plan.changes):
        sure = (
            fields if action is not Action.UPDATE else [each for each in fields if not is_unknown(each.after)]
        )
        if len(sure) < len(fields):
            unknown.append(address)
        if sure or action is not Action.UPDATE:
            found.append(_finding(address, action, sure, declared, known.get(str(address), [])))
    return tuple(found), tuple(unknown)


def _objects(changes: Iterable[Change]) -> Iterator[tuple[Address, Action, list[FieldChange]]]:
    """The changes of each object as one: what the tool does and what a person must do are one difference."""
    grouped: dict[Address, list[Change]] = {}
    for change in changes:
        grouped.setdefault(change.address, []).append(change)
    for address, parts in grouped.items():
        whole = next((each.action for each in parts if each.action is not Action.UPDATE), Action.UPDATE)
        yield address, whole, [field for each in parts for field in each.fields if _differs(each, field)]


def _differs(change: Change, field: FieldChange) -> bool:
    return change.action is not Action.REPLACE or field.forces_replacement or field.before != field.after


def _finding(
    address: Address,
    action: Action,
    fields: Sequence[FieldChange],
    declared: Declared,
    results: Sequence[Result],
) -> Finding:
    what = f"drift/{address.kind}"
    about = f"{address} {_SAME.get(action, action)}"
    field = fields[0].name if fields and action in {Action.UPDATE, Action.REPLACE} else ""
    return Finding(
        id=finding_id(address.site, FindingKind.DRIFT, what, about),
        kind=FindingKind.DRIFT,
        what=what,
        level=Level.NOTE if cause_of(fields) is Cause.NOT_APPLIED else _level(results),
        title=f"{_named(address)} {_WORDS[action]}",
        address=str(address),
        action=action.value,
        fields=tuple(
            FieldDiff(each.name, said(each.before), said(each.after), each.cause) for each in fields
        ),
        remedy=_remedy(results),
        refs=tuple(dict.fromkeys(ref for each in results for ref in each.refs)),
        place=declared.place(address, field),
        cause=cause_of(fields),
    )


def cause_of(fields: Sequence[FieldChange | FieldDiff]) -> Cause:
    """Of the whole: what all its fields have, both where they differ, unknown where one is."""
    causes = {each.cause for each in fields}
    if not causes or Cause.UNKNOWN in causes:
        return Cause.UNKNOWN
    return causes.pop() if len(causes) == 1 else Cause.BOTH


def _level(results: Sequence[Result]) -> Level:
    """A warning only where every check that knows of it says no more; what no check knows may matter."""
    if results and all(each.state is State.WARN for each in results):
        return Level.WARNING
    return Level.ERROR


def _remedy(results: Sequence[Result]) -> str:
    ordered = sorted(results, key=lambda each: each.state is not State.FAIL)
    said = list(dict.fromkeys(each.found.remedy for each in ordered if each.found.remedy))
    return ". ".join(said) or "`ivn-provision plan` shows what would be done"


def open_finding(question: Unverified, declared: Declared) -> Finding:
    """A field that reading does not show, and for which nobody vouches."""
    address = question.address
    what = f"open/{address.kind}"
    title = f"{question.name} of {_named(address)} is not confirmed: {question.standing}"
    return Finding(
        id=finding_id(address.site, FindingKind.OPEN, what, f"{address} {question.name}"),
        kind=FindingKind.OPEN,
        what=what,
        level=Level.NOTE,
        title=title,
        address=str(address),
        fields=(FieldDiff(question.name, "not shown", said(question.value)),),
        remedy=". ".join(
            filter(None, (question.reason, "`ivn-provision runbook` says how, `apply --attest` records it"))
        ),
        place=declared.place(address, question.name),
    )


def said(value: object) -> str:
    """A value for people, of bounded length; no secret."""
    text = shown(value)  # type: ignore[arg-type]  # every value of a plan
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"


def _named(address: Address) -> str:
    title = KINDS[address.kind].title if address.kind in KINDS else address.kind
    return f"{title} {address.key}" if address.key else title
