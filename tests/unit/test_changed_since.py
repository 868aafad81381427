"""`--changed-since REV`: the sites that a change of the files concerns."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from dulwich import porcelain
from dulwich.objects import Commit
from dulwich.refs import Ref
from dulwich.repo import Repo

from ivn_provision.errors import PlanError
from ivn_provision.run.fleet.changed import changed_sites
from ivn_provision.run.fleet.loading import FleetFiles
from tests.support.command import ivn_here

OTHER, MASTER = Ref(b"refs/heads/other"), Ref(b"refs/heads/master")
WHO = b"a <a@example.invalid>"
FILES = {
    "sites/fleet.yml": "labels: {dealer: north}\n",
    "sites/groups/east.yml": "labels: {region: east}\n",
    "sites/groups/west.yml": "labels: {region: west}\n",
    "sites/one.yml": "site: one\ngroups: [east]\n",
    "sites/deep/two.yml": "site: two\ngroups: [east, west]\n",
    "sites/three.yml": "site: three\n",
    "sites/old.yml": "site: old\n",
    "sites/waivers.yml": "waivers: []\n",
    "README.md": "x",
}


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def commit(root: Path) -> None:
    with Repo(str(root)) as repo:
        porcelain.add(
            repo, [str(path) for path in root.rglob("*") if path.is_file() and ".git" not in path.parts]
        )
        porcelain.commit(repo, b"x", committer=WHO, author=WHO)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    porcelain.init(str(root)).close()
    for name, text in FILES.items():
        put(root, name, text)
    commit(root)
    return root


def changed(root: Path, revision: str = "HEAD") -> tuple[list[str], tuple[str, ...]]:
    files = FleetFiles(root / "sites")
    found = changed_sites(root / "sites", revision, files, files.refs)
    return sorted(ref.name for ref in found.sites), found.removed


ALL = ["old", "one", "three", "two"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda _: None, []),
        (lambda root: put(root, "sites/one.yml", "site: one\n"), ["one"]),
        (lambda root: put(root, "sites/new.yml", "site: new\n"), ["new"]),
        (lambda root: put(root, "sites/groups/east.yml", "labels: {region: e}\n"), ["one", "two"]),
        (lambda root: put(root, "sites/groups/west.yml", "labels: {region: w}\n"), ["two"]),
        (lambda root: put(root, "sites/groups/none.yml", "labels: {region: w}\n"), []),
        (lambda root: put(root, "sites/fleet.yml", "labels: {dealer: south}\n"), ALL),
        (lambda root: put(root, "sites/layouts/a.yml", "x: 1\n"), ALL),
        (lambda root: put(root, "sites/attestations/three.yml", "site: three\n"), ["three"]),
        (lambda root: put(root, "sites/waivers.yml", "waivers: [] # none\n"), []),
        (lambda root: put(root, "README.md", "y"), []),
        (lambda root: put(root, "sites/one.yml", FILES["sites/one.yml"].replace("\n", "\r\n")), []),
        (lambda root: put(root, "sites/.one.yml.yml", "x"), []),
    ],
)
def test_a_change_concerns_these_sites(
    root: Path, change: Callable[[Path], None], expected: list[str]
) -> None:
    change(root)
    assert changed(root) == (expected, ())
    commit(root)
    assert changed(root, "HEAD~1" if expected else "HEAD") == (expected, ())


@pytest.mark.parametrize("name", ["groups", "layouts", "attestations"])
def test_what_is_a_link_may_have_changed(root: Path, name: str) -> None:
    """The text behind a link is nothing that the repository's history of this folder tells."""
    elsewhere = root / "shared"
    elsewhere.mkdir()
    if (root / "sites" / name).is_dir():
        shutil.copytree(root / "sites" / name, elsewhere / name)
        shutil.rmtree(root / "sites" / name)
    (elsewhere / name).mkdir(exist_ok=True)
    (root / "sites" / name).symlink_to(elsewhere / name)
    assert changed(root)[0] == ALL


def test_a_removed_site_is_named_apart(root: Path) -> None:
    (root / "sites" / "old.yml").unlink()
    assert changed(root) == ([], ("old",))


def test_a_site_that_can_hardly_be_read_counts_when_a_group_changes(root: Path) -> None:
    put(root, "sites/three.yml", "site: [\ngroups: [west]")
    commit(root)
    put(root, "sites/groups/west.yml", "labels: {region: w}\n")
    assert changed(root) == (["three", "two"], ())


def test_what_others_did_on_the_other_branch_does_not_count(root: Path) -> None:
    with Repo(str(root)) as repo:
        start = repo.head()
        put(root, "sites/one.yml", "site: one\n")
        commit(root)
        repo.refs[OTHER] = repo.head()
        repo.refs[MASTER] = start
    put(root, "sites/one.yml", FILES["sites/one.yml"])
    put(root, "sites/three.yml", "site: three # mine\n")
    commit(root)
    assert changed(root, "other") == (["three"], ())


def test_a_fleet_that_was_not_there_is_new_as_a_whole(root: Path) -> None:
    shutil.copytree(root / "sites", root / "more")
    files = FleetFiles(root / "more")
    assert len(changed_sites(root / "more", "HEAD", files, files.refs).sites) == 4


@pytest.mark.parametrize("revision", ["nobody", "-x", "HEAD~99", "a" * 300, ""])
def test_a_wrong_revision_is_said(root: Path, revision: str) -> None:
    with pytest.raises(PlanError) as caught:
        changed(root, revision)
    assert caught.value.next_step


def test_branches_without_a_common_commit(root: Path, tmp_path: Path) -> None:
    with Repo(str(root)) as repo:
        lonely = repo[repo.head()].copy()
        assert isinstance(lonely, Commit)
        lonely.parents, lonely.message = [], b"alone"
        repo.object_store.add_object(lonely)
        repo.refs[OTHER] = lonely.id
    with pytest.raises(PlanError, match="no commit in common"):
        changed(root, "other")


def test_the_command_line(root: Path) -> None:
    put(root, "sites/one.yml", "site: one\n")
    old = (root / "sites" / "old.yml").read_bytes()
    (root / "sites" / "old.yml").unlink()
    found = ivn_here("sites", "--changed-since", "HEAD", cwd=root)
    assert (found.code, found.out.split()) == (0, ["one", "dealer=north"])
    assert "note: old: the file is gone, and the site is left as it is" in found.err
    (root / "sites" / "old.yml").write_bytes(old)
    commit(root)
    none = ivn_here("sites", "--changed-since", "HEAD", cwd=root)
    assert (none.code, none.out.strip(), none.err) == (0, "", "No site changed since HEAD.\n")
