"""The git revision of a fleet: read without touching work tree, index or anything in `.git`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from dulwich import porcelain
from dulwich.repo import Repo

from ivn_provision.run.revision import revision_of

WHO = b"a <a@example.invalid>"
FILES = {
    "sites/fleet.yml": "a: 1\n",
    "sites/north/one.yml": "b: 1\r\n",
    "sites/notes.txt": "x",
    "README": "y",
}


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    write(root, FILES)
    repo = Repo.init(str(root))
    porcelain.add(repo, [str(root / name) for name in FILES])
    porcelain.commit(repo, b"first", committer=WHO, author=WHO)
    repo.close()
    return root


def head(root: Path) -> str:
    with Repo(str(root)) as repo:
        return repo.head().decode()


def everything(root: Path) -> dict[str, tuple[str, int]]:
    return {
        path.relative_to(root).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in root.rglob("*")
        if path.is_file()
    }


def test_a_clean_fleet_is_its_commit(repository: Path) -> None:
    before = everything(repository)
    assert revision_of(repository / "sites") == (head(repository), False)
    assert revision_of(repository / "sites" / "north") == (head(repository), False), "of the whole fleet"
    assert everything(repository) == before


EDITS: Mapping[str, tuple[Callable[[Path], object], bool]] = {
    "edited": (lambda sites: write(sites, {"north/one.yml": "b: 2\n"}), True),
    "new": (lambda sites: write(sites, {"north/two.yml": "b: 2\n"}), True),
    "removed": (lambda sites: (sites / "fleet.yml").unlink(), True),
    "moved": (lambda sites: (sites / "fleet.yml").rename(sites / "fleet2.yml"), True),
    "another file": (lambda sites: write(sites, {"notes.txt": "z", "new.txt": "z"}), False),
    "outside": (lambda sites: write(sites.parent, {"README": "z", "other.yml": "z"}), False),
    "hidden": (lambda sites: write(sites, {".ivn/cache/x.yml": "z", ".x.yml": "z"}), False),
}


@pytest.mark.parametrize("edit", EDITS)
def test_only_other_site_files_make_it_dirty(edit: str, repository: Path) -> None:
    action, is_dirty = EDITS[edit]
    action(repository / "sites")
    assert revision_of(repository / "sites") == (head(repository), is_dirty)


def test_line_ends_that_git_made_are_no_difference(repository: Path) -> None:
    (repository / "sites" / "fleet.yml").write_bytes(b"a: 1\r\n")
    assert revision_of(repository / "sites")[1] is False


def test_a_staged_change_is_a_difference(repository: Path) -> None:
    write(repository, {"sites/fleet.yml": "a: 2\n"})
    with Repo(str(repository)) as repo:
        porcelain.add(repo, [str(repository / "sites" / "fleet.yml")])
    assert revision_of(repository / "sites") == (head(repository), True)


def test_no_program_of_the_repository_is_run(repository: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    with Repo(str(repository)) as repo:
        config = repo.get_config()
        config.set((b"filter", b"x"), b"clean", f"touch {ran}".encode())
        config.set((b"core",), b"fsmonitor", f"touch {ran}".encode())
        config.write_to_path()
    write(repository, {".gitattributes": "*.yml filter=x\n", "sites/fleet.yml": "a: 2\n"})
    assert revision_of(repository / "sites")[1] is True
    assert not ran.exists()


def test_without_a_repository_there_is_no_revision(tmp_path: Path) -> None:
    assert revision_of(tmp_path) == ("", False)
    assert revision_of(tmp_path / "missing") == ("", False)


def test_without_a_commit_there_is_no_revision(tmp_path: Path) -> None:
    Repo.init(str(tmp_path)).close()
    assert revision_of(tmp_path) == ("", False)


@pytest.mark.parametrize("content", ["", "gitdir: nowhere\n", "\x00\xff"])
def test_a_broken_repository_is_none(content: str, tmp_path: Path) -> None:
    (tmp_path / ".git").write_text(content, encoding="utf-8")
    assert revision_of(tmp_path) == ("", False)


def test_a_fleet_that_was_never_committed_is_dirty(repository: Path) -> None:
    write(repository, {"others/fleet.yml": "a: 1\n"})
    assert revision_of(repository / "others") == (head(repository), True)
