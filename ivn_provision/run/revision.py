"""The git revision of a fleet's files, and whether they differ from it. Read only, with dulwich.

Only the fleet's own files are compared, byte by byte: the index is not opened, and no filter or hook of the
repository's configuration is run.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ivn_provision.spec.discovery import fleet_root

if TYPE_CHECKING:
    from dulwich.repo import Repo

_SUFFIX = ".yml"
_DEEPEST = 32


def revision_of(folder: Path) -> tuple[str, bool]:
    """The hash of the commit that is checked out, and whether the fleet's `*.yml` differ from it.

    ("", False) where there is no repository, no commit, or none that can be read.
    """
    root = Path(fleet_root(str(folder))).resolve()
    repository = next((each for each in (root, *root.parents) if os.path.lexists(each / ".git")), None)
    if repository is None:
        return "", False
    from dulwich.errors import NotGitRepository
    from dulwich.repo import Repo

    try:
        with Repo(str(repository)) as repo:
            head = repo.head()
            committed = dict(_committed(repo, repo[head], root.relative_to(repository).parts))
    except (NotGitRepository, KeyError, OSError, ValueError, AttributeError):
        return "", False
    return head.decode(), not _is_same(committed, dict(files_there(root)))


def _committed(repo: Repo, commit: Any, parts: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Path below the fleet -> id of its blob, in the commit."""
    tree = repo[commit.tree]
    for part in parts:
        try:
            tree = repo[tree[os.fsencode(part)][1]]  # type: ignore[index]  # a tree, or there is no such folder
        except KeyError:
            return
    yield from _below(repo, tree, "", 0)


def _below(repo: Repo, tree: Any, above: str, depth: int) -> Iterator[tuple[str, str]]:
    for entry in tree.items():
        name = os.fsdecode(entry.path)
        if name.startswith(".") or depth > _DEEPEST:
            continue
        if stat.S_ISDIR(entry.mode):
            yield from _below(repo, repo[entry.sha], f"{above}{name}/", depth + 1)
        elif stat.S_ISREG(entry.mode) and name.endswith(_SUFFIX):
            yield f"{above}{name}", entry.sha.decode()


def files_there(root: Path) -> Iterator[tuple[str, Path]]:
    """Path below the fleet -> file, in the work tree: every `*.yml` but hidden ones and links."""
    for here, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            file = Path(here, name)
            if name.endswith(_SUFFIX) and not name.startswith(".") and not file.is_symlink():
                yield file.relative_to(root).as_posix(), file


def _is_same(committed: dict[str, str], there: dict[str, Path]) -> bool:
    return committed.keys() == there.keys() and all(
        is_blob(committed[name].encode(), file) for name, file in there.items()
    )


def is_blob(blob: bytes, file: Path) -> bool:
    """Is the file that blob, as it is or with the line ends that git may have made of it?"""
    from dulwich.objects import Blob

    try:
        content = file.read_bytes()
    except OSError:
        return False
    return any(Blob.from_string(each).id == blob for each in (content, content.replace(b"\r\n", b"\n")))
