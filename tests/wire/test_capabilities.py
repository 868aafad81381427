"""`capabilities`: the table of what can be done on a recorder, with and without asking it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ivn_provision.drivers.xprotect_e.layout import FIELDS
from tests.support.command import ivn, ivn_here
from tests.support.world import World
from tests.unit.test_layout_files import GOOD

SITE = "lab-0001"


@pytest.fixture
def at(world: World) -> Path:
    return world.folder.parent


def layout_file(at: Path, text: str) -> Path:
    folder = at / "sites" / "layouts"
    folder.mkdir()
    path = folder / "own.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_table_of_the_lab(world: World, at: Path) -> None:
    ran = ivn("capabilities", SITE, "--wide", cwd=at)
    assert ran.code == 0, ran.err
    assert "lab-0001: XProtect Professional 2014 8.6a" in ran.out
    assert "layout lab-2014 (ships with ivn-provision)" in ran.out
    lines = [line.split() for line in ran.out.splitlines()]
    assert ["enabled", "managed", "proven"] in lines
    assert any(line[:3] == ["password", "manual", "-"] for line in lines)
    assert "Notifications/EmailServer/Sender" in ran.out
    assert "restarts ImageImportService.exe, ImageServer.exe, RecordingServer.exe" in ran.out
    assert world.lab.nvr(SITE).counters.processes == 1
    assert world.lab.nvr(SITE).counters.file_writes == 0


def test_json_has_a_row_for_every_field(world: World, at: Path) -> None:
    ran = ivn_here("capabilities", "--format", "json", cwd=at)
    (recorder,) = json.loads(ran.out)["recorders"]
    rows = {(row["kind"], row["field"]): row for row in recorder["rows"]}
    assert {(kind, name) for kind, names in FIELDS.items() for name in names} <= set(rows)
    found = rows["camera", "hardware.mac"]
    assert (found["ability"], found["path"], found["restarts"]) == ("observable", "Devices/*/MAC", [])
    assert rows["generic_event", "match"]["file"].endswith("configuration.xml")
    assert recorder["version"] == "8.6a"


def test_offline_asks_nobody(world: World, at: Path) -> None:
    ran = ivn_here("capabilities", SITE, "--offline", cwd=at)
    assert ran.code == 0, ran.err
    assert r"for versions that fit ^8\." in ran.out
    assert world.lab.nvr(SITE).counters.processes == 0


def test_a_layout_of_the_fleet_is_shown_with_its_file(world: World, at: Path) -> None:
    layout_file(at, GOOD.replace("'^8\\.7b$'", "'^8\\.6a$'"))
    ran = ivn_here("capabilities", SITE, cwd=at)
    assert ran.code == 0, ran.err
    assert "from sites/layouts/own.yml; learned 2026-11-23T18:00:00Z, on lab-0001, by Ada" in ran.out
    lines = [line.split() for line in ran.out.splitlines()]
    assert any(line[:2] == ["sender", "manual"] for line in lines)


def test_a_broken_layout_stops_every_command_at_its_place(world: World, at: Path) -> None:
    layout_file(at, GOOD.replace("schema: 1", "schema: 7"))
    for command in ("capabilities", "plan", "drift", "validate"):
        ran = ivn_here(command, *([SITE] if command != "validate" else []), cwd=at)
        assert ran.code == 1
        assert "sites/layouts/own.yml:1:9" in ran.out + ran.err
    assert world.lab.nvr(SITE).counters.processes == 0


def test_layouts_and_attestations_are_no_sites(at: Path) -> None:
    path = layout_file(at, GOOD)
    (at / "sites" / "attestations").mkdir()
    (at / "sites" / "attestations" / "x.yml").write_text("site: x\n", encoding="utf-8")
    ran = ivn_here("validate", cwd=at)
    assert ran.code == 0, ran.out
    assert ivn_here("validate", str(path), cwd=at).code == 0


def test_a_recorder_that_does_not_answer_is_an_error(world: World, at: Path) -> None:
    world.lab.fault(SITE, "http_500")
    ran = ivn_here("capabilities", SITE, "--deadline", "3", "--format", "json", cwd=at)
    assert ran.code == 1
    assert list(json.loads(ran.out)["errors"]) == [SITE]


def test_a_fleet_without_a_recorder(tmp_path: Path) -> None:
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "empty.yml").write_text("site: empty\n", encoding="utf-8")
    ran = ivn_here("capabilities", cwd=tmp_path)
    assert ran.code == 64
    assert "no recorder is declared" in ran.err
