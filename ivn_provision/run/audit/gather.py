"""One site, looked at by drivers that cannot write -> what an audit says of it, and what it could not see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from ivn_provision.errors import DeadlineExceeded, IvnError, SpecError, Unreachable
from ivn_provision.model.declared_places import target_place
from ivn_provision.model.kinds import KINDS
from ivn_provision.model.resource import Address
from ivn_provision.run.audit.drifting import Declared, drift_findings, open_finding
from ivn_provision.run.audit.names import finding_id
from ivn_provision.run.audit.record import Finding, FindingKind, Level, SiteAudit, SiteState, Trouble
from ivn_provision.run.checking import Checked
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.spec.site import Site
from ivn_provision.verify.result import Result, State

_LEVELS = {State.FAIL: Level.ERROR, State.WARN: Level.WARNING}


@dataclass(frozen=True, slots=True)
class Unseen:
    """What an audit could not look at: earlier findings of it are not gone. By rule (`whats`), by `ids`, or all."""

    everything: bool = False
    whats: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()

    def hides(self, id_: str, what: str) -> bool:
        """Might this finding still be there?"""
        return self.everything or what in self.whats or id_.partition(".")[0] in self.ids


@dataclass(frozen=True, slots=True)
class Gathered:
    """One site, before waivers and earlier audits are looked at: state, `since` and `first_seen` are not final."""

    audit: SiteAudit
    unseen: Unseen = Unseen()


def gathered(site: Site, checked: Checked) -> Gathered:
    """What was found. The site is not kept."""
    declared = Declared(site)
    drift: tuple[Finding, ...] = ()
    unknown: tuple[Address, ...] = ()
    questions: list[Finding] = []
    if checked.plan is not None:
        drift, unknown = drift_findings(checked.plan, declared, checked.results)
        questions = [open_finding(each, declared) for each in checked.plan.open]
    shown = {each.address for each in drift}
    checks = [each for each in checked.results if each.state in _LEVELS and each.found.differs not in shown]
    findings = (*drift, *_distinct(_check_finding(each, declared) for each in checks), *questions)
    audit = SiteAudit(
        site=site.name,
        path=site.path,
        state=SiteState.CLEAN,
        groups=site.groups,
        labels=dict(site.labels),
        network=site.network,
        products=tuple(f"{each.product} {each.version}".strip() for each in checked.facts),
        findings=findings,
        checks=Counter(each.state.value for each in checked.results),
        as_declared=checked.plan.unchanged if checked.plan else 0,
        attested=sum(not each.is_open for each in checked.plan.unverified) if checked.plan else 0,
        trouble=troubles(checked.errors),
    )
    return Gathered(replace(audit, state=state_of(audit)), _unseen(site, checked, unknown))


def broken(ref: SiteRef, error: IvnError) -> Gathered:
    """A site of which nothing was looked at: its file has errors, or all of it failed."""
    trouble: tuple[Trouble, ...] = (trouble_of(error),)
    if isinstance(error, SpecError):
        trouble = (*_places(error), *trouble)[:20]
    state = SiteState.INVALID if isinstance(error, SpecError) else _state_of_error(error.__class__.__name__)
    audit = SiteAudit(
        site=ref.name,
        path=ref.path,
        state=state,
        groups=ref.groups,
        labels=dict(ref.labels),
        network=ref.network,
        trouble=trouble,
    )
    return Gathered(audit, Unseen(everything=True))


def state_of(audit: SiteAudit) -> SiteState:
    """The gravest that holds. A site that cannot be read is never clean, whatever else was seen of it."""
    troubles = {_state_of_error(each.kind) for each in audit.trouble}
    for state in (SiteState.UNREACHABLE, SiteState.ERROR):
        if state in troubles:
            return state
    counted = [each for each in audit.findings if not each.excused]
    kinds = {each.kind for each in counted}
    drift = [each.cause for each in counted if each.kind is FindingKind.DRIFT]
    if any(cause.is_drift for cause in drift):
        return SiteState.DRIFT
    if any(each.kind is FindingKind.CHECK and each.level is Level.ERROR for each in counted):
        return SiteState.FAILING
    if FindingKind.OPEN in kinds:
        return SiteState.OPEN
    if drift:
        return SiteState.UNAPPLIED
    return SiteState.WAIVED if len(counted) < len(audit.findings) else SiteState.CLEAN


def troubles(errors: Mapping[str, IvnError]) -> tuple[Trouble, ...]:
    """One for each target that could not be read."""
    return tuple(trouble_of(each) for each in errors.values())


def trouble_of(error: IvnError) -> Trouble:
    """An error as an audit keeps it."""
    return Trouble(type(error).__name__, error.summary, error.where, error.next_step)


def _places(error: SpecError) -> Iterator[Trouble]:
    for each in error.diagnostics:
        if each.is_error:
            yield Trouble(each.code, each.summary, str(each.place or ""), each.hint)


def _state_of_error(kind: str) -> SiteState:
    unreachable = kind in {Unreachable.__name__, DeadlineExceeded.__name__}
    return SiteState.UNREACHABLE if unreachable else SiteState.ERROR


def _check_finding(result: Result, declared: Declared) -> Finding:
    found = result.found
    address = _address(result)
    about = f"{found.subject}: " if found.subject and address is None else ""
    return Finding(
        id=_check_id(result),
        kind=FindingKind.CHECK,
        what=result.check,
        level=_LEVELS[result.state],
        title=f"{about}{found.evidence}",
        address=str(address) if address is not None else "",
        remedy=found.remedy,
        refs=result.refs,
        place=declared.place(address) if address else target_place(declared.site, result.target),
    )


def _check_id(result: Result) -> str:
    return finding_id(result.site, FindingKind.CHECK, result.check, result.found.subject)


def _distinct(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Each id once: a check may say two things of one subject; they are one finding then."""
    found: dict[str, Finding] = {}
    for each in findings:
        other = found.get(each.id)
        if other is None:
            found[each.id] = each
        elif other.title != each.title:
            level = Level.ERROR if Level.ERROR in {other.level, each.level} else other.level
            found[each.id] = replace(other, level=level, title=f"{other.title}; {each.title}")
    yield from found.values()


def _address(result: Result) -> Address | None:
    """The object that a result is about, if it is about one."""
    for text in (result.found.differs, result.found.subject):
        try:
            address = Address.parse(text)
        except ValueError:
            continue
        if address.site == result.site and address.kind in KINDS:
            return address
    return None


def _unseen(site: Site, checked: Checked, unknown: Iterable[Address]) -> Unseen:
    whats = {
        f"{kind}/{each.name}"
        for each in KINDS.values()
        if each.target in checked.errors
        for kind in (FindingKind.DRIFT, FindingKind.OPEN)
    }
    if checked.plan is None and not checked.errors:
        return Unseen(everything=True)
    blind = [each for each in checked.results if each.state is State.INCONCLUSIVE]
    whats |= {each.check for each in blind if not each.found.subject}
    ids = {_check_id(each) for each in blind if each.found.subject}
    ids |= {
        finding_id(site.name, FindingKind.DRIFT, f"drift/{each.kind}", f"{each} update") for each in unknown
    }
    return Unseen(whats=frozenset(whats), ids=frozenset(ids))
