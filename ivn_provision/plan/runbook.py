"""What a person has to do on a site, in the order in which a person goes. Pure: a plan and screens in, steps out.

Secrets stand in it as references, never as values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ivn_provision.diagnostics import Place
from ivn_provision.model.kinds import KINDS
from ivn_provision.model.resource import Address, Value
from ivn_provision.plan.plan import Action, Change, SitePlan, TargetFacts, Unverified
from ivn_provision.plan.runbook_words import Names, was_text, words_of
from ivn_provision.plan.screens import UNDOCUMENTED, Control, Exercise, Screens, Section, Way

READING = "by reading: the next `drift` or `apply` sees it"
READING_OR_ATTEST = "by reading, where a layout of the recorder's version is known; else you attest it"
LOGIN = "by a login at the recorder, which the tool tries itself; else you attest it"
MAIL = "by the next mail that the portal receives; else you attest it"
ATTEST = "you attest it: nothing can show it from outside"
EYES = ""
_SEEN = {"login": LOGIN, "mail": MAIL}


@dataclass(frozen=True, slots=True)
class Box:
    """One thing to set, and a box to tick. `was` is what is there now, where that is known."""

    field: str
    label: str
    value: str
    verified: str
    was: str = ""
    note: str = ""
    requirements: tuple[str, ...] = ()
    standing: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One visit to a dialog. `lines` are what to do there where no field is set."""

    title: str
    action: str
    go_to: str
    dialog: str
    boxes: tuple[Box, ...] = ()
    lines: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    address: Address | None = None
    declared_at: Place | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Runbook:
    """All steps of a site. `complete` says that it lists everything declared, not just what is open."""

    site: str
    program: str
    steps: tuple[Step, ...]
    facts: tuple[TargetFacts, ...] = ()
    notes: tuple[str, ...] = ()
    complete: bool = False

    @property
    def usual(self) -> str:
        """How most of it is verified: said once, not at every box."""
        return READING_OR_ATTEST if self.complete else READING


def open_runbook(plan: SitePlan, screens: Screens) -> Runbook:
    """What a plan leaves to a person: manual changes, and fields that nobody vouches for yet."""
    writer = _Writer(screens, Names(plan.desired))
    steps = [writer.change(each) for each in plan.changes if each.manual]
    asked: dict[Address, list[Unverified]] = {}
    for each in plan.open:
        asked.setdefault(each.address, []).append(each)
    steps += [writer.confirm(address, fields) for address, fields in asked.items()]
    behind = [each for each in plan.changes if each.blocked_by is not None]
    notes = tuple(f"The tool makes {each.address} once {each.blocked_by} is there." for each in behind)
    return Runbook(plan.site, screens.program, writer.arranged(steps), plan.facts, (*plan.notes, *notes))


def whole_runbook(
    plan: SitePlan, screens: Screens, places: Mapping[Address, Place | None] | None = None
) -> Runbook:
    """Everything that is declared of the recorder, as a person would set it where nothing is managed."""
    writer = _Writer(screens, Names(plan.desired))
    known = {(each.address, each.name): each for each in plan.unverified}
    steps = [
        writer.whole(address, fields, (places or {}).get(address), known)
        for address, fields in plan.desired.items()
        if address.target == "nvr"
    ]
    return Runbook(plan.site, screens.program, writer.arranged(steps), plan.facts, plan.notes, complete=True)


