"""One write on a recorder: the steps of its request, and what to say of it afterwards.

Every step that changes something carries its undo, and every check stands behind the last change: if a step
fails, the recorder is put back as it was, in the same remote process. The backup stays on the recorder: it
holds recoverable passwords.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ivn_provision.drivers.base import Hold
from ivn_provision.drivers.xprotect_e.agent_link import Answer, Reply, Step, failure
from ivn_provision.drivers.xprotect_e.layout import CONFIGURATION, Layout, Logs
from ivn_provision.drivers.xprotect_e.reading import EDITOR
from ivn_provision.drivers.xprotect_e.windows_write import WindowsSteps
from ivn_provision.drivers.xprotect_e.xml_document import Splice
from ivn_provision.errors import Conflict, IvnError, PartlyApplied, Refused, TargetError
from ivn_provision.plan.plan import Action, Change

SERVICE_SECONDS = 60
STABLE_SECONDS = 3
_MUTATING = ("service_control", "write_files", "service_config", "firewall_rule")


@dataclass(frozen=True, slots=True)
class Guard:
    """How a write is held and undone later. `hold` is None where nobody took the lease before.

    `after_seconds`: the recorder undoes it by itself then; 0 for never.
    """

    id: str
    run: str
    hold: Hold | None = None
    after_seconds: int = 0

    def lease(self) -> list[Step]:
        """Renews the lease, and finds out that somebody else has it."""
        return [lease_step(self.hold)] if self.hold else []

    def revert(
        self, folder: str, stop: Sequence[str], start: Sequence[str], also: Sequence[Step]
    ) -> list[Step]:
        """Keeps what undoes the write, before it is made."""
        if not self.id:
            return []
        step = {
            "verb": "arm_revert",
            "id": self.id,
            "run": self.run,
            "from": folder,
            "stop": list(stop),
            "start": list(start)[::-1],
            "also": list(also),
            "after_seconds": self.after_seconds,
        }
        return [step]


def lease_step(hold: Hold) -> Step:
    """Takes or renews the recorder's lease."""
    return {"verb": "take_lease", "owner": hold.owner, "run": hold.run, "seconds": hold.seconds}


@dataclass(frozen=True, slots=True)
class Write:
    """What is to be written: edits by file, hashes of the files as they were read, services to restart.

    `services` are in the order of stopping; `starts` are these, and those that should have run but did not:
    an earlier run that was killed may have left them so. `check` is a last step, or none.
    """

    folder: str
    splices: Mapping[str, Sequence[Splice]]
    hashes: Mapping[str, str]
    services: Sequence[str]
    starts: Sequence[str]
    logs: Logs | None = None
    check: Step | None = None
    windows: WindowsSteps = field(default_factory=WindowsSteps)
    guard: Guard = Guard("", "")


def write_steps(write: Write) -> list[Step]:
    """The request, in the order of DESIGN: check, keep, stop, write, start, look."""
    paths = list(write.splices)
    base = [{"path": path, "sha256": write.hashes[path.lower()]} for path in paths]
    written = [{"path": path, "sha256": "written"} for path in paths]
    return [
        *write.guard.lease(),
        {"verb": "require_not_running", "names": [EDITOR]},
        {"verb": "require_unchanged", "files": base},
        {
            "verb": "backup",
            "to": write.folder,
            "paths": paths,
            "folders": [CONFIGURATION.rpartition("\\")[0]],
        },
        *write.guard.revert(write.folder, write.services, write.starts, write.windows.undo()),
        *write.windows.before,
        *_logs("mark_logs", write.logs),
        *_control("stop", write.services, undo="start"),
        {"verb": "require_not_running", "names": [EDITOR]},
        {
            "verb": "require_unchanged",
            "files": base,
        },  # the undo of a refused write must not put back older bytes
        {
            "verb": "write_files",
            "files": [_file(path, write) for path in paths],
            "record": write.folder,
            "undo": [{"verb": "restore", "from": write.folder}],
        },
        *_control("start", write.starts, undo="stop"),
        *write.windows.starts,
        *_running(write.starts),
        *_logs("require_clean_logs", write.logs),
        {"verb": "require_unchanged", "files": written},
        *([write.check] if write.check else []),
        *write.windows.after,
    ]


def _file(path: str, write: Write) -> Step:
    return {
        "path": path,
        "base_sha256": write.hashes[path.lower()],
        "splices": [
            [each.offset, each.length, base64.b64encode(each.data).decode("ascii")]
            for each in write.splices[path]
        ],
    }


def _control(action: str, services: Sequence[str], *, undo: str) -> list[Step]:
    """Stops in the order given, starts in the other."""
    if not services:
        return []
    return [{**_service_step(action, services), "undo": [_service_step(undo, services)]}]


def _service_step(action: str, services: Sequence[str]) -> Step:
    names = list(services) if action == "stop" else list(services)[::-1]
    return {
        "verb": "service_control",
        "action": action,
        "names": names,
        "timeout_seconds": SERVICE_SECONDS,
    }


