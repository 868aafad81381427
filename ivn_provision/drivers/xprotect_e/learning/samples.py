"""What was seen: the recorder's files and services after each pass, and the values that stood there then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ivn_provision.drivers.xprotect_e.learning.passes import Pass, Value
from ivn_provision.drivers.xprotect_e.learning.structure import Difference, Node, differences


@dataclass(frozen=True, slots=True)
class Frame:
    """The recorder at one moment: XML files by path, and start times of services by program."""

    files: Mapping[str, Node]
    started: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Session:
    """`frames[0]` is before the first pass, `frames[n]` after pass n (counted from 1)."""

    kind: str
    passes: tuple[Pass, ...]
    frames: tuple[Frame, ...]

    def upto(self, count: int) -> Session:
        """The session after `count` passes."""
        return Session(self.kind, self.passes[:count], self.frames[: count + 1])

    @property
    def files(self) -> tuple[str, ...]:
        """Files that were there all the time: copies that a save leaves behind are not."""
        first, *others = self.frames
        return tuple(path for path in first.files if all(path in frame.files for frame in others))


@dataclass(frozen=True, slots=True)
class State:
    """One subject after one pass: the values that it has there."""

    index: int
    subject: str
    values: Mapping[str, Value]


def states(session: Session, kind: str) -> Iterator[State]:
    """Every subject of a kind after every pass in which it exists, in the order of the passes.

    Of the mail settings, which exist all the time, only what a pass has set is known.
    """
    present: dict[str, dict[str, Value]] = {}
    for index, each in enumerate(session.passes, start=1):
        if each.kind == kind and each.action in {"add", "change"}:
            present.setdefault(each.subject, {}).update(each.fields)
        elif each.kind == kind and each.action in {"remove", "restore"}:
            present.pop(each.subject, None)
        for subject, values in present.items():
            yield State(index, subject, dict(values))


def changes(session: Session, index: int, path: str) -> list[Difference]:
    """What pass `index` changed in a file."""
    return differences(session.frames[index - 1].files[path], session.frames[index].files[path])


def noise(session: Session) -> frozenset[tuple[str, str]]:
    """(file, path) of what changes although nothing was changed, or with every single pass."""
    seen: list[set[tuple[str, str]]] = []
    control: set[tuple[str, str]] = set()
    for index, each in enumerate(session.passes, start=1):
        here = {(path, diff.path) for path in session.files for diff in changes(session, index, path)}
        if each.action == "control":
            control |= here
        else:
            seen.append(here)
    always = set.intersection(*seen) if len(seen) > 3 else set()
    return frozenset(control | always)


def has_changed(before: Frame, after: Frame, known: frozenset[tuple[str, str]]) -> bool:
    """Whether a pass left anything but noise behind in files that were there before."""
    return any(
        (path, diff.path) not in known
        for path, node in before.files.items()
        if path in after.files
        for diff in differences(node, after.files[path])
    )


def restarted(session: Session) -> tuple[str, ...]:
    """Programs whose service was started anew by a real change, in the order of stopping: last started first.

    Where the product restarts nothing it loads the change by a way of its own, which an edit from outside does
    not have: the Recording Server and the Image Server then (`facts/xprotect-e.md`, 3).
    """
    found: dict[str, str] = {}
    for index, each in enumerate(session.passes, start=1):
        before, after = session.frames[index - 1].started, session.frames[index].started
        if each.action in {"add", "change", "remove"} and each.kind == session.kind:
            found |= {program: at for program, at in after.items() if at and before.get(program) != at}
    if not found:
        found = {program: "" for program in session.frames[0].started if _usual(program) in {1, 2}}
    return tuple(sorted(sorted(found, key=_usual), key=lambda program: found[program], reverse=True))


def _usual(program: str) -> int:
    """`facts/xprotect-e.md`, 11: Image Import, Image Server, Recording Server are stopped in that order."""
    names = ("imageimport", "imageserver", "recordingserver")
    return next((at for at, name in enumerate(names) if name in program.lower()), len(names))


def touched(session: Session, fields: Sequence[str]) -> tuple[str, ...]:
    """Names of the passes that set one of `fields`."""
    return tuple(
        each.name
        for each in session.passes
        if set(fields) & set(each.fields) and each.kind == session.kind and each.action != "restore"
    )


def noise_notes(session: Session, file: str) -> tuple[str, ...]:
    """Noise in a file as a line for the person who reviews."""
    found = sorted(leaf for path, leaf in noise(session) if path == file)
    return (f"changes with every save, and is left alone: {', '.join(found[:8])}",) if found else ()


def base(path: str) -> str:
    """The file's name."""
    return path.rpartition("\\")[2]
