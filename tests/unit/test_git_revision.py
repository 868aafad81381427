"""A site at a git revision: what is read, from where, and what is refused."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from dulwich import porcelain
from dulwich.objects import Blob, Commit, ObjectID, Tree
from dulwich.repo import Repo

from ivn_provision.errors import PlanError, SpecError
from ivn_provision.run.git_revision import RevisionFleet, site_at
from ivn_provision.secret import SecretRef
from tests.support.doc_pages import ROOT

WHO = b"a <a@example.invalid>"
SITE = "harbor-marina"
EXAMPLES = {
    f"sites/{each.relative_to(ROOT / 'sites')}": each.read_text() for each in (ROOT / "sites").rglob("*.yml")
}
Entry = tuple[int, bytes | dict[bytes, "Entry"]]


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def commit(root: Path, files: Mapping[str, str], message: bytes = b"x") -> str:
    write(root, files)
    with Repo(str(root)) as repo:
        porcelain.add(repo, [str(root / name) for name in files])
        return porcelain.commit(repo, message, committer=WHO, author=WHO).decode()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with the example fleet in `sites/`, and then another label."""
    root = tmp_path / "repository"
    root.mkdir()
    Repo.init(str(root)).close()
    commit(root, {**EXAMPLES, "README.md": "x"}, b"first")
    text = EXAMPLES[f"sites/{SITE}.yml"].replace("label: Dry Dock Gate", "label: Another Gate")
    commit(root, {f"sites/{SITE}.yml": text}, b"second")
    return root


def everything(root: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    }


def labels(root: Path, revision: str, folder: str = "sites") -> list[str]:
    site, _ = site_at(root / folder, SITE, revision)
    return [each.label for each in site.cameras or ()]


def test_each_revision_as_it_was(root: Path) -> None:
    with Repo(str(root)) as repo:
        head = repo.head().decode()
        porcelain.tag_create(repo, b"v1", author=WHO, message=b"v1", annotated=True)
    write(root, {f"sites/{SITE}.yml": "this: is not a site"})
    before = everything(root)
    for revision in ("HEAD", head, head[:8], "v1", "master"):
        assert labels(root, revision)[1] == "Another Gate"
    for revision in ("HEAD~1", "HEAD^", "HEAD~", "v1~1", f"{head[:8]}^1"):
        assert labels(root, revision)[1] == "Dry Dock Gate"
    assert site_at(root / "sites", SITE, "HEAD")[1] == head
    assert everything(root) == before, "neither work tree nor index nor anything in .git is touched"


def test_paths_are_those_of_the_real_folder(root: Path) -> None:
    site, found = site_at(root / "sites", SITE, "HEAD~1")
    assert site.nvr
    assert site.nvr.connect.tls.value == str(root / ".ivn/lab/ca.pem")
    password = site.nvr.connect.password
    assert isinstance(password, SecretRef)
    assert password.base == str(root / "sites")
    assert site.path == str(root / "sites" / f"{SITE}.yml")
    assert site.places.place("/cameras/0").path == f"{found[:7]}:{SITE}.yml"
    assert "ivn-revision-" not in repr(site)


