"""The line breaks at each verb of a write: the recorder is fully old or fully new, runs, and the tool says which."""

from __future__ import annotations

import pytest

from ivn_provision.errors import PartlyApplied, TargetError
from ivn_provision.run.engine import SiteOutcome, apply_sites
from ivn_provision.run.events import Event, Step
from tests.support.world import World

SITE = "lab-0001"
VERBS = ("create", "command", "send", "receive", "signal", "delete")


class Breaks:
    """Switches a fault on when the recorder is about to be written, and off when it was."""

    def __init__(self, world: World, fault: str) -> None:
        self.world, self.fault = world, fault

    def notify(self, event: Event) -> None:
        if event.step is Step.WRITING and event.target == "nvr":
            self.world.lab.fault(SITE, self.fault)


def label(world: World) -> str:
    text = world.lab.nvr(SITE).configuration_path.read_bytes().decode()
    return "old" if "Other" in text else "new"


def apply(world: World, fault: str) -> SiteOutcome:
    (outcome,) = apply_sites(
        [world.site(SITE)], world.opener(6.0), Breaks(world, fault), guards=world.guards()
    )
    return outcome


@pytest.mark.parametrize("kind", ["drop", "lose", "cut", "http500"])
def test_the_recorder_is_old_or_new_and_the_tool_says_which(world: World, kind: str) -> None:
    assert world.apply(SITE)[0].error is None
    running = {each.name: each.state for each in world.lab.nvr(SITE).windows.services()}
    for verb in VERBS:
        world.lab.tamper(SITE, "camera", "10" if label(world) == "new" else "Other", {"label": "Other"})
        assert label(world) == "old"
        fault = f"{kind}-at-{verb}-once"
        outcome = apply(world, fault)
        world.lab.fault(SITE, fault, on=False)
        found = label(world)
        services = {each.name: each.state for each in world.lab.nvr(SITE).windows.services()}
        assert services == running, f"{fault}: services"
        if outcome.error is None:
            assert found == "new", f"{fault}: said to be done"
        else:
            assert isinstance(outcome.error, (TargetError, PartlyApplied)), f"{fault}: {outcome.error!r}"
            assert outcome.error.next_step, fault
            assert found == "old" or isinstance(outcome.error, PartlyApplied), f"{fault}: said not to be done"
        again = world.apply(SITE)[0]
        assert again.error is None, f"{fault}: {again.error}"
        assert label(world) == "new"
