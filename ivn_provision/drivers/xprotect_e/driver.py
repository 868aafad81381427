"""The `xprotect_e` driver: XProtect Professional / Enterprise, read and written through the agent.

Reading is one remote process (`reading.py`). Writing is one more, and is undone there if a check fails
(`writing.py`). What can be read and written at all is said by a layout; without one, all is by hand.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from ivn_provision.drivers.base import Hold, Outcome
from ivn_provision.drivers.xprotect_e.agent_link import AgentLink, Answer, Reply, Step, failure
from ivn_provision.drivers.xprotect_e.edit import splices_for
from ivn_provision.drivers.xprotect_e.holding import (
    STEPS,
    held_by_another,
    holding_of,
    is_held_by_another,
    notes_of,
)
from ivn_provision.drivers.xprotect_e.image_server import Login, camera_check, observations
from ivn_provision.drivers.xprotect_e.layout import Layout
from ivn_provision.drivers.xprotect_e.layout_set import Layouts
from ivn_provision.drivers.xprotect_e.live import resources_of
from ivn_provision.drivers.xprotect_e.reading import Reading, question_of, understood
from ivn_provision.drivers.xprotect_e.windows import windows_facts, windows_resources
from ivn_provision.drivers.xprotect_e.windows_seen import (
    Clocks,
    WindowsAsked,
    windows_seen,
    windows_steps,
)
from ivn_provision.drivers.xprotect_e.windows_write import WindowsSteps, is_windows, windows_write_steps
from ivn_provision.drivers.xprotect_e.writing import (
    Guard,
    Write,
    lease_step,
    outcome,
    to_restart,
    to_start,
    write_steps,
)
from ivn_provision.drivers.xprotect_e.xml_document import Splice, parse
from ivn_provision.drivers.xprotect_e.xml_edit import apply_splices
from ivn_provision.errors import PartlyApplied, Refused, RevertFired
from ivn_provision.model.live import Facts, Live
from ivn_provision.plan.plan import Change, Observation, Unverified, Work

BACKUPS = r"C:\ProgramData\ivn-provision\backups"
NOTHING_ASKED = WindowsAsked()
_GONE_OFF = frozenset({"reverted", "left", "failed"})
SHORTEST_REVERT = 30
"""Seconds that the agent takes at least for a revert with a time."""


class XProtectReader:
    """Reads a recorder. `product` is what the site file says it is; `logins` are tried at its image server.

    `asked` are the declared ports; without a `clock` the recorder's is not compared.
    """

    target = "nvr"

    def __init__(
        self,
        site: str,
        product: str,
        link: AgentLink,
        *,
        layouts: Layouts | None = None,
        logins: Sequence[Login] = (),
        asked: WindowsAsked = NOTHING_ASKED,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.site = site
        self.endpoint = link.endpoint
        self._product = product
        self._link = link
        self._layouts = layouts or Layouts.packaged()
        self._logins = tuple(logins)
        self._asked, self._clock = asked, clock
        self._seen: Reading | None = None
        self._also: tuple[Step, ...] = ()
        self._also_answers: tuple[Answer, ...] = ()

    def ask_also(self, steps: Sequence[Step]) -> None:
        """Steps that the reading takes along in its one remote process, each for itself. Before `probe`."""
        self._also = tuple(steps)

    def also(self) -> tuple[Answer, ...]:
        """The answers to `ask_also`."""
        self._reading()
        return self._also_answers

    def reading(self) -> Reading:
        """All that one reading gave, for checks."""
        return self._reading()

    def probe(self) -> Facts:
        return self._reading().facts

    def layout(self) -> Layout | None:
        """The layout of the recorder's version, None if none is known."""
        return self._reading().layout

    def read(self) -> Live:
        reading = self._reading()
        found = resources_of(reading.store, reading.layout, self.site) if reading.layout else ()
        below = windows_resources(reading.windows, self.site) if reading.windows else ()
        return Live((*found, *below), {})

    def observe(self, questions: Sequence[Unverified]) -> tuple[Observation, ...]:
        """Passwords of declared basic users, by a login that the reading made on the way."""
        return observations(questions, self._reading().logins)

    def close(self) -> None:
        self._seen = None

    def _reading(self) -> Reading:
        if self._seen is None:
            self._seen = self._read_once()
        return self._seen

    def _read_once(self) -> Reading:
        key = base64.b64encode(secrets.token_bytes(32)).decode("ascii")
        is_loopback = self._link.is_loopback
        question = question_of(self._product, self._layouts, self._logins, key, lab=is_loopback)
        before = self._now()
        always = windows_steps(self._asked)
        reply = self._link.call(question.steps(), [*always, *STEPS, *self._also])
        clocks = Clocks(before, self._now())
        reading = understood(question, reply.steps, self._layouts, is_loopback=is_loopback)
        seen = windows_seen(
            self._asked, reading.answers["facts"], reading.services, reply.always[: len(always)], clocks
        )
        self._also_answers = tuple(reply.always[len(always) + len(STEPS) :])
        held = reply.always[len(always) : len(always) + len(STEPS)]
        facts = windows_facts(reading.facts, seen)
        facts = replace(facts, holding=holding_of(held), notes=(*facts.notes, *notes_of(held)))
        return replace(reading, windows=seen, facts=facts)

    def _now(self) -> datetime | None:
        return self._clock() if self._clock else None


