"""Any of the last 20 states of a site comes back exactly, and what is not ours is never touched."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ivn_provision.drivers.xprotect_e.xml_document import parse
from ivn_provision.errors import SpecError
from ivn_provision.model.resource import Address, Value
from ivn_provision.plan.plan import Foreign, SitePlan
from ivn_provision.run.engine import SiteOutcome, apply_sites
from ivn_provision.run.rollback import goal_of_run, way_to
from ivn_provision.run.site_plans import read_plan
from ivn_provision.run.snapshots import keyed
from ivn_provision.run.targets import Opener
from ivn_provision.spec.site import Limits, Site
from tests.support.world import Events, World

NAME = "lab-0001"
STATES = 20
RETURNS = 6
"""To the first state, the last one and others by chance, other ones each time; by `IVN_THOROUGH` to all of them."""
GENEROUS = Limits(deletes=99, outage_seconds=9999, pins_without_video=99, fleet_percent=100)
MEASURED = {"windows", "listening_port"}
LABELS = ("Gate", "Dock <2>", "Büro & Lager", "Lobby", "Über'm Tor", "a;b$c`d")

FOLDERS = ("Events/HardwareInputEvents/*", "Events/GenericEvents/*", "AlarmDefinitions/*")
FOREIGN = ("Gate open by guard", "Server room temperature")


@dataclass(frozen=True)
class State:
    """A declared state, the run that made it, and what was live after it."""

    site: Site
    run: str
    live: Mapping[Address, Mapping[str, Value]]
    foreign: frozenset[Foreign]


def site_text(chance: random.Random, base: str, most: int) -> str:
    """A site file with other values than `base` in what the lab's layout and the portal manage; of `most` cameras."""
    head = base[: base.index("\ncameras:")]
    tail = base[base.index("\nacceptance:") :]
    mail = base[base.index("\nmail:") : base.index("\nalarms:")]
    hardware = [line.strip() for line in base.splitlines() if line.strip().startswith("hardware: {")]
    hardware = chance.sample(hardware, chance.randint(1, min(most, len(hardware))))
    numbers = chance.sample(range(1, 40), len(hardware))
    pins = chance.sample(range(1, 40), chance.randint(0, len(hardware)))
    soft = chance.sample(range(40, 60), chance.randint(0, 3))
    cameras = "".join(map(lambda number, of: camera(chance, number, of), numbers, hardware))
    events = "".join(
        f"  - {{pin: {pin}, label: {label(chance)}, camera: {numbers[at]}, input: {chance.randint(1, 2)}, "
        f"edge: {chance.choice(('rising', 'falling'))}, email: true, record: {chance.choice(('all', 'none'))}}}\n"
        for at, pin in enumerate(pins)
    )
    generic = "".join(f"  - {{pin: {pin}, email: true, enabled: {flag(chance)}}}\n" for pin in soft)
    alarms = "".join(
        f"  - {{name: Alarm {chance.randint(1, 3)}{at}, source: {{hardware_event: {pin}}}, enabled: {flag(chance)}}}\n"
        for at, pin in enumerate(pins)
    )
    tied = [(pin, "hardware", numbers[at]) for at, pin in enumerate(pins)]
    tied += [(pin, "soft", numbers[0]) for pin in soft]
    listed = "".join(
        f"    - {{pin: {pin}, source: {source}, camera: {of}, event_type: perimeter{maybe(chance, ', label: Pin')}}}\n"
        for pin, source, of in tied
    )
    parts = [
        head.replace("max_clients: 10", f"max_clients: {chance.randint(1, 50)}"),
        f"cameras:\n{cameras}",
        listed_or_none("hardware_events", events),
        listed_or_none("generic_events", generic),
        mail.replace("security: starttls", f"security: {chance.choice(('none', 'starttls', 'tls'))}"),
        listed_or_none("alarms", alarms),
        portal(chance, base, listed),
    ]
    return "\n".join(part.strip("\n") for part in parts) + tail


def portal(chance: random.Random, base: str, pins: str) -> str:
    text = base[base.index("\nportal:") : base.index("\n  pins:")]
    text = text.replace("entry_delay_seconds: 45", f"entry_delay_seconds: {chance.randint(0, 240)}")
    text = text.replace("pre_seconds: 10", f"pre_seconds: {chance.randint(3, 60)}")
    if chance.random() < 0.5:
        text += f'\n  monitoring: {{station: central, account_number: "{chance.randint(1, 9999)}"}}'
    if chance.random() < 0.3:
        text = text.replace("    web_server_port: !ref nvr.server_access.internet_port\n", "")
    return f"{text}\n  pins:{' []' if not pins else ''}\n{pins}"