def test_the_private_folder_is_gone_afterwards(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    modes: list[int] = []
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    made = tempfile.TemporaryDirectory.__enter__

    def entered(self: tempfile.TemporaryDirectory[str]) -> str:
        modes.append(stat.S_IMODE(os.stat(self.name).st_mode))
        return made(self)

    monkeypatch.setattr(tempfile.TemporaryDirectory, "__enter__", entered)
    site_at(root / "sites", SITE, "HEAD")
    assert modes == [0o700]
    assert list(scratch.iterdir()) == []


def test_a_fleet_file_of_somebody_else_above_the_scratch_folder_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    Repo.init(str(plain)).close()
    alone = (ROOT / "sites" / f"{SITE}.yml").read_text()
    commit(plain, {f"{SITE}.yml": alone})
    scratch = tmp_path / "scratch"
    write(scratch, {"fleet.yml": EXAMPLES["sites/fleet.yml"]})
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    with pytest.raises(SpecError):  # without its fleet's file it is no whole site
        site_at(plain, SITE, "HEAD")


@pytest.mark.parametrize(
    ("revision", "words"),
    [
        ("v9", "there is no revision v9"),
        ("deadbeef", "there is no revision deadbeef"),
        ("HEAD^2", "there is no revision HEAD.2"),
        ("HEAD~9", "there is no revision HEAD~9"),
        ("-h", "is no name of a git revision"),
        ("a b", "is no name of a git revision"),
        ("HEAD:sites", "is no name of a git revision"),
        ("a" * 300, "is no name of a git revision"),
    ],
)
def test_no_such_revision(root: Path, revision: str, words: str) -> None:
    with pytest.raises(PlanError, match=words) as caught:
        site_at(root / "sites", SITE, revision)
    assert caught.value.next_step


def test_no_repository_no_folder_no_site(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / ".git").write_text("gitdir: nowhere")
    with pytest.raises(PlanError, match=r"cannot be read|there is no revision HEAD"):
        site_at(outside, SITE, "HEAD")
    (outside / ".git").unlink()
    with pytest.raises(PlanError, match="is in no git repository"):
        site_at(outside, SITE, "HEAD")
    write(root, {"elsewhere/fleet.yml": "labels: {}\n"})
    with pytest.raises(PlanError, match="HEAD has no folder elsewhere"):
        site_at(root / "elsewhere", SITE, "HEAD")
    with pytest.raises(PlanError, match="there is no site 'nobody'") as caught:
        site_at(root / "sites", "nobody", "HEAD")
    assert "ivn-revision-" not in str(caught.value) + caught.value.next_step


def test_errors_of_then_say_which_revision(root: Path) -> None:
    bad = commit(
        root, {f"sites/{SITE}.yml": EXAMPLES[f"sites/{SITE}.yml"].replace("number: 10", "number: ten")}
    )
    with pytest.raises(SpecError) as caught:
        site_at(root / "sites", SITE, "HEAD")
    places = {each.place.path for each in caught.value.diagnostics if each.place}
    assert f"{bad[:7]}:{SITE}.yml" in places
    assert not any("ivn-revision-" in repr(each) for each in caught.value.diagnostics)


def tree_of(repo: Repo, entries: Mapping[bytes, Entry]) -> bytes:
    tree = Tree()
    for name, (mode, content) in entries.items():
        if isinstance(content, dict):
            tree.add(name, mode, ObjectID(tree_of(repo, content)))
        elif stat.S_ISLNK(mode) or stat.S_ISREG(mode):
            blob = Blob.from_string(content)
            repo.object_store.add_object(blob)
            tree.add(name, mode, blob.id)
        else:
            tree.add(name, mode, ObjectID(content))
    repo.object_store.add_object(tree)
    return bytes(tree.id)


def crafted(root: Path, entries: dict[bytes, Entry]) -> str:
    """A commit that no ordinary tool would make: the fleet's folder holds `entries` besides its fleet file."""
    fleet: dict[bytes, Entry] = {b"fleet.yml": (0o100644, EXAMPLES["sites/fleet.yml"].encode())}
    with Repo(str(root)) as repo:
        made = Commit()
        made.tree = tree_of(repo, {b"sites": (0o040000, {**fleet, **entries})})
        made.author = made.committer = WHO
        made.commit_time = made.author_time = 0
        made.commit_timezone = made.author_timezone = 0
        made.message = b"hostile"
        repo.object_store.add_object(made)
        return made.id.decode()


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({b"harbor-marina.yml": (0o120000, b"/etc/passwd")}, "is a symbolic link"),
        ({b"groups": (0o120000, b"/etc")}, "is a symbolic link"),
        ({b"groups": (0o160000, b"1" * 40)}, "is another repository"),
        ({b"..": (0o040000, {b"evil.yml": (0o100644, b"x")})}, "a file of the name '..'"),
        ({b"a/../../evil.yml": (0o100644, b"x")}, "a file of the name 'a/../../evil.yml'"),
        ({b".GIT": (0o040000, {b"config": (0o100644, b"x")})}, "a file of the name '.GIT'"),
        ({f"{SITE}.yml".encode(): (0o100644, b"#" * 1_100_000)}, f"{SITE}.yml is too large"),
        ({b"groups": (0o040000, {b"x.yml": (0o100644, b"#" * 1_100_000)})}, r"x\.yml is too large"),
    ],
    ids=["link", "linked groups", "submodule", "dots", "slashes", "git", "huge", "huge group"],
)
def test_hostile_trees(root: Path, entries: dict[bytes, Entry], words: str) -> None:
    revision = crafted(root, entries)
    with pytest.raises(PlanError, match=words):
        site_at(root / "sites", SITE, revision)


