"""A camera behind its web server: what its profile and its site make of it, and the parts that answer."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from ivn_provision.lab.camera import state
from ivn_provision.lab.camera.accounts import Account, Accounts
from ivn_provision.lab.camera.action_service import ActionService, Desk
from ivn_provision.lab.camera.book import Book, Rule
from ivn_provision.lab.camera.counters import CameraCounters
from ivn_provision.lab.camera.definitions import Definition
from ivn_provision.lab.camera.events import MANUAL_TRIGGER, READY, VIRTUAL_INPUT, Events, leaves
from ivn_provision.lab.camera.factory import factory_book
from ivn_provision.lab.camera.gate import Gate
from ivn_provision.lab.camera.mishaps import Mishaps
from ivn_provision.lab.camera.params import Parameters
from ivn_provision.lab.camera.ports import PortBoard, port_definitions
from ivn_provision.lab.camera.posix_zone import posix_zone
from ivn_provision.lab.camera.profile import Profile
from ivn_provision.lab.camera.rule_engine import RuleEngine
from ivn_provision.lab.clock import rfc3339

ALL_GROUPS = ("admin", "operator", "viewer", "ptz")


@dataclass(frozen=True, slots=True)
class Making:
    """What a device is made from. `now` gives seconds of the loop, `clock` the time with a zone."""

    profile: Profile
    serial: str
    inputs: int
    username: str
    password: str
    file: Path
    clock: Callable[[], datetime]
    now: Callable[[], float]


class Device:
    """`act` is called for a rule that fires, `seen` for an input (from 0) that changes by the camera's own doing."""

    def __init__(
        self, making: Making, act: Callable[[Rule], None], seen: Callable[[int, bool], None]
    ) -> None:
        self.making, self.profile = making, making.profile
        self._act, self._seen, self._told = act, seen, False
        self.counters = CameraCounters()
        self.mishaps = Mishaps(self.counters)
        self.params = Parameters(_definitions(making), self.profile.groups)
        self.params.computed = self._computed()
        self.accounts = Accounts(self.mishaps.write, self.save)
        self.accounts.all[making.username] = Account(making.username, making.password, ALL_GROUPS)
        self.events = Events(())
        self.board = PortBoard(self.params, self.events, self._edge)
        desk = Desk(
            self.profile,
            self.events,
            self.counters,
            self.mishaps.write,
            self.save,
            lambda: rfc3339(making.clock()),
        )
        self.actions = ActionService(desk, random.Random(making.serial))  # noqa: S311 - an order, no secret
        self.engine = RuleEngine(self.events, lambda: self.actions.book, self._fired, making.now)
        self.gate = Gate(self.params, self.accounts, self.mishaps, self.profile.nonce_seconds, making.now)
        self._begin()

    @property
    def book(self) -> Book:
        """Rules, configurations, recipients."""
        return self.actions.book

    def local_now(self) -> datetime:
        """By the camera's own zone."""
        return self.making.clock().astimezone(posix_zone(self.params.get("Time.POSIXTimeZone")))

    def save(self) -> None:
        """Keep what it knows."""
        state.save(self.making.file, self.profile.name, self.params, self.accounts, self.book)

    def changed(self, names: list[str]) -> None:
        """These parameters or groups were changed."""
        if not names:
            return
        if any(each.startswith("IOPort.") for each in names):
            self._grow()
            self.board.refresh()
        self.save()

    def wire(self, port: int, active: bool, *, told: bool = False) -> None:
        """Change an input (from 0); `told` if whoever did so tells the recorder himself.

        An input that is active already becomes inactive first.
        """
        self._told = told
        try:
            if active and self.board.active(port):
                self.board.wire(port, active=False)
            self.board.wire(port, active=active)
        finally:
            self._told = False

    def virtual(self, number: int, active: bool) -> bool:
        """Change a virtual input (from 1); whether that was a change."""
        return self._put(VIRTUAL_INPUT, str(number), active)

    def trigger(self, number: int, active: bool) -> bool:
        """Change a manual trigger (from 1); whether that was a change."""
        return self._put(MANUAL_TRIGGER, str(number), active)

    def _put(self, topic: str, value: str, active: bool) -> bool:
        word = "1" if active else "0"
        before = self.events.states.get((topic, value), "0")
        instance = self.events.put(topic, value, word)
        if instance is None or before == word:
            return False
        self.counters.edges += 1
        self.engine.changed([instance], word)
        return True

    def _edge(self, port: int, active: bool) -> None:
        self.counters.edges += 1
        self.engine.changed(self.board.note(port, active=active), "1" if active else "0")
        if not self._told:
            self._seen(port, active)

    def _fired(self, rule: Rule) -> None:
        self.counters.rules_fired += 1
        self._act(rule)

    def _begin(self) -> None:
        kept = state.load(self.making.file, self.profile.name)
        if kept is not None:
            self.actions.book = state.restore(kept, self.params, self.accounts)
        else:
            self.actions.book = factory_book(self.profile)
        self._grow()
        self.events.states[READY, ""] = "1"
        self.board.refresh()

    def _grow(self) -> None:
        """The tree of events, by the ports that are inputs now."""
        inputs = [(str(port), self.board.value(port, "Input.Name")) for port in self.board.inputs()]
        self.events.leaves = leaves(inputs, self.profile.virtual_inputs, self.profile.manual_triggers)

    def _computed(self) -> dict[str, Callable[[], str]]:
        found: dict[str, Callable[[], str]] = {}
        if "Input.NbrOfInputs" in self.params.definitions:
            found["Input.NbrOfInputs"] = lambda: str(len(self.board.inputs()))
            found["Output.NbrOfOutputs"] = lambda: str(len(self.board.numbers()) - len(self.board.inputs()))
        if self.params.get("Time.ServerDate"):  # empty on firmware that shows no clock here
            found["Time.ServerDate"] = lambda: self.local_now().strftime("%Y-%m-%d")
            found["Time.ServerTime"] = lambda: self.local_now().strftime("%H:%M:%S")
        return found


def _definitions(making: Making) -> dict[str, Definition]:
    profile = making.profile
    found = dict(profile.parameters) | port_definitions(profile.ports, making.inputs)
    if making.inputs:
        number = Definition("0", "7707", "int", flags=("readonly",))
        found |= {"Input.NbrOfInputs": number, "Output.NbrOfOutputs": number}
    words = {
        "{serial}": making.serial,
        "{firmware}": profile.firmware,
        "{product}": profile.product,
        "{number}": profile.number,
    }
    return {name: _said(each, words) for name, each in found.items()}


def _said(each: Definition, words: dict[str, str]) -> Definition:
    value = each.value
    for word, text in words.items():
        value = value.replace(word, text)
    return each if value == each.value else replace(each, value=value)
