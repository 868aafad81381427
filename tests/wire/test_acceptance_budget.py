"""What an acceptance of sixteen pins costs: the mails in turn, and five seconds more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ivn_provision.lab.lab import Lab
from ivn_provision.lab.scenario import LabCamera
from ivn_provision.lab.sites import generated_sites
from ivn_provision.run.events import Event, Step
from tests.support.acceptance import SITE, Technician, accepted, no_alarm_but_in_a_window
from tests.support.world import Events, World, own_addresses

PAIRS = 8
MAIL_SECONDS = 1.5
"""So long is a mail under way: more than this machine needs for anything else."""
POLLS_A_SECOND = 6.0


@pytest.fixture(scope="module")
def sixteen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Eight inputs and eight soft triggers, of eight cameras; the first input is an entry delay."""
    folder = tmp_path_factory.mktemp("sixteen")
    (site,) = generated_sites(1, own_addresses())
    cameras = tuple(
        LabCamera(f"192.168.10.{60 + n}", f"00408C0001{60 + n}", name=f"Camera {n}")
        for n in range(1, PAIRS + 1)
    )
    with Lab(folder / "lab", (replace(site, cameras=cameras),), portal_port=0, mail_port=0) as lab:
        lab.write_sites(folder / "sites")
        world = World(lab, folder / "sites")
        _declare(folder / "sites" / f"{SITE}.yml")
        assert world.apply(SITE)[0].error is None
        yield world


def _declare(file: Path) -> None:
    """The lab's own site has three pins; here are sixteen in their place."""
    text = file.read_text(encoding="utf-8")
    hardware, generic, pins = "", "", ""
    for number in range(1, PAIRS + 1):
        camera, kind = number + 9, "entry_delay" if number == 1 else "perimeter"
        rest = "input: 1, edge: rising, email: true, record: all"
        hardware += f"  - {{pin: {number}, label: Contact {number}, camera: {camera}, {rest}}}\n"
        generic += f"  - {{pin: {number + 20}, email: true}}\n"
        pins += f"    - {{pin: {number}, source: hardware, camera: {camera}, event_type: {kind}}}\n"
        pins += f"    - {{pin: {number + 20}, source: soft, camera: {camera}, event_type: perimeter}}\n"
    text = _section(text, "hardware_events:\n", hardware)
    text = _section(text, "generic_events:\n", generic)
    text = _section(text, "  pins:\n", pins)
    text = text.replace("{hardware_event: 2}", "{hardware_event: 3}")
    file.write_text(text.replace("mail_within_seconds: 30", "mail_within_seconds: 10"), encoding="utf-8")


def _section(text: str, head: str, body: str) -> str:
    before, _, after = text.partition(head)
    return f"{before}{head}{body}\n{after.partition(chr(10) * 2)[2]}"


class Timed(Events):
    """When each pin was fired, and when it had arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.took: list[float] = []
        self._began = 0.0

    def notify(self, event: Event) -> None:
        super().notify(event)
        if event.step is Step.FIRING:
            self._began = time.monotonic()
        if event.step is Step.ARRIVED:
            self.took.append(time.monotonic() - self._began)


def test_sixteen_pins(sixteen: World) -> None:
    lab = sixteen.lab
    lab.mail.slow_seconds = MAIL_SECONDS
    lab.fault("mail", "slow")
    processes, requests = lab.nvr(SITE).counters.processes, lab.portal.counters.requests
    observer, began = Timed(), time.monotonic()
    acceptance = accepted(sixteen, ask=Technician(sixteen), observer=observer)
    seconds = time.monotonic() - began
    assert acceptance.passed, acceptance.results
    assert len(acceptance.records) == len(observer.took) == 2 * PAIRS
    assert {each.step for each in observer.seen} == {Step.FIRING, Step.ARRIVED}
    firings = [each.text for each in observer.seen if each.step is Step.FIRING]
    assert len(set(firings)) == 2 * PAIRS, "each is fired once, in turn"
    assert lab.nvr(SITE).counters.processes - processes == PAIRS + 1, "one for each soft pin, one for two"
    most = max(observer.took) * len(observer.took) + 5
    assert seconds <= most, f"{seconds:.1f} s, at most {most:.1f}"
    asked = lab.portal.counters.requests - requests
    assert asked <= POLLS_A_SECOND * seconds + 3 * len(firings), asked
    no_alarm_but_in_a_window(sixteen)


def test_what_comes_beside_the_pins_takes_less_than_five_seconds(sixteen: World) -> None:
    """Window, two at once, clips and the wait for one mail too many; less the mail of the two, which is a latency."""
    sixteen.lab.mail.slow_seconds = MAIL_SECONDS
    sixteen.lab.fault("mail", "slow")
    sixteen.edit(SITE, "  pins: all", "  pins: [21S, 22S]")
    observer, began = Timed(), time.monotonic()
    acceptance = accepted(sixteen, observer=observer)
    beside = time.monotonic() - began - sum(observer.took)
    assert acceptance.passed, acceptance.results
    assert beside <= max(observer.took) + 5, f"{beside:.1f} s"