def _running(services: Sequence[str]) -> list[Step]:
    if not services:
        return []
    return [{"verb": "require_running", "names": list(services), "stable_seconds": STABLE_SECONDS}]


def _logs(verb: str, logs: Logs | None) -> list[Step]:
    if logs is None:
        return []
    step: dict[str, Any] = {"verb": verb, "folder": logs.folder, "pattern": logs.pattern}
    return [step if verb == "mark_logs" else {**step, "error_pattern": logs.error_pattern}]


def to_restart(layout: Layout, changes: Sequence[Change], services: Sequence[Mapping[str, Any]]) -> list[str]:
    """Running services that read what changes, in the order of stopping, found by their program."""
    return _reading(layout, changes, [each for each in services if each["state"] == "Running"])


def to_start(layout: Layout, changes: Sequence[Change], services: Sequence[Mapping[str, Any]]) -> list[str]:
    """The same, and those that Windows should have started by itself."""
    wanted = [each for each in services if each["state"] == "Running" or each.get("start_mode") == "Auto"]
    return _reading(layout, changes, wanted)


def _reading(layout: Layout, changes: Sequence[Change], services: Sequence[Mapping[str, Any]]) -> list[str]:
    wanted = {program.lower() for change in changes for program in _programs(layout, change)}
    found = []
    for program in layout.restart:
        found += [
            str(each["name"])
            for each in services
            if program.lower() in wanted and f"\\{program.lower()}" in str(each["path"]).lower()
        ]
    return list(dict.fromkeys(found))


def _programs(layout: Layout, change: Change) -> Sequence[str]:
    kind = layout.kinds.get(change.address.kind)
    if kind is None:
        return ()
    if change.action is not Action.UPDATE:
        return kind.restart
    fields = [kind.fields[each.name] for each in change.fields if each.name in kind.fields]
    return [
        program for field in fields for program in (kind.restart if field.restart is None else field.restart)
    ]


_STAGES = {
    "stop": "not all services stopped",
    "start": "the services did not start with the change",
    "require_not_running": "the Management Application was opened meanwhile",
    "write_files": "the change could not be written",
    "require_running": "the services did not take the change",
    "require_clean_logs": "the recording server reports an error after the change",
    "require_unchanged": "the recorder wrote its file anew when it started",
    "require_http": "the image server does not show all cameras after the change",
    "service_config": "Windows did not take a service's start mode",
    "firewall_rule": "Windows did not take a firewall rule",
}


def outcome(steps: Sequence[Step], reply: Reply, folder: str) -> IvnError | None:
    """What to say of a write: None if it was made, and every check after it held."""
    at = next((at for at, answer in enumerate(reply.steps) if not answer.get("ok")), None)
    if at is None:
        return None
    error = failure(reply.steps)
    assert error is not None
    if all(step["verb"] not in _MUTATING for step in steps[: at + 1]):
        return error
    why = f"{_STAGES.get(_stage(steps[at]), 'a step failed')} ({_said(reply.steps[at])})"
    if left := [answer for answer in reply.undone if not answer.get("ok")]:
        return _half_undone(why, left, folder)
    wrote = any(step["verb"] == "write_files" for step in steps[:at])
    return _undone(_stage(steps[at]), why, error, wrote=wrote)


def _stage(step: Step) -> str:
    return str(step.get("action", step["verb"]))


def _said(answer: Answer) -> str:
    return str((answer.get("error") or {}).get("message", ""))


def _undone(stage: str, why: str, error: TargetError, *, wrote: bool) -> TargetError:
    if not wrote and isinstance(error, Conflict):
        return Conflict(
            "the recorder's configuration changed since it was read; nothing was written, and the services run again",
            where=error.where,
            next_step=error.next_step,
        )
    return Refused(
        f"{why}; the recorder is as it was",
        where=error.where,
        next_step=_NEXT.get(stage, "look at the recorder's log and services, then plan again"),
    )


_NEXT = {
    "require_not_running": "close the Management Application on the recorder, then run apply again",
    "write_files": "look at free space and rights on the recorder, then run apply again",
    "require_unchanged": "this version does not take changes of its file: do it by hand, and report the version",
    "require_http": "look at the camera in the Management Application, then plan again",
}


def _half_undone(why: str, left: Sequence[Answer], folder: str) -> PartlyApplied:
    """An undo failed too: say which, and where the files of before are."""
    verbs = {str(each["verb"]) for each in left}
    what = []
    if "restore" in verbs:
        what.append("not all files could be put back")
    if "service_control" in verbs:
        what.append("not all services run as before")
    rest = " and ".join(what) or "not everything could be undone"
    return PartlyApplied(
        f"{why}, and when it was undone {rest}: {_said(left[0])}",
        where=str((left[0].get("error") or {}).get("path", "")),
        next_step="look at the Milestone services on the recorder now: all must run, restarted since"
        + (f"; the files of before are in {folder}" if folder else ", then plan again"),
    )
