"""`plan -o FILE`, `show FILE`, `apply FILE`: what was looked at is what is made, once, or nothing is."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ivn_provision.errors import StalePlan
from ivn_provision.run.saved_plan import SavedPlan, load_plan, save_plan
from tests.support.command import Ran, ivn_here
from tests.support.world import World

SITE = "lab-0001"


@pytest.fixture
def at(world: World) -> Path:
    """The folder that holds `sites/`."""
    world.attest_all(SITE)
    return world.folder.parent


def planned(at: Path, *options: str) -> Ran:
    ran = ivn_here("plan", SITE, "-o", "plan.json", *options, cwd=at)
    assert ran.code == 0, ran.err
    return ran


def applied(at: Path, file: str = "plan.json") -> Ran:
    return ivn_here("apply", file, "--auto-approve", cwd=at)


def writes(world: World) -> tuple[int, int, int]:
    nvr = world.lab.nvr(SITE).counters
    return nvr.file_writes, nvr.service_restarts, world.lab.portal.counters.writes


def test_what_was_looked_at_is_made_once(world: World, at: Path) -> None:
    report = planned(at)
    assert "`ivn-provision apply plan.json` makes exactly these changes, once, until " in report.out
    assert stat.S_IMODE((at / "plan.json").stat().st_mode) == 0o600
    fresh = ivn_here("show", "plan.json", cwd=at)
    assert (fresh.code, fresh.err) == (0, "")
    done = applied(at)
    assert done.code == 0, done.err
    assert "Proof: lab-0001 was read again and the plan is empty" in done.out
    after = writes(world)
    again = applied(at)
    assert again.code == 1
    assert "was applied already: a plan is used once" in again.err
    assert writes(world) == after
    used = ivn_here("show", "plan.json", cwd=at)
    assert used.code == 0
    assert used.out == fresh.out
    assert "warning: it was applied already" in used.err


def refuse(world: World, at: Path, *words: str, file: str = "plan.json") -> None:
    """Applying the file ends with these words, and without a write of ours."""
    before = writes(world)
    ran = applied(at, file)
    assert ran.code == 1, ran.out + ran.err
    for each in words:
        assert each in ran.err
    assert writes(world) == before


def test_a_plan_of_another_folder_is_foreign(world: World, at: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shown = ivn_here("show", "../plan.json", cwd=elsewhere) if planned(at).code == 0 else None
    assert shown is not None
    assert "there is no key in .ivn here" in shown.err
    assert not (elsewhere / ".ivn").exists(), "looking at a plan makes nothing"
    ivn_here("plan", SITE, "--fleet", str(world.folder), "-o", "plan.json", cwd=elsewhere)
    refuse(world, at, "was made under another key", file="elsewhere/plan.json")
    other = ivn_here("show", "elsewhere/plan.json", cwd=at)
    assert other.code == 0
    assert "warning: plan plan-" in other.err
    assert "was made under another key" in other.err


def test_an_edited_plan_is_refused_and_still_shown(world: World, at: Path) -> None:
    planned(at)
    text = (at / "plan.json").read_text(encoding="utf-8")
    (at / "plan.json").write_text(text.replace('"10 ', '"99 '), encoding="utf-8")
    refuse(world, at, "was edited after it was written")
    shown = ivn_here("show", "plan.json", "--format", "json", cwd=at)
    assert shown.code == 0
    assert json.loads(shown.out)["ivn"]["saved"]["id"].startswith("plan-")
    assert "was edited after it was written" in shown.err


def test_an_old_plan_is_shown_and_not_applied(world: World, at: Path) -> None:
    planned(at)
    document = json.loads((at / "plan.json").read_text(encoding="utf-8"))
    del document["ivn"]["saved"], document["ivn"]["seal"]
    (at / "plan.json").write_text(json.dumps(document), encoding="utf-8")
    shown = ivn_here("show", "plan.json", cwd=at)
    assert (shown.code, shown.err) == (0, "")
    refuse(world, at, "was only printed")


def test_what_a_person_changed_since_is_named(world: World, at: Path) -> None:
    assert world.apply(SITE)[0].error is None
    world.edit(SITE, "label: Main Entrance", "label: Hall")
    planned(at)
    world.lab.tamper(SITE, "camera", "10", {"codec": "mpeg4"})
    refuse(world, at, "lab-0001/nvr/camera/10 was changed: video.codec was ", 'is "mpeg4" now')
    world.edit(SITE, "label: Hall", "label: Foyer")
    refuse(
        world, at, "lab-0001 is declared otherwise in the site files", "lab-0001.yml", "nothing was written"
    )


def saved(world: World, valid_seconds: int = 3600) -> SavedPlan:
    (outcome,) = world.plan(SITE)
    assert outcome.plan is not None
    now = datetime.now(UTC)
    document = save_plan(
        world.state, [outcome.plan], sites=[world.site(SITE)], now=now, valid_seconds=valid_seconds
    )
    return load_plan(world.state, json.loads(json.dumps(document)), now=now + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("kind", "key", "fields", "words"),
    [
        (
            "camera",
            "10",
            {"label": "Other"},
            'lab-0001/nvr/camera/10 was changed: name was "10 Main Entrance"',
        ),
        ("pin", "2H", {"label": "Other"}, "lab-0001/portal/pin/2H was changed: label was "),
    ],
)
def test_also_on_objects_that_the_plan_does_not_touch(
    kind: str, key: str, fields: dict[str, str], words: str, world: World
) -> None:
    assert world.apply(SITE)[0].error is None
    plan = saved(world)
    assert plan.plans[0].is_empty
    world.lab.tamper(SITE, kind, key, fields)
    (outcome,) = world.apply(SITE, saved=plan)
    assert isinstance(outcome.error, StalePlan)
    assert words in outcome.error.summary


def test_an_object_that_a_person_removed_is_named(world: World) -> None:
    assert world.apply(SITE)[0].error is None
    plan = saved(world)
    world.lab.remove(SITE, "generic_event", "2")
    (outcome,) = world.apply(SITE, saved=plan)
    assert isinstance(outcome.error, StalePlan)
    assert "lab-0001/nvr/generic_event/2 is gone" in outcome.error.summary


def test_two_readings_of_one_site_are_one_plan(world: World) -> None:
    plan = saved(world)
    (outcome,) = world.apply(SITE, saved=plan)
    assert outcome.error is None
    later = saved(world)
    (outcome,) = world.apply(SITE, saved=later)
    assert outcome.error is None, "the leases of the apply before left no trace"


def test_a_part_of_a_plan_is_made_alone(world: World, at: Path) -> None:
    report = planned(at, "--target", "nvr/camera/*", "--exclude", "*/camera/11")
    assert "more changes are not chosen by --target and --exclude" in report.out
    assert json.loads((at / "plan.json").read_text(encoding="utf-8"))["complete"] is False
    assert applied(at).code == 0
    assert world.lab.portal.counters.writes <= 2, "the lease, and nothing else"
    left = ivn_here("plan", SITE, "--format", "json", cwd=at)
    changes = [each["address"] for each in json.loads(left.out)["resource_changes"]]
    assert f"{SITE}/nvr/camera/10" not in changes
    assert f"{SITE}/nvr/camera/11" in changes


def test_a_glob_that_names_nothing_is_usage(at: Path) -> None:
    ran = ivn_here("plan", SITE, "--target", "nvr/camara/10", cwd=at)
    assert ran.code == 64
    assert "no address matches nvr/camara/10" in ran.err
    assert "lab-0001/nvr/camera/10" in ran.err


def test_validity_is_kept(at: Path) -> None:
    planned(at, "--valid-for", "90m")
    kept = json.loads((at / "plan.json").read_text(encoding="utf-8"))["ivn"]["saved"]
    first, last = (datetime.fromisoformat(kept[name]) for name in ("created", "expires"))
    assert last - first == timedelta(minutes=90)


def test_no_secret_is_in_a_saved_plan(world: World, at: Path) -> None:
    report = planned(at)
    shown = ivn_here("show", "plan.json", cwd=at)
    done = applied(at)
    texts = [each.out + each.err for each in (report, shown, done)]
    texts.append((at / "plan.json").read_text(encoding="utf-8"))
    texts += [path.read_text(encoding="latin-1") for path in (at / ".ivn").rglob("*") if path.is_file()]
    files = [each for each in (at / "lab" / "secrets").iterdir() if each.is_file()]
    for value in (file.read_text(encoding="utf-8").strip() for file in files):
        assert not [text for text in texts if value in text]
