"""The files of a fleet in one revision of its repository, read with dulwich: nothing is checked out or run.

Only the fleet's own `*.yml` are taken. What would be a link or another repository there is refused: a site would
silently be another one.
"""

from __future__ import annotations

import os
import re
import stat
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ivn_provision.errors import PlanError
from ivn_provision.spec.discovery import GROUPS, fleet_root

if TYPE_CHECKING:
    from dulwich.objects import Commit
    from dulwich.repo import Repo

_LARGEST = 1024 * 1024
_LARGEST_FLEET = 64 * _LARGEST
_MOST_ENTRIES = 50_000
_DEEPEST = 16
_SUFFIX = b".yml"
_REVISION = re.compile(r"([A-Za-z0-9][A-Za-z0-9._/-]{0,199})((?:~[0-9]{0,4}|\^[0-9]?){0,20})")
_STEP = re.compile(r"([~^])([0-9]*)")
_NOT_SAFE = "it is not read from a revision; make it a plain file, or roll back to a run or snapshot"


class NoFolder(PlanError):
    """The fleet's folder was not there."""


def repository_of(folder: Path, revision: str) -> tuple[Path, Path]:
    """The repository of a fleet, and the fleet's own folder; `revision` has the form of one. Raises PlanError."""
    if not _REVISION.fullmatch(revision) or len(revision) > 200:
        raise PlanError(
            f"{revision[:80]!r} is no name of a git revision", next_step="Give a hash, tag or branch."
        )
    root = Path(os.path.realpath(fleet_root(str(folder))))
    repository = next((each for each in (root, *root.parents) if os.path.lexists(each / ".git")), None)
    if repository is None:
        raise PlanError(
            f"{folder} is in no git repository",
            where=str(folder),
            next_step="Give a folder of a repository; runs and snapshots are known without one.",
        )
    return repository, root


def read_fleet(
    repository: Path, root: Path, revision: str, *, merge_base: bool = False
) -> tuple[str, Mapping[tuple[str, ...], bytes]]:
    """The commit's hash and the fleet's files in it. Raises PlanError.

    With `merge_base` it is the commit from which `revision` and HEAD part, as in `git diff REVISION...`.
    """
    from dulwich.errors import ChecksumMismatch, FileFormatException, NotGitRepository, WrongObjectException
    from dulwich.repo import Repo

    broken = (ChecksumMismatch, FileFormatException, NotGitRepository, WrongObjectException, zlib.error)
    try:
        with Repo(str(repository)) as repo:
            commit = commit_of(repo, repository, revision)
            if merge_base:
                commit = _parting(repo, repository, commit, revision)
            parts = root.relative_to(repository).parts
            return commit.id.decode(), dict(_Reader(repo, revision).fleet(commit.tree, parts))
    except (*broken, KeyError, ValueError, AttributeError, AssertionError, IndexError, OSError) as error:
        raise PlanError(
            f"the repository at {repository} cannot be read: {type(error).__name__}",
            where=str(repository),
            next_step="Check it with `git fsck`; a shallow clone lacks older revisions.",
        ) from error


def commit_of(repo: Repo, repository: Path, revision: str) -> Commit:
    """A branch, tag or hash (or the beginning of one), and from there to parents as git writes it: `~2`, `^`."""
    from dulwich.objectspec import AmbiguousShortId, parse_commit

    named = _REVISION.fullmatch(revision)
    assert named
    try:
        commit = parse_commit(repo, named[1].encode())
        for sign, number in _STEP.findall(named[2]):
            count = int(number or 1)
            if sign == "^" and count:
                commit = parse_commit(repo, commit.parents[count - 1])
            for _ in range(count if sign == "~" else 0):
                commit = parse_commit(repo, commit.parents[0])
    except (KeyError, ValueError, IndexError, AmbiguousShortId) as error:
        raise _unknown(repository, revision) from error
    return commit


def _parting(repo: Repo, repository: Path, commit: Commit, revision: str) -> Commit:
    from dulwich.graph import find_merge_base

    found = find_merge_base(repo, [repo.head(), commit.id])
    if not found:
        raise PlanError(
            f"{revision} and what is checked out have no commit in common",
            where=str(repository),
            next_step="A shallow clone lacks older commits: fetch more of them (`fetch-depth: 0`).",
        )
    return repo[found[0]]  # type: ignore[return-value] # a commit


def _unknown(repository: Path, revision: str) -> PlanError:
    return PlanError(
        f"there is no revision {revision} in {repository}, or more than one of that name",
        where=str(repository),
        next_step="Look for it with `git log --oneline`.",
    )


class _Reader:
    """Takes a fleet's files out of one revision; hostile trees end in a PlanError."""

    def __init__(self, repo: Repo, revision: str) -> None:
        self._repo = repo
        self._revision = revision
        self._entries = 0
        self._bytes = 0

    def fleet(self, tree: Any, parts: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], bytes]]:
        """The `*.yml` below the folder `parts` of a tree."""
        for part in parts:
            mode, tree = self._entry(tree, part)
            if not stat.S_ISDIR(mode):
                raise NoFolder(
                    f"{self._revision} has no folder {'/'.join(parts)}",
                    next_step="Choose a later revision: the fleet was somewhere else, or not there yet.",
                )
        yield from self._files(tree, ())

    def _entry(self, tree: Any, part: str) -> tuple[int, Any]:
        """Mode and hash; a mode of no folder where there is none."""
        try:
            return self._repo[tree][part.encode()]  # type: ignore[index,no-any-return] # a tree
        except KeyError:
            return 0, b""

    def _files(self, tree: Any, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], bytes]]:
        for entry in self._repo[tree].items():  # type: ignore[attr-defined] # a tree
            self._count(len(above))
            name = _safe(entry.path, above)
            wanted = entry.path.endswith(_SUFFIX)
            if stat.S_ISDIR(entry.mode):
                yield from self._files(entry.sha, (*above, name))
            elif stat.S_ISREG(entry.mode):
                if wanted:
                    yield (*above, name), self._content(entry.sha, "/".join((*above, name)))
            elif wanted or name == GROUPS:
                what = "a symbolic link" if stat.S_ISLNK(entry.mode) else "another repository"
                raise PlanError(
                    f"{'/'.join((*above, name))} is {what} in {self._revision}", next_step=_NOT_SAFE
                )

    def _count(self, depth: int) -> None:
        self._entries += 1
        if self._entries > _MOST_ENTRIES or depth > _DEEPEST:
            raise PlanError(
                f"the fleet's folder in {self._revision} has more than {_MOST_ENTRIES} files, or is deeper than "
                f"{_DEEPEST} folders",
                next_step="That is no fleet: name the right folder with --fleet.",
            )

    def _content(self, blob: bytes, path: str) -> bytes:
        content: bytes = self._repo[blob].as_raw_string()
        self._bytes += len(content)
        if len(content) > _LARGEST or self._bytes > _LARGEST_FLEET:
            raise PlanError(f"{path} is too large in {self._revision} for a site file", next_step=_NOT_SAFE)
        return content


def _safe(path: bytes, above: tuple[str, ...]) -> str:
    """The name of an entry. Git itself makes none that leads elsewhere; whoever wrote this one means harm."""
    name = path.decode("utf-8", "backslashreplace")
    if name in {"", ".", ".."} or name.lower() == ".git" or set(name) & {"/", "\0"}:
        raise PlanError(
            f"the revision holds a file of the name {name!r} in {'/'.join(above) or 'its fleet'}",
            next_step="Find out who made that commit; nothing of it was used.",
        )
    return name
