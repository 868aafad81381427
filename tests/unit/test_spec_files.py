"""Files that cannot be read, and where sites are looked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ivn_provision.errors import SpecError, UsageProblem
from ivn_provision.spec.discovery import discover
from ivn_provision.spec.fleet import Fleet, find_site, iter_sites, load_fleet
from ivn_provision.spec.ruleset import NO_RULES


def load(*paths: Path | str) -> Fleet:
    return load_fleet(paths, rules=NO_RULES)


def codes(fleet: Fleet) -> list[str]:
    return [each.code for each in fleet.diagnostics]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_over_one_mebibyte(tmp_path: Path) -> None:
    write(tmp_path / "a.yml", "site: a\n#" + "x" * 1024 * 1024)
    assert codes(load(tmp_path)) == ["YML003"]


def test_just_under_one_mebibyte_is_read(tmp_path: Path) -> None:
    write(tmp_path / "a.yml", "site: a\n#" + "x" * (1024 * 1024 - 10))
    assert codes(load(tmp_path)) == []


def test_a_pipe_does_not_hold_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yml")
    fleet = load(tmp_path)
    assert codes(fleet) == ["YML001"]
    assert "not a regular file" in fleet.diagnostics[0].summary


def test_broken_links_and_folders_named_like_files(tmp_path: Path) -> None:
    (tmp_path / "a.yml").symlink_to(tmp_path / "nothing.yml")
    (tmp_path / "b.yml").mkdir()
    assert codes(load(tmp_path)) == ["YML001"]


def test_a_path_that_is_not_there() -> None:
    with pytest.raises(UsageProblem, match="no such file"):
        load("nowhere/at/all")


def test_byte_order_mark_is_fine(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_bytes(b"\xef\xbb\xbfsite: a\r\nlabels: {x: z}\r\n")
    fleet = load(tmp_path)
    assert codes(fleet) == []
    assert fleet.sites[0].site is not None
    assert fleet.sites[0].site.labels == {"x": "z"}


def test_what_is_a_site(tmp_path: Path) -> None:
    for name in ("fleet.yml", "waivers.yml", "groups/g.yml", ".hidden.yml", ".git/x.yml", "notes.txt"):
        write(tmp_path / name, "description: x\n")
    write(tmp_path / "b.yml", "site: b\n")
    write(tmp_path / "east/a.yml", "site: a\n")
    write(tmp_path / "east/groups/c.yml", "site: c\n")
    found = discover([str(tmp_path)])
    names = [os.path.relpath(path, tmp_path) for path, _ in found.sites]
    assert names == ["b.yml", "east/a.yml", "east/groups/c.yml"]
    assert {root for _, root in found.sites} == {str(tmp_path)}


def test_the_wrong_ending_is_said(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "site: a\n")
    assert codes(load(tmp_path)) == ["SCH043"]


def test_one_file_finds_its_fleet_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "fleet.yml", "time_zone: Europe/Rome\n")
    site = write(tmp_path / "east/a.yml", "site: a\n")
    for path in (site, tmp_path / "east"):
        loaded = load(path).sites[0].site
        assert loaded is not None
        assert loaded.time_zone == "Europe/Rome"
    monkeypatch.chdir(tmp_path / "east")
    loaded = load("a.yml").sites[0].site
    assert loaded is not None
    assert loaded.time_zone == "Europe/Rome"


def test_a_group_file_alone_is_checked(tmp_path: Path) -> None:
    group = write(tmp_path / "groups/g.yml", "nvrr: 1\n")
    fleet = load(group)
    assert codes(fleet) == ["SCH001"]
    assert fleet.sites == ()


def test_find_site(tmp_path: Path) -> None:
    write(tmp_path / "harbor-marina.yml", "site: harbor-marina\n")
    write(tmp_path / "old-mill.yml", "site: wrong\n")
    assert find_site(tmp_path, "harbor-marina", rules=NO_RULES).name == "harbor-marina"
    with pytest.raises(UsageProblem) as problem:
        find_site(tmp_path, "harbour-marina", rules=NO_RULES)
    assert "Did you mean `harbor-marina`" in problem.value.next_step
    with pytest.raises(SpecError) as broken:
        find_site(tmp_path, "old-mill", rules=NO_RULES)
    assert [each.code for each in broken.value.diagnostics] == ["SCH040"]


def test_a_site_over_a_broken_level_is_no_site(tmp_path: Path) -> None:
    write(tmp_path / "fleet.yml", "a: [\n")
    write(tmp_path / "a.yml", "site: a\nnvr: {product: p}\n")
    fleet = load(tmp_path)
    assert codes(fleet) == ["YML006"]
    assert [each.site for each in fleet.sites] == [None]
    with pytest.raises(SpecError):
        find_site(tmp_path, "a", rules=NO_RULES)


def test_iter_sites_streams(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"{name}.yml", f"site: {name}\n")
    assert [each.name for each in iter_sites([tmp_path], rules=NO_RULES)] == ["a", "b"]