def test_a_tree_that_holds_itself_many_times_over(root: Path) -> None:
    with Repo(str(root)) as repo:
        inner = tree_of(repo, {b"x.txt": (0o100644, b"x")})
        for _ in range(14):
            tree = Tree()
            for index in range(10):
                tree.add(b"d%d" % index, 0o040000, ObjectID(inner))
            repo.object_store.add_object(tree)
            inner = tree.id
    revision = crafted(root, {b"bomb": (0o040000, inner)})
    with pytest.raises(PlanError, match="more than 50000 files"):
        site_at(root / "sites", SITE, revision)


def test_links_and_submodules_that_are_no_part_of_a_fleet_do_no_harm(root: Path) -> None:
    files: dict[bytes, Entry] = {
        f"{SITE}.yml".encode(): (0o100644, EXAMPLES[f"sites/{SITE}.yml"].encode()),
        b"groups": (
            0o040000,
            {b"northeast.yml": (0o100644, EXAMPLES["sites/groups/northeast.yml"].encode())},
        ),
        b"docs": (0o120000, b"/etc"),
        b"vendor": (0o160000, b"1" * 40),
        b"caf\xe9.txt": (0o100644, b"x"),
    }
    assert labels(root, crafted(root, files))[1] == "Dry Dock Gate"


def test_a_damaged_repository(root: Path) -> None:
    for each in (root / ".git" / "objects").rglob("*"):
        if each.is_file():
            each.chmod(0o600)
            each.write_bytes(each.read_bytes()[:20])
    with pytest.raises(PlanError) as caught:
        site_at(root / "sites", SITE, "HEAD")
    assert caught.value.next_step


OTHER_SITE = "old-mill-storage"


def scratch_files(fleet: RevisionFleet) -> list[str]:
    return sorted(path.name for path in fleet._there.rglob("*.yml"))


def test_sites_are_loaded_one_by_one_and_not_kept(root: Path) -> None:
    with RevisionFleet(root / "sites", "HEAD") as fleet:
        levels = scratch_files(fleet)
        assert f"{SITE}.yml" not in levels
        assert "fleet.yml" in levels
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(fleet.site, [SITE, OTHER_SITE] * 4))
        assert [each.name for each in found] == [SITE, OTHER_SITE] * 4
        assert scratch_files(fleet) == levels
        assert fleet.has(OTHER_SITE)
        assert not fleet.has("fleet")
        assert not fleet.has("northeast")
        there = fleet._there
    assert not there.exists()


def test_two_sites_of_one_name(root: Path) -> None:
    commit(root, {f"sites/north/{SITE}.yml": EXAMPLES[f"sites/{SITE}.yml"]})
    with (
        RevisionFleet(root / "sites", "HEAD") as fleet,
        pytest.raises(PlanError, match="there is more than one site"),
    ):
        fleet.site(SITE)


def test_a_large_fleet_costs_only_the_sites_that_are_asked_for(root: Path) -> None:
    """The files of all sites together may be larger than what would be held in memory."""
    other = "# " + "x" * 900_000 + "\n"
    commit(root, {f"sites/large/s{index:03}.yml": f"{other}# {index}\n" for index in range(80)})
    with RevisionFleet(root / "sites", "HEAD") as fleet:
        assert fleet.site(SITE).name == SITE
        assert fleet.has("s079")
