"""Audits a fleet: every site is loaded, looked at by drivers that cannot write, judged, and reduced to its result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from ivn_provision.errors import IvnError, StateError
from ivn_provision.plan.plan import SitePlan
from ivn_provision.run.audit.gather import Gathered, broken, gathered, state_of
from ivn_provision.run.audit.history import History
from ivn_provision.run.audit.memory import Memory, SiteMemory, remembered
from ivn_provision.run.audit.record import Audit, Level, Moment, SiteAudit, SiteState
from ivn_provision.run.audit.waiving import Waiving
from ivn_provision.run.checking import check_site
from ivn_provision.run.events import Event, Observer, Step, begun
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.fleet.runners import Runner
from ivn_provision.run.side_by_side import guarded
from ivn_provision.run.targets import Opener
from ivn_provision.spec.site import Site
from ivn_provision.spec.waivers import Waiver

Load = Callable[[SiteRef], Site]
Caused = Callable[[Site, SitePlan], SitePlan]
"""Gives the differences of a site their causes, from what git knows (`run/fleet/bases.py`)."""
_ORDER = tuple(SiteState)
_LEVELS = tuple(Level)


@dataclass(frozen=True, slots=True)
class About:
    """What an audit says of itself. `selection` is "" for the whole fleet; `waivers` are by the fleet's root."""

    fleet: str
    selection: str = ""
    revision: str = ""
    dirty: bool = False
    base: str = ""
    waivers: Mapping[str, Sequence[Waiver]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def audit_fleet(
    refs: Sequence[SiteRef],
    load: Load,
    opener: Opener,
    *,
    runner: Runner,
    about: About,
    history: History | None,
    observer: Observer,
    clock: Callable[[], datetime],
    caused: Caused | None = None,
) -> Audit:
    """Every site on its own way, worst first. Writes nothing on any live system, and this audit to `history`."""
    looking = _Looking(load, opener, observer, clock, caused)
    began = clock().astimezone(UTC)
    at = moment_text(began)
    memory = history.memory(about.selection, began) if history else Memory()
    waivings = {root: Waiving(waivers, began.date()) for root, waivers in about.waivers.items()}
    nothing = Waiving((), began.date())
    sites: list[SiteAudit] = []
    known: dict[str, SiteMemory] = {}

    def look(ref: SiteRef) -> tuple[SiteRef, Gathered]:
        return ref, looking.at(ref)

    for ref, found in runner.run(look, refs):
        judged = _excused(found.audit, waivings.get(ref.root, nothing))
        audit, known[ref.name] = remembered(memory.sites.get(ref.name), judged, found.unseen, at)
        sites.append(audit)
        step = Step.FAILED if audit.trouble else Step.FINISHED
        text = "; ".join(each.summary for each in audit.trouble)
        observer.notify(Event(ref.name, step, text=text, about=audit))
    unused = [waiver.title for each in waivings.values() for waiver in _unused(each, sites, about)]
    moment = Moment(at, Counter(each.state for each in sites), sum(len(each.findings) for each in sites))
    notes = (*about.notes, *memory.notes)
    if history is not None:
        notes += _kept(history, moment, about, known, before=memory, now=clock())
    return Audit(
        at=at,
        seconds=max(0.0, (clock() - began).total_seconds()),
        fleet=about.fleet,
        selection=about.selection,
        sites=tuple(sorted(sites, key=badness)),
        revision=about.revision,
        dirty=about.dirty,
        base=about.base,
        trend=(*memory.moments, moment),
        unused_waivers=tuple(unused),
        notes=notes,
    )


def moment_text(at: datetime) -> str:
    """RFC 3339, in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class _Looking:
    """How sites are looked at."""

    load: Load
    opener: Opener
    observer: Observer
    clock: Callable[[], datetime]
    caused: Caused | None

    def at(self, ref: SiteRef) -> Gathered:
        """One site. Raises nothing: what goes wrong is what is found."""
        began = self.clock()
        found = guarded(ref.name, lambda: self._gathered(ref), lambda error: broken(ref, error))
        seconds = max(0.0, (self.clock() - began).total_seconds())
        return replace(found, audit=replace(found.audit, read_at=moment_text(began), seconds=seconds))

    def _gathered(self, ref: SiteRef) -> Gathered:
        begun(ref.name, self.observer)
        site = self.load(ref)
        checked = check_site(site, self.opener, self.observer)
        if self.caused is not None and checked.plan is not None:
            try:
                checked = replace(checked, plan=self.caused(site, checked.plan))
            except IvnError as error:  # the base has errors: what was read is told all the same
                checked = replace(checked, errors={**checked.errors, "base": error})
        return gathered(site, checked)


def _excused(audit: SiteAudit, waiving: Waiving) -> SiteAudit:
    findings = sorted(
        waiving.applied(audit.site, audit.findings),
        key=lambda each: (each.excused, _LEVELS.index(each.level), each.kind.value, each.address),
    )
    waived = replace(audit, findings=tuple(findings))
    return waived if audit.state is SiteState.INVALID else replace(waived, state=state_of(waived))


def _unused(waiving: Waiving, sites: Sequence[SiteAudit], about: About) -> tuple[Waiver, ...]:
    unread = {each.site for each in sites if each.trouble}
    seen = {each.site for each in sites} - unread
    return waiving.unused(seen, unread, whole=not about.selection)


def _kept(
    history: History,
    moment: Moment,
    about: About,
    known: Mapping[str, SiteMemory],
    *,
    before: Memory,
    now: datetime,
) -> tuple[str, ...]:
    """Adds this audit; an audit that cannot be kept is still an audit."""
    try:
        history.add(
            moment, about.selection, known, only_these=not about.selection, before=before.sites, now=now
        )
    except StateError as error:
        return (f"this audit is not remembered: {error.summary}",)
    return ()


def badness(audit: SiteAudit) -> tuple[int, int, int, str]:
    """Worst first: by state, then by what counts, then by name."""
    counted = [each for each in audit.findings if not each.excused]
    errors = sum(each.level is Level.ERROR for each in counted)
    return _ORDER.index(audit.state), -errors, -len(counted), audit.site
