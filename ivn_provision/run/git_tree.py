"""The files of a fleet in revisions of its repository: read only, with dulwich. Neither work tree nor index is touched.

Only `*.yml` are looked at, no filter or hook is run, and a hostile tree ends in a PlanError.
"""

from __future__ import annotations

import os
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ivn_provision.errors import PlanError
from ivn_provision.spec.discovery import GROUPS, fleet_root

if TYPE_CHECKING:
    from dulwich.objects import Commit

Parts = tuple[str, ...]
NOT_SAFE = "it is not read from a revision; make it a plain file, or roll back to a run or snapshot"
_LARGEST = 1024 * 1024
_MOST_ENTRIES = 50_000
_DEEPEST = 16
_SUFFIX = b".yml"
_REVISION = re.compile(r"([A-Za-z0-9][A-Za-z0-9._/-]{0,199})((?:~[0-9]{0,4}|\^[0-9]?){0,20})")
_STEP = re.compile(r"([~^])([0-9]*)")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a revision by the id of its content. `odd` says what it is if it is no plain file."""

    blob: bytes
    odd: str = ""


def check_name(revision: str) -> re.Match[str]:
    """The parts of what has the form of a revision. Raises PlanError: no option, and nothing but a commit."""
    named = _REVISION.fullmatch(revision)
    if not named or len(revision) > 200:
        raise PlanError(
            f"{revision[:80]!r} is no name of a git revision", next_step="Give a hash, tag or branch."
        )
    return named


class FleetRepository:
    """The repository that a fleet's folder is in. To be closed; for one thread at a time.

    `root` is the fleet's folder and `path` the repository's, both without links.
    """

    def __init__(self, folder: Path) -> None:
        """Raises PlanError if there is none, or none that can be read."""
        from dulwich.repo import Repo

        self.root = Path(os.path.realpath(fleet_root(str(folder))))
        found = next(
            (each for each in (self.root, *self.root.parents) if os.path.lexists(each / ".git")), None
        )
        if found is None:
            raise PlanError(
                f"{folder} is in no git repository",
                where=str(folder),
                next_step="Give a folder of a repository; runs and snapshots are known without one.",
            )
        self.path = found
        with self._sound():
            self._repo = Repo(str(found))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._repo.close()

    def commit_of(self, revision: str) -> str:
        """The hash of a branch, tag, hash or the beginning of one, and from there `~2`, `^`. Raises PlanError."""
        with self._sound():
            return self._commit(revision).id.decode()

    def fork_of(self, revision: str) -> str:
        """Where what is checked out left `revision`: their merge base, as `git diff REV...` has it. Raises PlanError."""
        from dulwich.graph import find_merge_base

        with self._sound():
            commits = [self._commit(revision).id, self._commit("HEAD").id]
            found = find_merge_base(self._repo, commits)
        if not found:
            raise PlanError(
                f"{revision} and what is checked out have no commit in common",
                where=str(self.path),
                next_step="A shallow clone lacks it: fetch the whole history (`git fetch --unshallow`).",
            )
        return found[0].decode()

    def files_of(self, commit: str, revision: str) -> dict[Parts, Entry] | None:
        """Every `*.yml` below the fleet's folder in a commit, by its parts from there; None without that folder.

        `revision` is what people call it. Raises PlanError.
        """
        with self._sound():
            tree = self._repo[commit.encode()].tree  # type: ignore[attr-defined] # a commit
            for part in self.root.relative_to(self.path).parts:
                mode, tree = self._below(tree, part)
                if not stat.S_ISDIR(mode):
                    return None
            return dict(_Listing(self._repo, revision).files(tree, ()))

    def content(self, entry: Entry, path: str, revision: str) -> bytes:
        """A file's content. Raises PlanError if it is too large for a site file."""
        with self._sound():
            content: bytes = self._repo[entry.blob].as_raw_string()
        if len(content) > _LARGEST:
            raise PlanError(f"{path} is too large in {revision} for a site file", next_step=NOT_SAFE)
        return content

    @contextmanager
    def _sound(self) -> Iterator[None]:
        """What a damaged repository makes of dulwich is a PlanError."""
        from dulwich.errors import (
            ChecksumMismatch,
            FileFormatException,
            NotGitRepository,
            WrongObjectException,
        )

        broken = (ChecksumMismatch, FileFormatException, NotGitRepository, WrongObjectException, zlib.error)
        try:
            yield
        except (*broken, KeyError, ValueError, AttributeError, AssertionError, IndexError, OSError) as error:
            raise PlanError(
                f"the repository at {self.path} cannot be read: {type(error).__name__}",
                where=str(self.path),
                next_step="Check it with `git fsck`; a shallow clone lacks older revisions.",
            ) from error

    def _commit(self, revision: str) -> Commit:
        from dulwich.objectspec import AmbiguousShortId, parse_commit

        named = check_name(revision)
        try:
            commit = parse_commit(self._repo, named[1].encode())
            for sign, number in _STEP.findall(named[2]):
                count = int(number or 1)
                if sign == "^" and count:
                    commit = parse_commit(self._repo, commit.parents[count - 1])
                for _ in range(count if sign == "~" else 0):
                    commit = parse_commit(self._repo, commit.parents[0])
        except (KeyError, ValueError, IndexError, AmbiguousShortId) as error:
            raise PlanError(
                f"there is no revision {revision} in {self.path}, or more than one of that name",
                where=str(self.path),
                next_step="Look for it with `git log --oneline`.",
            ) from error
        return commit

    def _below(self, tree: Any, part: str) -> tuple[int, Any]:
        """Mode and id; a mode of no folder where there is none."""
        try:
            return self._repo[tree][part.encode()]  # type: ignore[index,no-any-return] # a tree
        except KeyError:
            return 0, b""


class _Listing:
    """Goes through the trees of one revision, and no further than any fleet would lead."""

    def __init__(self, repo: Any, revision: str) -> None:
        self._repo = repo
        self._revision = revision
        self._entries = 0

    def files(self, tree: Any, above: Parts) -> Iterator[tuple[Parts, Entry]]:
        for entry in self._repo[tree].items():
            self._count(len(above))
            name = _safe(entry.path, above)
            wanted = entry.path.endswith(_SUFFIX)
            if stat.S_ISDIR(entry.mode):
                yield from self.files(entry.sha, (*above, name))
            elif stat.S_ISREG(entry.mode):
                if wanted:
                    yield (*above, name), Entry(entry.sha)
            elif wanted or name == GROUPS:
                odd = "a symbolic link" if stat.S_ISLNK(entry.mode) else "another repository"
                yield (*above, name), Entry(entry.sha, odd)

    def _count(self, depth: int) -> None:
        self._entries += 1
        if self._entries > _MOST_ENTRIES or depth > _DEEPEST:
            raise PlanError(
                f"the fleet's folder in {self._revision} has more than {_MOST_ENTRIES} files, or is deeper than "
                f"{_DEEPEST} folders",
                next_step="That is no fleet: name the right folder with --fleet.",
            )


def _safe(path: bytes, above: Parts) -> str:
    """The name of an entry. Git itself makes none that leads elsewhere; whoever wrote this one means harm."""
    name = path.decode("utf-8", "backslashreplace")
    if name in {"", ".", ".."} or name.lower() == ".git" or set(name) & {"/", "\0"}:
        raise PlanError(
            f"the revision holds a file of the name {name!r} in {'/'.join(above) or 'its fleet'}",
            next_step="Find out who made that commit; nothing of it was used.",
        )
    return name