class XProtectWriter(XProtectReader):
    """Reads and writes a recorder. Only the lab's files are edited without `file_edits`."""

    def __init__(
        self,
        site: str,
        product: str,
        link: AgentLink,
        *,
        run_id: Callable[[], str],
        file_edits: bool = False,
        layouts: Layouts | None = None,
        logins: Sequence[Login] = (),
        asked: WindowsAsked = NOTHING_ASKED,
        clock: Callable[[], datetime] | None = None,
        writes_before: int = 0,
    ) -> None:
        super().__init__(site, product, link, layouts=layouts, logins=logins, asked=asked, clock=clock)
        self._run_id = run_id
        self._file_edits = file_edits
        self._writes = writes_before
        self._hold: Hold | None = None
        self._first_write: datetime | None = None

    def hold(self, hold: Hold) -> None:
        """The recorder's lease, judged by its own clock; each write renews it. Raises LeaseHeld.

        Raises RevertFired where a revert of this very run, which is to stay armed, has gone off meanwhile.
        """
        reply = self._link.call([lease_step(hold)], STEPS, writes=True)
        if _code(reply) == "locked_by_agent":
            self._tell_who_writes(hold.run)
        self._raise(reply)
        reverts = holding_of(reply.always).reverts
        if hold.revert_seconds and any(each.run == hold.run and each.state in _GONE_OFF for each in reverts):
            raise self._fired()
        self._hold = hold

    def release(self, run: str, *, stays: bool = True) -> None:
        """One request: the run's reverts are disarmed, then its lease is dropped. Raises RevertFired."""
        disarm = {"verb": "disarm_revert", "run": run, **({"unless_fired": True} if stays else {})}
        reply = self._link.call([disarm, {"verb": "drop_lease", "run": run}], writes=True)
        if _code(reply) == "fired":
            raise self._fired()
        self._raise(reply)
        self._hold = self._first_write = self._seen = None

    def _fired(self) -> RevertFired:
        return RevertFired(
            f"the recorder of {self.site} has put the earlier state back by itself, or tried to",
            endpoint=self.endpoint,
            next_step="look with `ivn-provision status`; `resume RUN` ends the run",
        )

    def put_back(self, run: str) -> bool:
        """The agent restores the files of before, byte by byte, where nobody changed them since."""
        self._seen = None
        reply = self._link.call([{"verb": "revert", "run": run}], STEPS, writes=True)
        self._raise(reply)
        mine = [each for each in holding_of(reply.always).reverts if each.run == run]
        if failed := next((each for each in mine if each.state == "failed"), None):
            raise PartlyApplied(
                f"the recorder could not put everything back: {failed.detail}",
                where=failed.id,
                next_step="look at the Milestone services on the recorder now: all must run",
            )
        return bool(mine) and all(each.state == "reverted" for each in mine)

    def _tell_who_writes(self, run: str) -> None:
        """A request that changes something bars all others meanwhile. Raises LeaseHeld if a lease says whose."""
        reply = self._link.call([{"verb": "lease"}])
        if is_held_by_another(reply.steps[0], run):
            raise held_by_another(self.site, self.endpoint, reply.steps[0])

    def _raise(self, reply: Reply) -> None:
        if _code(reply) == "leased":
            raise held_by_another(self.site, self.endpoint, reply.always[0] if reply.always else {})
        if error := failure(reply.steps):
            raise error

    def check(self, changes: Sequence[Change]) -> None:
        """Editing the product's files is for those who say that they want it: no vendor document allows it."""
        layout = self._reading().layout
        edits = [each for each in changes if not is_windows(each)]
        if edits and layout and not layout.lab_only and not self._file_edits:
            raise Refused(
                f"{len(edits)} change(s) edit files of XProtect, which the vendor does not document",
                where=str(edits[0].address),
                next_step="read docs/how-to/your-first-real-recorder.md, then give --unsupported-file-edit",
            )

    def apply(self, work: Work) -> tuple[Outcome, ...]:
        """One remote process for all changes. Raises before any write if the files are not the ones read."""
        reading = self._reading()
        layout = reading.layout
        files = replace(work, changes=tuple(each for each in work.changes if not is_windows(each)))
        windows = windows_write_steps(work.changes, work.desired)
        splices = splices_for(reading.store, layout, files) if layout else {}
        if layout and splices:
            _stays_xml(reading, splices)
            self._seen = None
            self._write(reading, layout, splices, files, windows)
        elif steps := windows.alone():
            self._seen = None
            self._writes += 1
            guard = self._guard()
            guarded = [*guard.lease(), *guard.revert("", [], [], windows.undo()), *steps]
            self._send(guarded, folder="")
        return tuple(Outcome(change.address, "done") for change in work.changes)

    def _write(
        self,
        reading: Reading,
        layout: Layout,
        splices: Mapping[str, Sequence[Splice]],
        work: Work,
        windows: WindowsSteps,
    ) -> None:
        self._writes += 1
        cameras = [each for each in resources_of(reading.store, layout, self.site) if each.kind == "camera"]
        write = Write(
            folder=f"{BACKUPS}\\{self._run_id()}-{self._writes}",
            splices=splices,
            hashes=reading.hashes,
            services=to_restart(layout, work.changes, reading.services),
            starts=to_start(layout, work.changes, reading.services),
            logs=layout.logs,
            check=camera_check(reading.logins, cameras, work),
            windows=windows,
            guard=self._guard(),
        )
        self._send(write_steps(write), write.folder)

    def _guard(self) -> Guard:
        """The revert of this write: its time counts from the run's first one."""
        return Guard(f"{self._run_id()}-{self._writes}", self._run_id(), self._hold, self._revert_seconds())

    def _revert_seconds(self) -> int:
        seconds, now = self._hold.revert_seconds if self._hold else 0, self._now()
        if not seconds or now is None:
            return seconds
        self._first_write = self._first_write or now
        passed = int((now - self._first_write).total_seconds())
        return max(SHORTEST_REVERT, seconds - passed) if passed > 0 else seconds

    def _send(self, steps: Sequence[Step], folder: str) -> None:
        reply = self._link.call(steps, [{"verb": "lease"}], writes=True)
        if _code(reply) == "leased":
            raise held_by_another(self.site, self.endpoint, reply.always[0])
        if error := outcome(steps, reply, folder):
            raise error


def _code(reply: Reply) -> str:
    """The code of the step that failed, "" for none."""
    failed = next((each for each in reply.steps if not each.get("ok")), {})
    return str((failed.get("error") or {}).get("code", ""))


def _stays_xml(reading: Reading, splices: Mapping[str, Sequence[Splice]]) -> None:
    """Never write what cannot be read back."""
    for path, edits in splices.items():
        document = reading.store.document(path)
        assert document is not None
        parse(apply_splices(document.raw, edits), path=path)
