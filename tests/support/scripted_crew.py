"""A crew that does nothing but fail where a test says so: the engine of plays alone, without any target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ivn_provision.errors import Unreachable
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.play.engine import Play
from ivn_provision.run.play.memory import Memory
from ivn_provision.run.play.outcome import PlayOutcome
from ivn_provision.run.play.reading import read_playbook
from ivn_provision.run.play.standing import Result
from ivn_provision.run.play.starting import begin, reopen
from ivn_provision.run.play.task import Task
from ivn_provision.run.play.waves import in_waves
from ivn_provision.run.state import StateFolder
from ivn_provision.run.watching import Time
from ivn_provision.spec.playbook import Do, Step

PLAY = "20261124T000000Z-00000001"


@dataclass
class FakeTime:
    """A clock that only a wait moves. `waited` are seconds."""

    at: datetime = datetime(2026, 11, 24, tzinfo=UTC)
    waited: float = 0.0

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.waited += seconds
        self.at += timedelta(seconds=seconds)


@dataclass
class Scripted:
    """`fails` names sites by the word of the work (`apply`, `proof`, `rollback`). `did` is what was asked for, in order.

    Sites are worked on one after the other. `person` approves pauses, "" for nobody. A webhook is reached if `reached`.
    """

    fails: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unchanged: Sequence[str] = ()
    person: str = ""
    reached: bool = True
    did: list[str] = field(default_factory=list)
    told: list[PlayOutcome] = field(default_factory=list)

    def work(self, task: Task) -> None:
        run = f"run-{len(self.did)}"
        if task.what is Do.APPLY:
            task.begun(run)
        for ref in task.sites:
            if not task.may_begin(ref.name):
                task.keep(Result(ref.name, held=True))
                continue
            self.did.append(f"{task.what.value} {ref.name}")
            task.keep(self._result(task, ref, run))

    def _result(self, task: Task, ref: SiteRef, run: str) -> Result:
        failed = ref.name in self.fails.get(task.what.value, ())
        if task.what.value == "rollback":
            return Result(ref.name, back=not failed, failed=failed, stuck=failed)
        if task.what is not Do.APPLY:
            return Result(ref.name, failed=failed)
        changed = not failed and ref.name not in self.unchanged
        return Result(ref.name, failed=failed, applied=True, changed=changed, run=run if changed else "")

    def notify(self, step: Step, at: str, outcome: PlayOutcome) -> None:
        self.did.append(f"notify {at}")
        self.told.append(outcome)
        if not self.reached:
            raise Unreachable("the webhook cannot be reached")

    def report(self, step: Step, outcome: PlayOutcome) -> None:
        self.did.append(f"report {step.file}")
        self.told.append(outcome)

    def approve(self, step: Step, outcome: PlayOutcome) -> str:
        del step, outcome
        return self.person


@dataclass
class Stage:
    """Plays of one playbook text over sites `s1`, `s2`, ..."""

    folder: Path
    text: str
    count: int
    time: FakeTime = field(default_factory=FakeTime)
    said: list[str] = field(default_factory=list)

    @property
    def state(self) -> StateFolder:
        return StateFolder(self.folder / ".ivn", b"k" * 32)

    def play(self, crew: Scripted, *, resume: bool = False, approve: str = "") -> PlayOutcome:
        """From the beginning, or on from where it came to."""
        file = self.folder / "playbook.yml"
        file.write_text(self.text, encoding="utf-8")
        read = read_playbook(str(file), {}, PLAY)
        refs = [SiteRef(f"s{number + 1}", f"s{number + 1}.yml", ".") for number in range(self.count)]
        waves = in_waves(refs, read.playbook.waves)
        memory = self._memory(resume=resume)
        if memory is None:
            memory = begin(self.state, PLAY, self.time.now, read, waves, fleet="sites")
        try:
            clock = Time(self.time.now, self.time.sleep)
            return Play(
                read, waves, memory, crew, clock, lambda _, text: self.said.append(text), approved_by=approve
            ).go()
        finally:
            memory.close()

    def _memory(self, *, resume: bool) -> Memory | None:
        return reopen(self.state, PLAY, self.time.now)[1] if resume else None


class Killed(BaseException):
    """In the place of a SIGKILL."""
