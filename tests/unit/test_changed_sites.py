"""`--changed-since` where a fleet is not simple: groups that are gone, sites that moved, fleets within fleets, links."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from dulwich import porcelain
from dulwich.repo import Repo

from ivn_provision.run.fleet.changed import Changed, changed_sites
from ivn_provision.run.fleet.loading import FleetFiles

WHO = b"a <a@example.invalid>"
FLEET = {
    "sites/fleet.yml": "labels: {tier: gold}\n",
    "sites/groups/east.yml": "labels: {region: east}\n",
    "sites/groups/west.yml": "labels: {region: west}\n",
    "sites/one.yml": "site: one\ngroups: [east]\n",
    "sites/two.yml": "site: two\ngroups: [west]\n",
    "sites/north/three.yml": "site: three\ngroups: [west, east]\n",
    "sites/four.yml": "site: four\n",
    "sites/attestations/one.yml": "site: one\nattestations: []\n",
    "sites/waivers.yml": "waivers: []\n",
    "README.md": "x",
}
ALL = {"one", "two", "three", "four"}


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def commit(root: Path, files: Mapping[str, str], *, gone: tuple[str, ...] = ()) -> str:
    write(root, files)
    with Repo(str(root)) as repo:
        if gone:
            porcelain.remove(repo, [str(root / name) for name in gone])
        porcelain.add(repo, [str(root / name) for name in files])
        return porcelain.commit(repo, b"x", committer=WHO, author=WHO).decode()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a small fleet, on the branch `master`."""
    root = tmp_path / "repository"
    root.mkdir()
    Repo.init(str(root)).close()
    commit(root, FLEET)
    return root


def changed(root: Path, revision: str = "HEAD", folder: str = "sites") -> Changed:
    files = FleetFiles(root / folder)
    return changed_sites(root / folder, revision, files, files.refs)


def names(root: Path, revision: str = "HEAD", folder: str = "sites") -> set[str]:
    return {ref.name for ref in changed(root, revision, folder).sites}


def test_a_group_that_a_site_named_then(root: Path) -> None:
    write(root, {"sites/one.yml": "site: one\ngroups: [west]\n", "sites/groups/east.yml": "labels: {a: b}\n"})
    assert names(root) == {"one", "three"}


def test_a_group_that_is_gone_affects_who_still_names_it(root: Path) -> None:
    (root / "sites/groups/east.yml").unlink()
    assert names(root) == {"one", "three"}
    write(
        root, {"sites/groups/south.yml": "labels: {}\n", "sites/two.yml": "site: two\ngroups: [{}, south]\n"}
    )
    commit(root, {"sites/two.yml": "site: two\ngroups: [{}, south]\n"})
    assert names(root) == {"one", "two", "three"}


def test_a_site_whose_text_is_broken_may_name_any_group(root: Path) -> None:
    commit(root, {"sites/four.yml": "site: four\ngroups: [east\n"})
    write(root, {"sites/groups/east.yml": "labels: {a: b}\n"})
    assert names(root) == {"one", "three", "four"}


def test_sites_that_are_gone_or_only_moved(root: Path) -> None:
    (root / "sites/one.yml").unlink()
    (root / "sites/two.yml").rename(root / "sites/north/two.yml")
    found = changed(root)
    assert found.removed == ("one",)
    assert {ref.name for ref in found.sites} == {"two"}
    assert changed(root, folder="sites/north").removed == (), "only below the folder that was named"


def test_a_subfolder_is_part_of_its_fleet(root: Path) -> None:
    write(root, {"sites/fleet.yml": "labels: {}\n", "sites/one.yml": "site: one\n"})
    assert names(root, folder="sites/north") == {"three"}


def test_a_fleet_within_a_fleet_has_levels_of_its_own(root: Path) -> None:
    inner = {"sites/inner/fleet.yml": "labels: {}\n", "sites/inner/six.yml": "site: six\n"}
    commit(root, {**inner, "sites/inner/groups/east.yml": "labels: {}\n"})
    write(root, {"sites/inner/fleet.yml": "labels: {a: b}\n"})
    assert names(root) == {"six"}
    (root / "sites/inner/fleet.yml").write_text(inner["sites/inner/fleet.yml"])
    write(root, {"sites/groups/east.yml": "labels: {a: b}\n"})
    assert names(root) == {"one", "three"}


def test_a_link_may_have_changed(root: Path) -> None:
    os.symlink(root / "sites/one.yml", root / "sites/linked.yml")
    assert names(root) == {"linked"}
    commit(root, {})
    with Repo(str(root)) as repo:
        porcelain.add(repo, [str(root / "sites/linked.yml")])
        porcelain.commit(repo, b"x", committer=WHO, author=WHO)
    assert names(root) == {"linked"}