@dataclass(frozen=True, slots=True)
class _Writer:
    screens: Screens
    names: Names

    def change(self, change: Change) -> Step:
        section = self.screens.section(change.address.kind)
        way, action = _way(section, change.action)
        fields = () if change.action is Action.DELETE else change.fields
        boxes = tuple(
            replace(
                self._box(section, change.address, each.name, each.after, READING),
                was=was_text(each.before),
                note=each.reason or self._control(section, each.name).note,
            )
            for each in fields
        )
        if change.action in {Action.CREATE, Action.REPLACE}:
            boxes = (*self._key(section, change.address), *boxes)
        step = self._step(change.address, section, way, f"{action} {_what(change.address)}", boxes)
        reason = "" if change.reason.startswith(way.go_to) else change.reason
        why = reason or (f"it is called {change.title!r} there" if change.title else "")
        return replace(step, declared_at=change.declared_at, why=why)

    def confirm(self, address: Address, fields: Sequence[Unverified]) -> Step:
        """Where nothing of an object is shown it may have to be made: then the way to that is given."""
        section = self.screens.section(address.kind)
        unseen = {each.name for each in fields} >= set(self.names.desired.get(address, {"": None}))
        way, _ = _way(section, Action.CREATE if unseen else Action.UPDATE)
        boxes = tuple(self._asked(section, each) for each in fields)
        if unseen:
            boxes = (*self._key(section, address), *boxes)
        step = self._step(address, section, way, f"set or look at {_what(address)}", boxes)
        return replace(step, declared_at=fields[0].declared_at)

    def whole(
        self,
        address: Address,
        fields: Mapping[str, Value],
        place: Place | None,
        known: Mapping[tuple[Address, str], Unverified],
    ) -> Step:
        section = self.screens.section(address.kind)
        way, _ = _way(section, Action.CREATE)
        boxes = [*self._key(section, address)]
        for name, value in fields.items():
            box = self._box(section, address, name, value, READING_OR_ATTEST)
            about = known.get((address, name))
            boxes.append(replace(box, standing=_standing(about)) if about else box)
        step = self._step(address, section, way, f"set {_what(address)}", tuple(boxes))
        return replace(step, declared_at=place)

    def _asked(self, section: Section | None, each: Unverified) -> Box:
        box = self._box(section, each.address, each.name, each.value, ATTEST)
        return replace(box, standing=_standing(each), note=each.reason or box.note)

    def _step(
        self, address: Address, section: Section | None, way: Way, action: str, boxes: tuple[Box, ...]
    ) -> Step:
        title = section.title if section else KINDS[address.kind].title
        return Step(
            title,
            action,
            way.go_to,
            way.dialog,
            boxes,
            notes=way.notes,
            requirements=way.requirements,
            address=address,
        )

    def _box(self, section: Section | None, address: Address, name: str, value: Value, verified: str) -> Box:
        control = self._control(section, name)
        seen = _SEEN.get(control.seen_by, verified)
        text = words_of(value, control, self.names, address)
        label = f"`{name}` ({UNDOCUMENTED})" if control.label == UNDOCUMENTED else control.label
        return Box(name, label, text, seen, note=control.note, requirements=control.requirements)

    def _key(self, section: Section | None, address: Address) -> tuple[Box, ...]:
        if section is None or section.key is None:
            return ()
        return (
            Box("", section.key.label, address.key, READING_OR_ATTEST, requirements=section.key.requirements),
        )

    def _control(self, section: Section | None, name: str) -> Control:
        return section.controls.get(name, _NO_CONTROL) if section else _NO_CONTROL

    def arranged(self, steps: Iterable[Step]) -> tuple[Step, ...]:
        """The steps in the order of the screens, exercises in their places."""
        done = sorted(steps, key=self._rank)
        for exercise in self.screens.exercises:
            made = self._exercise(exercise, done)
            if made is not None:
                rank = self.screens.rank(exercise.after) if exercise.after else len(self.screens.sections) + 1
                at = sum(self._rank(each) <= rank for each in done)
                done.insert(at, made)
        return tuple(done)

    def _rank(self, step: Step) -> int:
        if step.address is None:
            after = next(each.after for each in self.screens.exercises if each.title == step.title)
            return self.screens.rank(after) if after else len(self.screens.sections) + 1
        return self.screens.rank(step.address.kind)

    def _exercise(self, exercise: Exercise, steps: Sequence[Step]) -> Step | None:
        touched = [
            each.address
            for each in steps
            if each.address is not None
            and each.address.kind in exercise.kinds
            and each.action[:6] != "remove"
        ]
        if exercise.mails:
            touched = [each for each in touched if self.names.field(each, "email") is True]
        if not touched:
            return None
        events = tuple(Box("", "", self.names.of(each), EYES) for each in touched) if exercise.mails else ()
        return Step(
            exercise.title,
            "",
            exercise.go_to,
            "",
            boxes=events,
            lines=exercise.lines,
            requirements=exercise.requirements,
        )


_NO_CONTROL = Control()
_NO_WAY = Way("its screen is not documented here")
_ACTIONS = {
    Action.CREATE: "add",
    Action.UPDATE: "change",
    Action.REPLACE: "remove and add again",
    Action.DELETE: "remove",
}


def _way(section: Section | None, action: Action) -> tuple[Way, str]:
    if section is None:
        return _NO_WAY, _ACTIONS[action]
    ways = {Action.CREATE: section.create, Action.REPLACE: section.create, Action.DELETE: section.remove}
    return ways.get(action, section.change), _ACTIONS[action]


def _what(address: Address) -> str:
    title = KINDS[address.kind].title
    return f"{title} {address.key}" if address.key else f"the {title}"


def _standing(question: Unverified) -> str:
    return f"{question.standing} {question.evidence}".strip()


def declared(site: str, fields: Mapping[Address, Mapping[str, Value]]) -> SitePlan:
    """A plan of nothing but what is declared: for a runbook without a connection."""
    return SitePlan(site, desired=fields)
