"""A learning session: leads a person through the passes and looks at the recorder after each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from ivn_provision.drivers.xprotect_e.layout import KindLayout
from ivn_provision.drivers.xprotect_e.learning.explain import References, Target
from ivn_provision.drivers.xprotect_e.learning.findings import KindFinding
from ivn_provision.drivers.xprotect_e.learning.infer import infer_objects
from ivn_provision.drivers.xprotect_e.learning.infer_single import infer_single
from ivn_provision.drivers.xprotect_e.learning.objects import Spot, named
from ivn_provision.drivers.xprotect_e.learning.passes import SINGLE, Camera, Pass, passes_for
from ivn_provision.drivers.xprotect_e.learning.remote import CONFIGURATION, Machine
from ivn_provision.drivers.xprotect_e.learning.samples import Frame, Session, has_changed, noise
from ivn_provision.drivers.xprotect_e.learning.structure import Node, below, leaves
from ivn_provision.errors import Refused


class Technician(Protocol):
    """Whoever works in the Management Application: a person at a prompt, or the lab."""

    def make(self, each: Pass, number: int, total: int) -> bool:
        """Have a pass made and saved; False if it is skipped (only an optional one can be)."""
        ...

    def close(self) -> None:
        """Have the Management Application closed: it is open."""
        ...

    def again(self, each: Pass) -> None:
        """Say that nothing changed: the pass is to be made (or saved) once more."""
        ...

    def seen(self, each: Pass, changed: Sequence[str]) -> None:
        """Show which files the pass changed."""
        ...


@dataclass(slots=True)
class Learning:
    """State of a session. `left` are the objects that stand on the recorder and must be removed by hand."""

    machine: Machine
    technician: Technician
    frames: list[Frame] = field(default_factory=list)
    done: list[Pass] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)

    def run(self, kind: str, token: str, known: Mapping[str, KindLayout], *, file: str = "") -> KindFinding:
        """All passes of a kind, then what they teach. Raises TargetError; `left` is right in every case."""
        self.frames.append(self._frame())
        configuration = _configuration(self.frames[0])
        cameras = _cameras(configuration)
        _ready(kind, cameras, known)
        passes = passes_for(kind, token, [Camera(each.name, each.address) for each in cameras])
        finding: KindFinding | None = None
        for number, each in enumerate(passes, start=1):
            if each.action == "restore":
                finding = infer_single(self.session(kind), file=file)
            former = finding.former if finding else each.fields
            self._one(replace(each, fields=former), number, len(passes))
        if kind in SINGLE and finding is not None:
            return finding
        return infer_objects(self.session(kind), self._references(cameras, known), file=file)

    def session(self, kind: str) -> Session:
        return Session(kind, tuple(self.done), tuple(self.frames))

    def _one(self, each: Pass, number: int, total: int) -> None:
        if each.action == "add":
            self.left[each.subject] = f"{each.kind} {each.key!r}"
        while True:
            if not self.technician.make(each, number, total):
                return
            frame = self._frame()
            if each.action in {"control", "restore"} or has_changed(
                self.frames[-1], frame, self._noise(each)
            ):
                break
            self.technician.again(each)
        self.technician.seen(each, _changed(self.frames[-1], frame))
        self.frames.append(frame)
        self.done.append(each)
        if each.action == "remove":
            self.left.pop(each.subject, None)
        elif "name" in each.fields:
            self.left[each.subject] = f"{each.kind} {each.fields['name']!r}"

    def _noise(self, each: Pass) -> frozenset[tuple[str, str]]:
        """What the control pass changed: too few passes were made to know more."""
        return noise(Session(each.kind, tuple(self.done[:1]), tuple(self.frames[:2])))

    def _frame(self) -> Frame:
        while (frame := self.machine.frame()) is None:
            self.technician.close()
        return frame

    def _references(self, cameras: Sequence[Channel], known: Mapping[str, KindLayout]) -> References:
        events = {
            str(each.fields["name"]): target
            for index, each in enumerate(self.done, start=1)
            if each.action == "add" and (layout := known.get(each.kind)) is not None
            if (target := _target(self.frames[index], layout, str(each.fields["name"]))) is not None
        }
        return References(
            device={each.address: Target(each.device, each.device_name) for each in cameras},
            camera={each.name: Target(each.guid, each.name) for each in cameras},
            event=events,
        )


def _configuration(frame: Frame) -> Node:
    found = next((node for path, node in frame.files.items() if path.lower() == CONFIGURATION.lower()), None)
    if found is None:
        raise Refused(
            "there is no XProtect Professional or Enterprise configuration on this machine",
            where=CONFIGURATION,
            next_step="check nvr.connect.host and nvr.product",
        )
    return found


def product_of(frame: Frame) -> tuple[str, str]:
    """Product and version as the recorder's configuration states them (`facts/xprotect-e.md`, 2.2)."""
    root = _configuration(frame)
    texts = [leaves(root).get(f"ProductInfo/{name}", ("",))[0].strip() for name in _PRODUCT]
    return texts[0], texts[1]


_PRODUCT = ("ProductName", "ProductVersion")


@dataclass(frozen=True, slots=True)
class Channel:
    """A camera and its device, by published names (`facts/xprotect-e.md`, 2.2)."""

    name: str
    guid: str
    address: str
    device: str
    device_name: str


def _cameras(root: Node) -> list[Channel]:
    """The first camera of each device: two of different devices tell more than two of one."""
    found: dict[str, Channel] = {}
    for device in below(root, "Devices/*"):
        for camera in below(device, "Cameras/*"):
            each = Channel(
                name=_text(camera, "DisplayName"),
                guid=_text(camera, "Guid"),
                address=_text(device, "IPAddress"),
                device=_text(device, "Guid"),
                device_name=_text(device, "DisplayName"),
            )
            if each.name and each.guid and each.address and each.device:
                found.setdefault(each.address, each)
    return list(found.values())


def _text(node: Node, name: str) -> str:
    return next((each.text.strip() for each in node.children if each.tag == name), "")


def _ready(kind: str, cameras: Sequence[object], known: Mapping[str, KindLayout]) -> None:
    if kind in {"hardware_event", "alarm"} and not cameras:
        raise Refused(
            "the recorder has no camera, and an input event needs one", next_step="add hardware first"
        )
    missing = [each for each in ("hardware_event", "generic_event") if each not in known]
    if kind == "alarm" and missing:
        raise Refused(
            f"an alarm points at events, and it is not known yet how this recorder keeps them: {', '.join(missing)}",
            next_step=f"learn {missing[0]} first",
        )


def _target(frame: Frame, layout: KindLayout, name: str) -> Target | None:
    root = frame.files.get(layout.file)
    node = named(root, Spot(layout.file, layout.items, layout.name), name) if root else None
    if node is None:
        return None
    return Target(leaves(node).get(layout.handle, ("",))[0].strip(), name)


def _changed(before: Frame, after: Frame) -> list[str]:
    return [path for path, node in after.files.items() if before.files.get(path) != node]
