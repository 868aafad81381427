"""A write that goes wrong is undone in the same remote process: the recorder is fully old or fully new."""

from __future__ import annotations

import pytest

from ivn_provision.errors import Conflict, IvnError, PartlyApplied, Refused
from ivn_provision.run.engine import SiteOutcome
from tests.support.world import World

SITE = "lab-0001"
RECORDER = "Milestone Recording Server"

# fault: (class of error, a part of what is said)
UNDONE = {
    "disk-full": (Refused, ""),
    "service-start-fails-once": (Refused, "did not start with the change"),
    "gui-opens-mid-apply": (Refused, "Management Application"),
    "changed-mid-apply": (Conflict, "changed since it was read"),
    "log-error-after-start": (Refused, "reports an error"),
    "rewritten-after-start": (Refused, "wrote its file anew"),
    "camera-missing-after-start": (Refused, "does not show all cameras"),
}


def states(world: World) -> dict[str, str]:
    return {each.name: each.state for each in world.lab.nvr(SITE).windows.services()}


def configured(world: World) -> bytes:
    return world.lab.nvr(SITE).configuration_path.read_bytes()


def ready(world: World) -> bytes:
    """A site as declared, and then a camera that somebody renamed: what stands in the file."""
    assert world.apply(SITE)[0].error is None
    world.lab.tamper(SITE, "camera", "10", {"label": "Other"})
    return configured(world)


def apply(world: World) -> SiteOutcome:
    (outcome,) = world.apply(SITE)
    return outcome


@pytest.mark.parametrize("fault", UNDONE)
def test_what_goes_wrong_is_undone(world: World, fault: str) -> None:
    before = ready(world)
    running = states(world)
    world.lab.fault(SITE, fault)
    outcome = apply(world)
    world.lab.fault(SITE, fault, on=False)
    wanted, words = UNDONE[fault]
    assert isinstance(outcome.error, wanted), outcome.error
    assert words in outcome.error.summary
    assert outcome.error.next_step
    if fault not in {"changed-mid-apply", "rewritten-after-start"}:
        assert configured(world) == before
    assert b"Other" in configured(world)
    assert states(world) == running
    if fault == "gui-opens-mid-apply":
        world.lab.gui(SITE, "close")
    assert apply(world).error is None


def test_services_that_never_start_again_are_said_to_be_down(world: World) -> None:
    before = ready(world)
    world.lab.fault(SITE, "service-start-fails")
    outcome = apply(world)
    assert isinstance(outcome.error, PartlyApplied)
    assert "not all services run" in outcome.error.summary
    assert "backups" in outcome.error.next_step
    assert configured(world) == before
    assert states(world)[RECORDER] == "Stopped"


def test_a_file_that_cannot_be_read_is_named(world: World) -> None:
    ready(world)
    world.lab.fault(SITE, "file-locked")
    outcome = apply(world)
    assert isinstance(outcome.error, IvnError)
    assert "configuration.xml" in outcome.error.where
    world.lab.fault(SITE, "file-locked", on=False)
    assert apply(world).error is None


def test_a_service_that_should_run_is_started_by_a_write_and_no_other(world: World) -> None:
    ready(world)
    machine = world.lab.nvr(SITE).windows
    (image,) = [each.name for each in machine.services() if "ImageServer" in each.path]
    (importer,) = [each.name for each in machine.services() if "ImageImport" in each.path]
    assert machine.set_start_mode(importer, "Manual")
    for name in (image, importer):
        assert machine.control(name, running=False)
    outcome = apply(world)
    assert outcome.error is None, outcome.error
    assert states(world)[image] == "Running"
    assert states(world)[importer] == "Stopped"


def test_the_backup_of_a_run_holds_the_file_of_before(world: World) -> None:
    before = ready(world)
    assert apply(world).error is None
    folder = world.lab.nvr(SITE).windows.tree.locate(r"C:\ProgramData\ivn-provision\backups")
    newest = max(folder.iterdir(), key=lambda each: each.stat().st_mtime)
    assert any(each.read_bytes() == before for each in newest.iterdir())
    assert (newest / "manifest.json").is_file()