def camera(chance: random.Random, number: int, hardware: str) -> str:
    mode = chance.choice(("always", "event", "motion", "motion_and_event", "never"))
    buffers = f", pre_buffer_seconds: {chance.randint(0, 30)}" if chance.random() < 0.5 else ""
    return (
        f"  - number: {number}\n    label: {label(chance)}\n    {hardware}\n    enabled: {flag(chance)}\n"
        f"    video: {{codec: {chance.choice(('mjpeg', 'h264'))}, fps: {chance.randint(1, 25)}}}\n"
        f"    recording: {{mode: {mode}{buffers}}}\n"
    )


def label(chance: random.Random) -> str:
    return '"' + chance.choice(LABELS) + '"'


def flag(chance: random.Random) -> str:
    return chance.choice(("true", "false"))


def maybe(chance: random.Random, text: str) -> str:
    return text if chance.random() < 0.5 else ""


def listed_or_none(section: str, items: str) -> str:
    return f"{section}:\n{items}" if items else f"{section}: []\n"


class Journey:
    """One site through many states."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.chance = world, random.Random(seed)
        self.base = (world.folder / f"{NAME}.yml").read_text(encoding="utf-8")
        self.cameras = 1  # the first state leaves a camera that a later one takes over
        self.foreign = self._foreign()
        assert len(self.foreign) == len(FOREIGN)

    def declare(self, text: str) -> Site:
        (self.world.folder / f"{NAME}.yml").write_text(text, encoding="utf-8")
        return replace(self.world.site(NAME), limits=GENEROUS)

    def any_site(self) -> Site:
        """A random site that the tool's own rules accept."""
        for _ in range(50):
            text = site_text(self.chance, self.base, most=self.cameras)
            try:
                return self.declare(text)
            except SpecError as error:
                problem = error.diagnostics
        raise AssertionError(f"no valid site among 50: {problem}")

    def advance(self) -> State:
        site = self.any_site()
        self.cameras = 99
        outcome = self._apply(site, self.world.opener())
        assert outcome.proof is not None
        proof = outcome.proof
        return State(site, outcome.run, self._fields(proof), frozenset(proof.foreign))

    def back_to(self, state: State, now: Site) -> None:
        """By the run's name, as the command line does it, with the site file as it is now."""
        goal = goal_of_run(self.world.state, NAME, state.run)
        opener = self.world.opener()
        way = way_to(goal, now, opener, Events(), self.world.state)
        assert way.lost == ()
        opener.desired = way.desired
        self._apply(now, opener)
        plan = read_plan(state.site, self.world.opener(), Events())
        assert self._fields(plan) == state.live
        assert frozenset(plan.foreign) == state.foreign, (
            "cameras that were taken over since have their names again"
        )
        assert not plan.changes

    def _apply(self, site: Site, opener: Opener) -> SiteOutcome:
        (outcome,) = apply_sites([site], opener, Events(), guards=self.world.guards())
        assert outcome.error is None, outcome.error
        assert self._foreign() == self.foreign
        return outcome

    def _fields(self, plan: SitePlan) -> Mapping[Address, Mapping[str, Value]]:
        """All fields of all objects of ours, secrets as keyed hashes."""
        return {
            address: {name: keyed(self.world.state, value) for name, value in fields.items()}
            for address, fields in plan.live.items()
            if address.kind not in MEASURED
        }

    def _foreign(self) -> list[bytes]:
        raw = self.world.lab.nvr(NAME).configuration_path.read_bytes()
        document = parse(raw, path="configuration.xml")
        found = [each for folder in FOLDERS for each in document.root.all(folder)]
        objects = [each for each in found if each.value("Name") in FOREIGN]
        return [document.utf8[each.start : each.end] for each in objects]


def returns(chance: random.Random, states: list[State]) -> list[State]:
    """Which of them to go back to, in which order."""
    if os.environ.get("IVN_THOROUGH"):
        return chance.sample(states, STATES)
    chosen = [states[0], states[-1], *chance.sample(states[1:-1], RETURNS - 2)]
    return chance.sample(chosen, RETURNS)


def test_any_of_the_last_20_states_comes_back(world: World) -> None:
    seed = 20261124 if os.environ.get("CI") else random.randrange(2**32)
    print(f"seed {seed}")
    journey = Journey(world, seed)
    states = [journey.advance() for _ in range(STATES)]
    assert len({state.run for state in states}) == STATES
    now = states[-1].site
    for state in returns(journey.chance, states):
        print(f"to {state.run}")
        journey.back_to(state, now)
