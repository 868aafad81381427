"""The folder `.ivn`: what the tool keeps on its own machine. Owner-only, and sealed with a key of its own.

It is no state of any site: live is the state. It holds journals, snapshots and the marks of used plans
(docs/reference/journal.md).
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ivn_provision.errors import StateError

_KEY = re.compile(rb"[0-9a-f]{64}\n?")
_MOST = 256 * 1024 * 1024
_SEALED = ("runs", "plays", "snapshots")


@dataclass(frozen=True, slots=True)
class StateFolder:
    """`path` is usually `.ivn`. `given_key` stands for the key of the folder, where machines share one. `journals`
    is the folder below it that journals are kept in: `runs`, or `plays`."""

    path: Path
    given_key: bytes = b""
    journals: str = "runs"

    def key(self) -> bytes:
        """The given key, or that of the folder, which is made where nothing was sealed yet.

        Raises StateError for a key that is damaged, or missing where journals or snapshots need it.
        """
        if self.given_key:
            return self.given_key
        file = self.path / "key"
        try:
            content = read_file(file, 1024)
        except FileNotFoundError:
            self._make_key(file)
            content = read_file(file, 1024)
        if not _KEY.fullmatch(content):
            raise StateError(
                "the key of the state folder is damaged",
                where=str(file),
                next_step="put it back from a copy; without it earlier journals and plans cannot be verified",
            )
        return content.strip()

    def key_id(self) -> str:
        """16 hex digits that tell keys apart and say nothing of them."""
        return hashlib.sha256(b"ivn-provision key id" + self.key()).hexdigest()[:16]

    def seal(self, text: str) -> str:
        """HMAC-SHA256 of a text under the key, in hex."""
        return seal_with(self.key(), text)

    def folder(self, *parts: str) -> Path:
        """A folder below, made if it is missing; only its owner may look into it."""
        found = self.path
        with state_errors(found):
            for part in ("", *parts):
                found = found / part if part else found
                _private_folder(found)
        return found

    def write(self, path: Path, content: bytes) -> None:
        """A whole file or none, on disk when this returns. Raises StateError."""
        self.write_all({path: content})

    def write_all(self, files: Mapping[Path, bytes]) -> None:
        """Each a whole file or none, all on disk when this returns: many are much quicker than one by one.

        Raises StateError; some may be there then.
        """
        new = {path: path.with_name(f".{path.name}.{secrets.token_hex(4)}") for path in files}
        with state_errors(next(iter(files), self.path)):
            try:
                for path, content in files.items():
                    _write_new(new[path], content)
                for path in files:
                    _sync(new[path], os.O_WRONLY)
                    os.replace(new[path], path)
                for folder in {path.parent for path in files}:
                    sync_folder(folder)
            except BaseException:
                for path in new.values():
                    with suppress(OSError):
                        path.unlink()
                raise

    def _make_key(self, file: Path) -> None:
        """Two that start at once end up with one key: the first link wins."""
        self._refuse_a_second_key(file)
        self.folder()
        new = file.with_name(f".key.{secrets.token_hex(4)}")
        with state_errors(file):
            try:
                _write_new(new, secrets.token_hex(32).encode() + b"\n")
                _sync(new, os.O_WRONLY)
                with suppress(FileExistsError):
                    os.link(new, file)
                sync_folder(file.parent)
            finally:
                with suppress(OSError):
                    new.unlink()

    def _refuse_a_second_key(self, file: Path) -> None:
        """With another key all that was sealed before would look edited."""
        with state_errors(self.path):
            sealed = [name for name in _SEALED if _has_entries(self.path / name)]
            if sealed and not file.exists():
                raise StateError(
                    f"the key of the state folder is missing, and {' and '.join(sealed)} there are sealed with it",
                    where=str(file),
                    next_step="put the key back from a copy, or give it as IVN_PROVISION_KEY if it came from "
                    f"there; or move {self.path} away and begin anew",
                )


def seal_with(key: bytes, text: str) -> str:
    """HMAC-SHA256 in hex."""
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def read_file(path: Path, most: int = _MOST) -> bytes:
    """The content of a regular file. Raises FileNotFoundError, and StateError for everything else."""
    try:
        with state_errors(path):
            return _read(path, most)
    except StateError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise error.__cause__ from None
        raise


def sync_folder(path: Path) -> None:
    """A new name in a folder is on disk when this returns."""
    _sync(path, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def state_errors(path: Path) -> Iterator[None]:
    """What the operating system refuses below `path`, as a StateError."""
    try:
        yield
    except OSError as error:
        raise StateError(
            f"cannot use {path}: {error.strerror}", where=str(path), next_step=_next_step(error)
        ) from error


def _next_step(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return "make room, then run the command again"
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return "run it as the owner of the folder, or correct the rights"
    return "look at what is there, and move it away if it is not the tool's"


def _read(path: Path, most: int) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as stream:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise StateError(f"{path} is not a regular file", where=str(path), next_step="move it away")
        content = stream.read(most + 1) if found.st_size <= most else b""
    if found.st_size > most or len(content) > most:
        raise StateError(f"{path} is too large to be ours", where=str(path), next_step="move it away")
    return content


def _write_new(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        os.fchmod(handle, 0o600)  # whatever the umask took away
        stream.write(content)


def _private_folder(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        if not path.is_dir():
            raise
    else:
        path.chmod(0o700)
        sync_folder(path.parent)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        path.chmod(0o700)


def _has_entries(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except FileNotFoundError:
        return False
