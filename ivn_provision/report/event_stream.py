"""An observer that writes every event as a line of JSON at once, from any thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import RLock
from typing import Any

from ivn_provision.diagnostics import Diagnostic
from ivn_provision.errors import Interrupted, IvnError
from ivn_provision.model.resource import Address
from ivn_provision.plan.plan import Action, SitePlan
from ivn_provision.report.checks_json import checks_json
from ivn_provision.report.events_json import (
    Message,
    audit_messages,
    change_messages,
    diagnostic_messages,
    error_messages,
    line,
    message,
    planned_counts,
    resource,
    summary_message,
    target_resource,
    version_message,
)
from ivn_provision.report.site_ends import End, end_of, says
from ivn_provision.run.audit.record import SiteAudit
from ivn_provision.run.checking import Checked
from ivn_provision.run.events import ENDS, Event, Step, Wave
from ivn_provision.run.outcomes import SiteOutcome
from ivn_provision.run.verifying import Verified

_SIMPLE: dict[Step, tuple[str, str]] = {
    Step.PROVING: ("proof_start", "Reading again, for the proof"),
    Step.PROVEN: ("proof_complete", "Proven: as declared"),
    Step.REVERTING: ("revert_start", "Putting back what was written"),
    Step.REVERTED: ("revert_complete", "Put back"),
    Step.FIRING: ("alarm_fired", "Fired"),
    Step.ARRIVED: ("alarm_arrived", "Arrived"),
}
_ING = {Action.CREATE: "Creating", Action.UPDATE: "Modifying", Action.DELETE: "Destroying"}
_DONE = {Action.CREATE: "Creation", Action.UPDATE: "Modifications", Action.DELETE: "Destruction"}


@dataclass(slots=True)
class _Site:
    """What is known of a site that is worked on."""

    began: datetime
    actions: dict[Address, Action] = field(default_factory=dict)
    writing: dict[Address, datetime] = field(default_factory=dict)


class EventStream:
    """`write` gets whole lines with their ends; it may raise OSError, and is not called again then.

    `clock` gives the time with its zone. `command` is what the user called: of `drift` differences are findings, not
    intents; an apply shows them when it has planned them, the others at a site's end.
    """

    def __init__(self, write: Callable[[str], None], clock: Callable[[], datetime], *, command: str) -> None:
        self._write, self._clock, self._command = write, clock, command
        self._lock = RLock()
        self._sites: dict[str, _Site] = {}
        self._ends: Counter[End] = Counter()
        self._changes: Counter[str] = Counter()
        self._began = clock()
        self.closed = False
        self._begun = False

    def is_closed(self) -> bool:
        """Has the reader gone?"""
        return self.closed

    def begin(self, sites: int, run: str = "") -> None:
        """The first line."""
        with self._lock:
            self._begun = True
            self._say(version_message(self._command, sites, run))

    def notify(self, event: Event) -> None:
        """See Observer."""
        with self._lock:
            if event.step is Step.STARTED and self.closed:
                raise Interrupted(
                    "nobody reads the events any more: no further site was begun",
                    where=event.site,
                    next_step="look with `ivn-provision drift`",
                )
            for each in self._messages(event):
                self._say(each)

    def beat(self) -> None:
        """To be called every ten seconds: what is being written still is."""
        with self._lock:
            for site in self._sites.values():
                for address, since in site.writing.items():
                    seconds, action = self._since(since), site.actions.get(address, Action.UPDATE)
                    text = f"{address}: Still {_ING.get(action, 'Replacing').lower()}... [{seconds}s elapsed]"
                    hook = self._hook(address, action, elapsed_seconds=seconds)
                    self._say(message("apply_progress", text, hook=hook, ivn=_where(address)))

    def fail(self, error: IvnError) -> None:
        """An error of the run, of no one site."""
        with self._lock:
            if not self._begun:
                self.begin(0)
            for each in error_messages(error, ""):
                self._say(each)

    def diagnose(self, found: Sequence[Diagnostic]) -> None:
        """Problems of files that are of no one site."""
        with self._lock:
            for each in diagnostic_messages(found, ""):
                self._say(each)

    def end(self, exit_code: int) -> None:
        """The last line, after the totals of what was planned or applied; nothing if no line was the first."""
        with self._lock:
            if not self._begun:
                return
            changes = {name: self._changes[name] for name in ("add", "change", "remove")}
            if self._command in {"plan", "drift", "apply"}:
                self._say(summary_message(changes, "apply" if self._command == "apply" else "plan"))
            total = self._ends.total()
            counts = {each.value: self._ends[each] for each in End if self._ends[each]}
            words = ", ".join(f"{self._ends[each]} {says(each)}" for each in End if self._ends[each])
            text = f"{total} site{'' if total == 1 else 's'}: {words}" if total else "No site was begun"
            run = {"exit_code": exit_code, "elapsed_seconds": self._since(self._began), "sites": counts}
            self._say(message("run_complete", text, run=run))

    def _messages(self, event: Event) -> Iterator[Message]:
        site = self._sites.setdefault(event.site, _Site(self._clock()))
        if event.step is Step.STARTED:
            self._sites[event.site] = _Site(self._clock())
            yield message("site_start", f"{event.site}: Started", ivn={"site": event.site})
        elif event.step in {Step.READING, Step.READ}:
            yield _refresh(event)
        elif event.step is Step.PLANNED and isinstance(event.about, SitePlan):
            yield from self._planned(event.about, site)
        elif event.step is Step.WRITING:
            yield from self._writing(event, site)
        elif event.step is Step.WRITTEN:
            yield from self._written(site, event.addresses, "apply_complete", "complete after")
        elif event.step in ENDS:
            yield from self._ended(event, self._sites.pop(event.site))
        elif isinstance(event.about, Wave):
            self._sites.pop(event.site, None)
            yield _wave(event, event.about)
        else:
            kind, text = _SIMPLE.get(event.step, ("log", str(event.step)))
            said = f"{event.site}: {text} {event.text}".strip()
            more = {"text": event.text} if event.text else {}
            yield message(kind, said, ivn={"site": event.site, **more})

    def _planned(self, plan: SitePlan, site: _Site) -> Iterator[Message]:
        site.actions = {each.address: each.action for each in plan.changes}
        yield from change_messages(plan, drift=self._command == "drift")

    def _writing(self, event: Event, site: _Site) -> Iterator[Message]:
        for address in event.addresses:
            site.writing[address] = self._clock()
            action = site.actions.get(address, Action.UPDATE)
            text = f"{address}: {_ING.get(action, 'Replacing')}..."
            yield message("apply_start", text, hook=self._hook(address, action), ivn=_where(address))

    def _written(
        self, site: _Site, addresses: tuple[Address, ...], kind: str, words: str
    ) -> Iterator[Message]:
        for address in addresses:
            seconds = self._since(site.writing.pop(address, self._clock()))
            action = site.actions.get(address, Action.UPDATE)
            text = f"{address}: {_DONE.get(action, 'Replacement')} {words} {seconds}s"
            hook = self._hook(address, action, elapsed_seconds=seconds)
            yield message(kind, text, hook=hook, ivn=_where(address))

    def _ended(self, event: Event, site: _Site) -> Iterator[Message]:
        yield from self._written(site, tuple(site.writing), "apply_errored", "errored after")
        about = event.about
        if isinstance(about, (Checked, Verified)):
            for one in checks_json(_results(about)):
                text = f"{event.site}: {one['state']}: {one['check']} {one['evidence']}"
                yield message("check_result", text, check=one, ivn={"site": event.site})
        if isinstance(about, SiteAudit):
            yield from audit_messages(about)
        if isinstance(about, SiteOutcome):
            yield from self._outcome(about, site)
        error = about if isinstance(about, IvnError) else getattr(about, "error", None)
        if isinstance(error, IvnError):
            yield from error_messages(error, event.site)
        end = end_of(event)
        self._ends[end] += 1
        seconds = self._since(site.began)
        ivn: dict[str, Any] = {"site": event.site, "outcome": end.value, "elapsed_seconds": seconds}
        if event.step is Step.SKIPPED and event.text:
            ivn["text"] = event.text
        yield message("site_complete", f"{event.site}: {says(end)} after {seconds}s", ivn=ivn)

    def _outcome(self, outcome: SiteOutcome, site: _Site) -> Iterator[Message]:
        if self._command == "apply":
            done = [each.address for each in outcome.outcomes if each.status == "done"]
            for address in done if not outcome.reverted else ():
                self._changes.update(_TOTALS[site.actions.get(address, Action.UPDATE)])
        elif outcome.plan is not None:
            yield from self._planned(outcome.plan, site)
            self._changes.update(planned_counts([outcome.plan]))

    def _hook(self, address: Address, action: Action, **more: Any) -> Message:
        return {"resource": resource(address), "action": action.value, **more}

    def _since(self, began: datetime) -> int:
        return max(0, int((self._clock() - began).total_seconds()))

    def _say(self, said: Message) -> None:
        if self.closed:
            return
        stamp = self._clock().isoformat(timespec="microseconds").replace("+00:00", "Z")
        try:
            self._write(line(said, stamp) + "\n")
        except OSError:
            self.closed = True


_TOTALS = {
    Action.CREATE: ("add",),
    Action.UPDATE: ("change",),
    Action.DELETE: ("remove",),
    Action.REPLACE: ("add", "remove"),
}


def _where(address: Address) -> Message:
    return {"site": address.site, "target": address.target}


def _refresh(event: Event) -> Message:
    kind, words = (
        ("refresh_start", "Reading...") if event.step is Step.READING else ("refresh_complete", "Read")
    )
    hook = {"resource": target_resource(event.site, event.target)}
    ivn = {"site": event.site, "target": event.target}
    return message(kind, f"{event.site}/{event.target}: {words}", hook=hook, ivn=ivn)


def _wave(event: Event, wave: Wave) -> Message:
    kind, word = (
        ("wave_start", "started") if event.step is Step.WAVE_STARTED else ("wave_complete", "complete")
    )
    about = {"name": wave.name, "number": wave.number, "of": wave.of, "sites": wave.sites}
    name = f" {wave.name}" if wave.name else ""
    text = f"Wave {wave.number} of {wave.of}{name} ({wave.sites} sites) {word}"
    return message(kind, text, ivn={"wave": about, **({"text": event.text} if event.text else {})})


def _results(about: Checked | Verified) -> tuple[Any, ...]:
    if isinstance(about, Checked):
        return about.results
    return about.acceptance.results if about.acceptance is not None else ()
