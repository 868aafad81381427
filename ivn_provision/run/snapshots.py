"""Snapshots: what all objects of ours on a site were, content-addressed, below the state folder.

Each object is one file under the hash of its content, so that snapshots share what did not change. The raw
files of a recorder stay on the recorder; secrets are keyed hashes (docs/reference/journal.md).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ivn_provision.errors import StateError
from ivn_provision.model.resource import Address, Value
from ivn_provision.plan.plan import SitePlan
from ivn_provision.run.journal_lines import canonical
from ivn_provision.run.snapshot_values import KeyedHash, from_json, keyed, to_json
from ivn_provision.run.state import StateFolder, read_file, state_errors
from ivn_provision.strict_json import Node, check_sound

__all__ = ["KeyedHash", "Snapshot", "keep", "keyed", "load", "snapshots_of"]

ID = re.compile(r"snap-[0-9a-f]{12}")
_HASH = re.compile(r"[0-9a-f]{64}")
_NEXT = "see `ivn-provision history show RUN`"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a site's own objects were, by address. `at` and `run`: when this was first seen, and by which run.

    `targets` are those that were read: of another one it says nothing, not even that it was empty.
    """

    id: str
    site: str
    at: str
    run: str
    resources: Mapping[Address, Mapping[str, Value]]
    targets: tuple[str, ...] = ()


def keep(state: StateFolder, plan: SitePlan, run: str, at: str) -> str:
    """Write down what a plan read; the id of the snapshot. What was the same before is kept once.

    All of it is on disk when this returns. Raises StateError; then there is no such snapshot.
    """
    objects = {str(address): _rendered(state, fields) for address, fields in plan.live.items()}
    content = {
        "format": FORMAT,
        "site": plan.site,
        "targets": sorted(each.target for each in plan.facts),
        "objects": {address: _sha256(each) for address, each in objects.items()},
    }
    name = _id(content)
    if not _is_whole(state, name):
        state.write_all(_missing(state, objects.values()))
        document = {**content, "at": at, "run": run}
        text = canonical({**document, "mac": state.seal(canonical(document))})
        state.write(state.folder("snapshots") / f"{name}.json", text.encode() + b"\n")
    return name


def load(state: StateFolder, name: str) -> Snapshot:
    """A snapshot, every hash of it checked. Raises StateError."""
    if not ID.fullmatch(name):
        raise StateError(f"{name[:80]!r} is no id of a snapshot", next_step=_NEXT)
    path = state.path / "snapshots" / f"{name}.json"
    try:
        content = read_file(path)
    except FileNotFoundError as error:
        raise StateError(f"there is no snapshot {name} here", where=str(path), next_step=_NEXT) from error
    try:
        return _opened(state, name, content)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, name) from error


def snapshots_of(state: StateFolder, site: str) -> tuple[Snapshot, ...]:
    """Those of a site, the newest first. Raises StateError if one is damaged."""
    folder = state.path / "snapshots"
    with state_errors(folder):
        names = [each.stem for each in folder.iterdir()] if folder.is_dir() else []
    found = [load(state, name) for name in sorted(names) if ID.fullmatch(name)]
    return tuple(
        sorted((each for each in found if each.site == site), key=lambda each: each.at, reverse=True)
    )


def _rendered(state: StateFolder, fields: Mapping[str, Value]) -> bytes:
    return canonical({name: to_json(state, value) for name, value in fields.items()}).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _id(content: Mapping[str, object]) -> str:
    return f"snap-{_sha256(canonical(content).encode())[:12]}"


def _place(state: StateFolder, digest: str) -> Path:
    return state.path / "objects" / digest[:2] / digest


def _is_whole(state: StateFolder, name: str) -> bool:
    """Is the snapshot there and sound? A damaged one is written again, since what it shall hold is at hand."""
    try:
        return load(state, name).id == name
    except StateError:
        return False


def _missing(state: StateFolder, contents: Iterable[bytes]) -> dict[Path, bytes]:
    """What has to be written: objects that are not there, or not as they should be."""
    found = {}
    for content in contents:
        digest = _sha256(content)
        path = state.folder("objects", digest[:2]) / digest
        try:
            if read_file(path) == content:
                continue
        except (FileNotFoundError, StateError):
            pass
        found[path] = content
    return found


def _opened(state: StateFolder, name: str, content: bytes) -> Snapshot:
    """Raises ValueError (WrongShape is one) for what was not written so."""
    node = Node(json.loads(content))
    check_sound(node)
    sealed = {key: each.value for key, each in node.members() if key != "mac"}
    if not hmac.compare_digest(state.seal(canonical(sealed)).encode(), node["mac"].text().encode()):
        node.wrong("does not bear our seal")
    if _id({key: sealed.get(key) for key in ("format", "site", "targets", "objects")}) != name:
        node.wrong("has another id")
    node["format"].integer(FORMAT, FORMAT)
    objects = node["objects"].members()
    resources = {
        Address.parse(key): _object(state, name, each.text(_HASH, "a hash")) for key, each in objects
    }
    targets = tuple(each.text() for each in node["targets"].items())
    return Snapshot(name, node["site"].text(), node["at"].text(), node["run"].text(), resources, targets)


def _object(state: StateFolder, name: str, digest: str) -> dict[str, Value]:
    path = _place(state, digest)
    try:
        content = read_file(path)
    except FileNotFoundError as error:
        raise _damaged(path, name) from error
    if _sha256(content) != digest:
        raise _damaged(path, name)
    return {key: from_json(each.value) for key, each in Node(json.loads(content)).members()}


def _damaged(path: Path, name: str) -> StateError:
    return StateError(
        f"snapshot {name} is damaged or was edited",
        where=str(path),
        next_step="roll back to another snapshot, or to a git revision",
    )
