"""The agent's file verbs on the emulated machine: read, compare, write with compare-and-swap."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ivn_provision.lab.nvr.agent_machine import AgentRun, Windows
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


def read_files(step: Object, windows: Windows) -> Object:
    """Verb `read_files`."""
    key = unbase64(step.get("redact_key"))
    wanted = [(text(each, "path"), texts(each, "redact")) for each in objects(step, "files")]
    return {"files": [_read(windows, path, names, key) for path, names in wanted]}


def _read(windows: Windows, path: str, names: list[str], key: bytes) -> Object:
    if not located(windows.tree, path).is_file():
        return {"path": path, "exists": False}
    content = content_of(windows, path)
    shown = base64_text(redacted(content, names, key))
    return {"path": path, "exists": True, "size": len(content), "sha256": sha256(content), "content": shown}


def existing(windows: Windows, path: str) -> Path:
    """The place of a file that exists and can be opened for reading."""
    place = located(windows.tree, path)
    if not place.is_file():
        raise AgentRefusal("missing", "the file does not exist", path)
    if not windows.readable(path):
        raise AgentRefusal("locked", "another process holds the file", path)
    return place


def content_of(windows: Windows, path: str) -> bytes:
    """The bytes of a file that exists and is not too large."""
    place = existing(windows, path)
    if place.stat().st_size > LARGEST_FILE:
        raise AgentRefusal("too_large", "the file is larger than 64 MiB", path)
    return place.read_bytes()


def require_unchanged(step: Object, run: AgentRun) -> Object:
    """Verb `require_unchanged`: the hash given, or the one that this request wrote."""
    for path, wanted in [(text(each, "path"), text(each, "sha256")) for each in objects(step, "files")]:
        known = run.written.get(located(run.windows.tree, path), "") if wanted == "written" else wanted
        if not known:
            raise AgentRefusal("bad_request", "no step of this request wrote the file", path)
        if sha256(existing(run.windows, path).read_bytes()) != known:
            since = "written" if wanted == "written" else "read"
            raise AgentRefusal("conflict", f"the file changed since it was {since}", path)
    return {}


def write_files(step: Object, run: AgentRun) -> Object:
    """Verb `write_files`: every file is compared before the first is written."""
    wanted = objects(step, "files")
    for each in wanted:
        _check_shape(each)
    record = located(run.windows.tree, text(step, "record")) if "record" in step else None
    bases = [_base(each, run.windows) for each in wanted]
    writes = [_planned(each, run.windows, base) for each, base in zip(wanted, bases, strict=True)]
    if record is not None:
        _record(text(step, "record"), record, writes, run.windows)
    _replace_all(writes, run.windows)
    for write, base in zip(writes, bases, strict=True):
        run.windows.wrote(write.path, sha256(base))
        run.written[write.place] = sha256(write.content)
    done: list[Json] = [{"path": w.path, "sha256": sha256(w.content), "size": len(w.content)} for w in writes]
    return {"files": done}


def _record(folder: str, place: Path, writes: list[_Write], windows: Windows) -> None:
    """Argument `record` of `write_files`: what is about to be written, for a revert to know it again."""
    if not place.is_dir():
        raise AgentRefusal("missing", "the folder does not exist", folder)
    known: dict[str, Json] = {each.path: sha256(each.content) for each in writes}
    place_whole(f"{folder}\\written.json", canonical(known), windows)


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


def _base(wanted: Object, windows: Windows) -> bytes:
    path = text(wanted, "path")
    base = content_of(windows, path)
    if sha256(base) != text(wanted, "base_sha256"):
        raise AgentRefusal("conflict", "the file changed since it was read", path)
    return base


def _planned(wanted: Object, windows: Windows, base: bytes) -> _Write:
    path = text(wanted, "path")
    result = _spliced(base, _splices(wanted), path)
    if _announced(wanted) and sha256(result) != _announced(wanted):
        raise AgentRefusal("bad_request", "the result is not the one that was announced", path)
    return _Write(path, located(windows.tree, path), result)


def _spliced(base: bytes, splices: Iterable[tuple[int, int, bytes]], path: str) -> bytes:
    pieces, end = [], 0
    for offset, length, content in splices:
        if offset < end or length < 0 or offset + length > len(base):
            raise AgentRefusal("bad_request", "splices must be ascending and inside the file", path)
        pieces += [base[end:offset], content]
        end = offset + length
    return b"".join([*pieces, base[end:]])


def _replace_all(writes: list[_Write], windows: Windows) -> None:
    done: list[_Write] = []
    for write in writes:
        try:
            replace(write.path, write.place, write.content, windows)
        except OSError as error:
            _put_back(done)
            raise AgentRefusal("io", "the file could not be written", write.path) from error
        done.append(write)
    for write in done:
        beside(write.place, ".ivn-old").unlink(missing_ok=True)


def replace(path: str, place: Path, content: bytes, windows: Windows) -> None:
    """Put the content in the file's place in one step; the old one stays as `.ivn-old`. Raises OSError."""
    if not (windows.room(len(content)) and windows.writable(path)):
        raise OSError(path)
    new, old = beside(place, ".ivn-new"), beside(place, ".ivn-old")
    if place.is_file():
        old.write_bytes(place.read_bytes())
    try:
        new.write_bytes(content)
        new.replace(place)
    except OSError:
        old.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise


def place_whole(path: str, content: bytes, windows: Windows) -> None:
    """Put the content in the file's place, or make the file; nothing else stays. Raises AgentRefusal."""
    place = located(windows.tree, path)
    try:
        replace(path, place, content, windows)
    except OSError as error:
        raise AgentRefusal("io", "the file could not be written", path) from error
    with contextlib.suppress(OSError):
        beside(place, ".ivn-old").unlink(missing_ok=True)


def _put_back(done: list[_Write]) -> None:
    for write in reversed(done):
        beside(write.place, ".ivn-old").replace(write.place)


def beside(place: Path, suffix: str) -> Path:
    """The file's name with the suffix, in the same folder."""
    return place.with_name(place.name + suffix)
