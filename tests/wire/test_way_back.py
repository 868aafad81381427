"""A way back undoes what the run did, and nothing that a person did since: by resume, rollback, or the next apply."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ivn_provision.errors import Interrupted, PartlyApplied
from ivn_provision.run.events import Step
from ivn_provision.run.resuming import Way
from tests.support.broken_runs import (
    SITE,
    Hook,
    apply_with,
    edit_both,
    killed_after,
    looked_at,
    plan_of,
    records,
    resume,
    standing,
    when_over,
)
from tests.support.world import World

OURS = {"nvr/camera/10 name", "portal/site entry_delay_seconds"}
"""What the runs here change."""


@pytest.fixture
def edited(world: World) -> World:
    """A site as declared, and a change for each target that nobody has applied yet."""
    assert world.apply(SITE)[0].error is None
    edit_both(world)
    return world


def person_edits(world: World) -> None:
    """Other fields of the same objects."""
    world.lab.tamper(SITE, "site", fields={"clip.pre_seconds": "33"})
    world.lab.tamper(SITE, "camera", "10", {"recording.mode": "never"})


def back_by_resume(world: World) -> str:
    run = killed_after(world, "proof")
    person_edits(world)
    outcome = resume(world, run, Way.REVERT)
    assert outcome.error is None, outcome.error
    assert outcome.reverted
    return run


def back_by_itself(world: World) -> str:
    """Ctrl-C after the last write: the run puts back what it did."""
    stop: list[bool] = []

    def edit_and_stop() -> None:
        person_edits(world)
        stop.append(True)

    hook = Hook(Step.WRITTEN, edit_and_stop, "portal")
    outcome = apply_with(world, hook, stopping=lambda: bool(stop))
    assert isinstance(outcome.error, Interrupted), outcome.error
    assert outcome.reverted
    return outcome.run


def back_by_the_next_apply(world: World) -> str:
    run = killed_after(world, "proof")
    person_edits(world)
    outcome = looked_at(world)
    assert outcome.declined, outcome.error
    return run


@pytest.mark.parametrize("back", [back_by_resume, back_by_itself, back_by_the_next_apply])
def test_fields_that_the_run_did_not_change_stay_as_a_person_set_them(
    edited: World, back: Callable[[World], str]
) -> None:
    run = back(edited)
    found = when_over(edited)
    assert found.keys() == OURS | {"portal/site clip.pre_seconds", "nvr/camera/10 recording.mode"}
    assert found["portal/site clip.pre_seconds"] == (33, 10)
    assert found["portal/site entry_delay_seconds"] == (45, 10)
    assert found["nvr/camera/10 recording.mode"] == ("never", "always")
    assert found["nvr/camera/10 name"] == ("10 Main Entrance", "10 Front Door")
    assert standing(edited, run) == "reverted"


def test_what_a_person_set_of_the_runs_own_fields_is_named_and_the_rest_goes_back(edited: World) -> None:
    run = killed_after(edited, "proof")
    edited.lab.tamper(SITE, "site", fields={"entry_delay_seconds": "20"})
    outcome = resume(edited, run, Way.REVERT)
    assert isinstance(outcome.error, PartlyApplied), outcome.error
    assert "but for what somebody changed since" in outcome.error.summary
    assert f"{SITE}/portal/site entry_delay_seconds" in outcome.error.summary
    assert outcome.reverted
    assert when_over(edited) == {
        "nvr/camera/10 name": ("10 Main Entrance", "10 Front Door"),
        "portal/site entry_delay_seconds": (20, 10),
    }
    (end,) = records(edited, run, "site_end")
    assert end.data["standing"] == "reverted"
    assert "entry_delay_seconds" in end.data["error"]
    (outcome,) = edited.apply(SITE)
    assert outcome.error is None, outcome.error
    assert plan_of(edited).is_empty


def test_a_run_that_puts_itself_back_names_what_a_person_set_too(edited: World) -> None:
    stop: list[bool] = []

    def edit_and_stop() -> None:
        edited.lab.tamper(SITE, "camera", "10", {"label": "By hand"})
        stop.append(True)

    hook = Hook(Step.WRITTEN, edit_and_stop, "portal")
    outcome = apply_with(edited, hook, stopping=lambda: bool(stop))
    assert isinstance(outcome.error, PartlyApplied), outcome.error
    assert f"{SITE}/nvr/camera/10 name" in outcome.error.summary
    assert outcome.reverted
    edit_both(edited, back=True)
    assert when_over(edited) == {"nvr/camera/10 name": ("10 By hand", "10 Main Entrance")}
    assert standing(edited, outcome.run) == "reverted"


def test_a_write_of_the_way_back_that_fails_does_not_hide_what_was_written(edited: World) -> None:
    """The run's only write is on the portal; the way back's is refused, as somebody changed the object meanwhile."""
    edited.edit(SITE, "label: Front Door", "label: Main Entrance")
    stop: list[bool] = []

    def person() -> None:
        edited.lab.tamper(SITE, "site", fields={"clip.pre_seconds": "33"})

    class Hooks(Hook):
        """Ctrl-C at the first write, a person at the second: that of the way back."""

        def notify(self, event: object) -> None:
            super().notify(event)  # type: ignore[arg-type]
            if self.done:
                stop.append(True)

    outcome = apply_with(edited, Hooks(Step.WRITING, person, "portal", times=2), stopping=lambda: bool(stop))
    assert outcome.error is not None
    assert "could not be put back" in outcome.error.summary
    assert [each.data["uncertain"] for each in records(edited, outcome.run, "failed")] == [False]
    records_of = records(edited, outcome.run, "done")
    assert [each.data["batch"] for each in records_of] == [1], "the failure has the number of the write"
    run = outcome.run
    outcome = resume(edited, run, Way.REVERT)
    assert outcome.error is None, outcome.error
    assert outcome.reverted
    found = when_over(edited)
    assert found["portal/site entry_delay_seconds"] == (45, 10), "it was really put back"
    assert found["portal/site clip.pre_seconds"] == (33, 10)
    assert standing(edited, run) == "reverted"


def test_a_file_that_is_saved_while_services_stop_is_left_as_it_is(
    edited: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recorder compares again after its services have stopped: a program may save on its way out."""
    run = killed_after(edited, "proof")
    path = edited.lab.nvr(SITE).configuration_path
    machine = edited.lab.nvr(SITE).windows
    control = machine.control

    def saves(name: str, *, running: bool) -> bool:
        if not running:
            path.write_bytes(path.read_bytes().replace(b"11 Gate", b"11 Saved"))
        return control(name, running=running)

    monkeypatch.setattr(machine, "control", saves)
    outcome = resume(edited, run, Way.REVERT)
    assert outcome.error is None, outcome.error
    assert b"11 Saved" in path.read_bytes()
    found = when_over(edited)
    assert found.keys() == OURS | {"nvr/camera/11 name"}
    assert found["nvr/camera/11 name"] == ("11 Saved", "11 Gate")
