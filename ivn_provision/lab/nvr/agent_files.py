"""The agent's file verbs over an emulated file tree: read, back up, write with compare-and-swap."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ivn_provision.lab.nvr.agent_redact import redacted
from ivn_provision.lab.nvr.agent_values import (
    AgentRefusal,
    Json,
    Object,
    bad_arguments,
    base64_text,
    canonical,
    items,
    items_value,
    objects,
    text,
    texts,
    unbase64,
    whole_value,
)
from ivn_provision.lab.nvr.tree import BadPath, WindowsTree

LARGEST_FILE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Write:
    path: str
    place: Path
    content: bytes


def located(tree: WindowsTree, path: str) -> Path:
    """The place of a path named by a request; a path that Windows would not take is bad arguments."""
    try:
        return tree.locate(path)
    except BadPath as error:
        raise bad_arguments() from error


def sha256(content: bytes) -> str:
    """Lower-case hex."""
    return hashlib.sha256(content).hexdigest()


def read_files(arguments: Object, tree: WindowsTree) -> Object:
    """Verb `read_files`."""
    key = unbase64(arguments.get("redact_key"))
    wanted = [(text(each, "path"), texts(each, "redact")) for each in objects(arguments, "files")]
    return {"files": [_read(tree, path, names, key) for path, names in wanted]}


def _read(tree: WindowsTree, path: str, names: list[str], key: bytes) -> Object:
    place = located(tree, path)
    if not place.is_file():
        return {"path": path, "exists": False}
    if place.stat().st_size > LARGEST_FILE:
        raise AgentRefusal("too_large", "the file is larger than 64 MiB", path)
    content = place.read_bytes()
    shown = base64_text(redacted(content, names, key))
    return {"path": path, "exists": True, "size": len(content), "sha256": sha256(content), "content": shown}


def backup(arguments: Object, tree: WindowsTree) -> Object:
    """Verb `backup`: copies into a new folder, the manifest last."""
    to, paths = text(arguments, "to"), texts(arguments, "paths")
    folder = located(tree, to)
    if folder.exists():
        raise AgentRefusal("exists", "the backup folder exists already", to)
    sources = [_existing(tree, path) for path in paths]
    folder.mkdir(parents=True)
    files = [
        _stored(path, source, folder, n)
        for n, (path, source) in enumerate(zip(paths, sources, strict=True), 1)
    ]
    (folder / "manifest.json").write_bytes(canonical({"files": files, "protocol": 1}))
    return {"to": to, "files": files}


def _stored(path: str, source: Path, folder: Path, number: int) -> Object:
    content = source.read_bytes()
    name = f"{number:04d}-{path.rsplit(chr(92), 1)[-1]}"
    (folder / name).write_bytes(content)
    return {"path": path, "sha256": sha256(content), "stored": name}


def _existing(tree: WindowsTree, path: str) -> Path:
    place = located(tree, path)
    if not place.is_file():
        raise AgentRefusal("missing", "the file does not exist", path)
    return place


def write_files(arguments: Object, tree: WindowsTree, wrote: Callable[[str], None]) -> Object:
    """Verb `write_files`: every file is compared before the first is written; `wrote` hears of each."""
    wanted = objects(arguments, "files")
    for each in wanted:
        _check_shape(each)
    bases = [_base(each, tree) for each in wanted]
    writes = [_planned(each, tree, base) for each, base in zip(wanted, bases, strict=True)]
    _replace_all(writes)
    for write in writes:
        wrote(write.path)
    done: list[Json] = [{"path": w.path, "sha256": sha256(w.content), "size": len(w.content)} for w in writes]
    return {"files": done}


def _check_shape(wanted: Object) -> None:
    text(wanted, "path"), text(wanted, "base_sha256"), _announced(wanted)
    _splices(wanted)


def _announced(wanted: Object) -> str:
    """The announced hash of the result; "" if the client could not know it (it sees redacted bytes)."""
    return text(wanted, "result_sha256") if "result_sha256" in wanted else ""


def _splices(wanted: Object) -> list[tuple[int, int, bytes]]:
    found = []
    for each in items(wanted, "splices"):
        parts = items_value(each)
        if len(parts) != 3:
            raise bad_arguments()
        found.append((whole_value(parts[0]), whole_value(parts[1]), unbase64(parts[2])))
    return found


def _base(wanted: Object, tree: WindowsTree) -> bytes:
    path = text(wanted, "path")
    base = _existing(tree, path).read_bytes()
    if sha256(base) != text(wanted, "base_sha256"):
        raise AgentRefusal("conflict", "the file changed since it was read", path)
    return base


def _planned(wanted: Object, tree: WindowsTree, base: bytes) -> _Write:
    path = text(wanted, "path")
    result = _spliced(base, _splices(wanted), path)
    if _announced(wanted) and sha256(result) != _announced(wanted):
        raise AgentRefusal("bad_request", "the result is not the one that was announced", path)
    return _Write(path, located(tree, path), result)


def _spliced(base: bytes, splices: Iterable[tuple[int, int, bytes]], path: str) -> bytes:
    pieces, end = [], 0
    for offset, length, content in splices:
        if offset < end or length < 0 or offset + length > len(base):
            raise AgentRefusal("bad_request", "splices must be ascending and inside the file", path)
        pieces += [base[end:offset], content]
        end = offset + length
    return b"".join([*pieces, base[end:]])


def _replace_all(writes: list[_Write]) -> None:
    done: list[_Write] = []
    for write in writes:
        try:
            _replace(write)
        except OSError as error:
            _put_back(done)
            raise AgentRefusal("io", "the file could not be written", write.path) from error
        done.append(write)
    for write in done:
        _beside(write.place, ".ivn-old").unlink(missing_ok=True)


def _replace(write: _Write) -> None:
    new, old = _beside(write.place, ".ivn-new"), _beside(write.place, ".ivn-old")
    old.write_bytes(write.place.read_bytes())
    try:
        new.write_bytes(write.content)
        new.replace(write.place)
    except OSError:
        old.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise


def _put_back(done: list[_Write]) -> None:
    for write in reversed(done):
        _beside(write.place, ".ivn-old").replace(write.place)


def _beside(place: Path, suffix: str) -> Path:
    return place.with_name(place.name + suffix)
