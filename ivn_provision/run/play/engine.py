"""A play: waves of sites, the steps of each, its gates, its soak; and the end when too many sites fail.

What the journal of the play knows is not done again: a play that was killed goes the same way once more, and takes
from the journal what was done before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from threading import RLock

from ivn_provision.errors import Interrupted, IvnError, PersonNeeded, StateError
from ivn_provision.run.events import Event, Wave
from ivn_provision.run.events import Step as Does
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.journal_lines import stamp
from ivn_provision.run.play.memory import Memory, moment
from ivn_provision.run.play.outcome import Note, PlayOutcome, Standing
from ivn_provision.run.play.reading import ReadPlaybook
from ivn_provision.run.play.same_files import Files, check_same
from ivn_provision.run.play.standing import Result, SiteStanding, after
from ivn_provision.run.play.task import Back, Crew, Task
from ivn_provision.run.play.waves import Verdict, too_many, verdict
from ivn_provision.run.watching import Time
from ivn_provision.spec.playbook import OF_WAVE, Do, Gate, OnFailure, Step

TICK_SECONDS = 1.0
"""Between two looks at whether a soak is over, or somebody stops it."""
_ONCE = frozenset({Gate.ACCEPTANCE})
"""Gates that are not judged a second time after a soak: they fire alarms."""


class _TooMany(Exception):
    """More sites failed than may."""


@dataclass(slots=True)
class Play:
    """One play. `tell` gets a line for people as things begin, with the number of the wave from 1 (0: none);
    `notify` the begin and the end of each wave; `files` reads what the sites' files are now, where that is to be watched."""

    read: ReadPlaybook
    waves: tuple[tuple[SiteRef, ...], ...]
    memory: Memory
    crew: Crew
    time: Time
    tell: Callable[[int, str], None]
    stopping: Callable[[], bool] = lambda: False
    approved_by: str = ""
    notify: Callable[[Event], None] = lambda _: None
    files: Callable[[], Files] | None = None
    _sites: dict[str, SiteStanding] = field(default_factory=dict, init=False)
    _refs: dict[str, SiteRef] = field(default_factory=dict, init=False)
    _notes: list[Note] = field(default_factory=list, init=False)
    _lock: RLock = field(default_factory=RLock, init=False)
    _wave_now: int = field(default=0, init=False)

    def go(self) -> PlayOutcome:
        """To the end, or to where a person is needed. Raises StateError if it cannot be written down."""
        for number, wave in enumerate(self.waves):
            self._sites |= {ref.name: SiteStanding(ref.name, number + 1) for ref in wave}
            self._refs |= {ref.name: ref for ref in wave}
        standing, error = self._waves()
        if standing in {Standing.PAUSED, Standing.INTERRUPTED}:
            return self.outcome(standing, error)
        self._at_the_end(standing, error)
        self.memory.end(standing.value)
        return self.outcome(standing, error)

    def outcome(self, standing: Standing = Standing.RUNNING, error: IvnError | None = None) -> PlayOutcome:
        """As it stands."""
        with self._lock:
            sites = tuple(self._sites.values())
        names = tuple(tuple(ref.name for ref in wave) for wave in self.waves)
        playbook = self.read.playbook.name
        return PlayOutcome(
            self.memory.play, playbook, standing, names, self._wave_now, sites, tuple(self._notes), error
        )

    def _waves(self) -> tuple[Standing, IvnError | None]:
        try:
            for number in range(len(self.waves)):
                self._told(number)
        except _TooMany:
            return Standing.FAILED, None
        except StateError:
            raise
        except Interrupted as error:
            return Standing.INTERRUPTED, error
        except PersonNeeded as error:
            return Standing.PAUSED, error
        except IvnError as error:
            return Standing.STOPPED, error
        return Standing.DONE, None

    def _told(self, number: int) -> None:
        wave = Wave(number + 1, len(self.waves), len(self.waves[number]))
        self.notify(Event("", Does.WAVE_STARTED, about=wave))
        try:
            self._wave(number)
        finally:
            self.notify(Event("", Does.WAVE_ENDED, about=wave))

    def _wave(self, number: int) -> None:
        playbook = self.read.playbook
        self._wave_now = number + 1
        for index, step in enumerate(playbook.steps):
            self._step(number, f"{number}/steps/{index}", step)
        self._gates(number, "gates", playbook.gates)
        is_last = number == len(self.waves) - 1
        if playbook.soak and not is_last and any(each.is_changed for each in self._of(number)):
            self._as_begun()
            self._soak(f"{number}/soak", playbook.soak)
            self._gates(number, "soaked", [each for each in playbook.gates if each not in _ONCE])

    def _step(self, number: int, at: str, step: Step) -> None:
        self._may_go_on()
        condition = self.read.condition(step)
        chosen = [
            each.name
            for each in self._of(number)
            if not each.held and condition.holds(self._refs[each.name], each)
        ]
        if step.do in OF_WAVE:
            if chosen or not step.when:
                self._once(at, step)
            return
        self._on_sites(number, at, step.do, chosen, step)
        self._judge(number, at)

    def _gates(self, number: int, part: str, gates: Iterable[Gate]) -> None:
        """Of the sites that were applied, or of all where the playbook applies nothing."""
        applies = any(step.do is Do.APPLY for step in self.read.playbook.steps)
        for gate in gates:
            self._may_go_on()
            at = f"{number}/{part}/{gate}"
            names = [
                each.name
                for each in self._of(number)
                if not each.failed and not each.held and (each.applied if applies else each.begun)
            ]
            self._on_sites(number, at, gate, names)
            self._judge(number, at)

    def _on_sites(
        self, number: int, at: str, what: Do | Gate | Back, names: Sequence[str], step: Step | None = None
    ) -> None:
        """Do it where the journal does not say that it is done. Raises Interrupted."""
        known = self.memory.results(at)
        for name in names:
            if name in known:
                self._take(known[name])
        left = [name for name in names if name not in known]
        if not left:
            return
        if what is not Back.BACK:  # what is to go back does so, whatever the files say
            self._as_begun()
        count = f"{len(left)} site{'s' if len(left) != 1 else ''}"
        word = f"gate {what}" if isinstance(what, Gate) else step.title if step else "rollback"
        self.tell(number + 1, f"{word}: {count}")
        self.crew.work(self._task(at, what, left, step))
        if any(name not in self.memory.results(at) for name in left):
            raise self._interrupted()

    def _task(self, at: str, what: Do | Gate | Back, names: Sequence[str], step: Step | None) -> Task:
        def keep(result: Result) -> None:
            self.memory.keep(at, result)
            self._take(result)

        is_step = step is not None
        return Task(
            what,
            tuple(self._refs[name] for name in names),
            keep,
            (lambda _: not self._is_over()) if is_step else (lambda _: True),
            lambda run: self.memory.begun(at, run),
            self.memory.runs(at),
            step,
            {name: self._sites[name].runs for name in names},
        )

    def _take(self, result: Result) -> None:
        with self._lock:
            self._sites[result.site] = after(self._sites[result.site], result)

    def _is_over(self) -> bool:
        with self._lock:
            failed = sum(each.failed for each in self._sites.values())
        return too_many(failed, len(self._sites), self.read.playbook.max_failures)

    def _judge(self, number: int, at: str) -> None:
        """Put back what must go back, and end the play if too many sites failed."""
        playbook = self.read.playbook
        failed = sum(each.failed for each in self._sites.values())
        judged = verdict(failed, len(self._sites), playbook.max_failures, playbook.on_failure)
        if playbook.on_failure is OnFailure.ROLLBACK:
            back = [
                each.name
                for each in self._of(number)
                if each.is_changed and not each.stuck and (each.failed or judged is Verdict.ROLLBACK)
            ]
            self._on_sites(number, f"{at}/back", Back.BACK, back)
        if judged is not Verdict.GO_ON:
            raise _TooMany

    def _once(self, at: str, step: Step) -> None:
        if self.memory.mark("done", at) is not None:
            return
        if step.do is Do.PAUSE:
            self._pause(at, step)
            return
        self.tell(self._wave_now, step.title)
        problem = self._done(at, step, self.outcome())
        if problem is not None and step.required:
            raise PersonNeeded(
                f"{step.title}: {problem.summary}",
                where=f"wave {self._wave_now}",
                next_step=f"when it can be told: ivn-provision play --resume {self.memory.play}",
            ) from problem

    def _done(self, at: str, step: Step, outcome: PlayOutcome) -> IvnError | None:
        """A notify or report. What it could not do is noted."""
        problem = None
        try:
            if step.do is Do.NOTIFY:
                self.crew.notify(step, at, outcome)
            else:
                self.crew.report(step, outcome)
        except IvnError as error:
            problem = error
            self._notes.append(Note(at, f"{step.title}: {error.summary}"))
        if problem is None or not step.required:
            self.memory.set_mark("done", at, problem.summary if problem else "")
        return problem

    def _pause(self, at: str, step: Step) -> None:
        """Raises PersonNeeded if nobody approves: the play waits, and nothing is undone."""
        if self.memory.mark("paused", at) is None:
            self.memory.set_mark("paused", at, step.message)
        elif self.approved_by:
            self.memory.set_mark("done", at, self.approved_by)
            self.approved_by = ""  # one approval is for one pause
            return
        self.tell(self._wave_now, f"pause: {step.message}")
        who = self.crew.approve(step, self.outcome())
        if not who:
            raise PersonNeeded(
                f"the play waits for a person: {step.message}",
                where=f"wave {self._wave_now}",
                next_step=f"when that is so: ivn-provision play --resume {self.memory.play} --approve",
            )
        self.memory.set_mark("done", at, who)

    def _soak(self, at: str, seconds: int) -> None:
        """Wait, as long as is left of it. A clock that is set back lengthens nothing. Raises Interrupted."""
        until = self.memory.mark("soak", at)
        if until is None:
            until = stamp(self.time.now() + timedelta(seconds=seconds))
            self.memory.set_mark("soak", at, until)
        left = (moment(until) - self.time.now()).total_seconds()
        if left > 0:
            self.tell(self._wave_now, f"soak: until {until}")
        for _ in range(int(seconds / TICK_SECONDS) + 2):
            self._may_go_on()
            left = (moment(until) - self.time.now()).total_seconds()
            if left <= 0:
                return
            self.time.sleep(min(left, TICK_SECONDS))

    def _at_the_end(self, standing: Standing, error: IvnError | None) -> None:
        for index, step in enumerate(self.read.playbook.finally_):
            condition = self.read.condition(step)
            wanted = any(condition.holds(self._refs[each.name], each) for each in self._sites.values())
            at = f"finally/{index}"
            if (wanted or not step.when) and self.memory.mark("done", at) is None:
                self.tell(0, step.title)
                self._done(at, step, self.outcome(standing, error))

    def _of(self, number: int) -> list[SiteStanding]:
        with self._lock:
            return [self._sites[ref.name] for ref in self.waves[number]]

    def _may_go_on(self) -> None:
        if self.stopping():
            raise self._interrupted()

    def _as_begun(self) -> None:
        """Raises PersonNeeded where the files of the sites are others now."""
        if self.files is not None:
            check_same(self.memory, self.files(), self._wave_now)

    def _interrupted(self) -> Interrupted:
        return Interrupted(
            "the play was stopped",
            where=f"wave {self._wave_now}",
            next_step=f"`ivn-provision play --resume {self.memory.play}` goes on with it",
        )
