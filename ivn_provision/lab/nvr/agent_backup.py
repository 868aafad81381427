"""The agent's verbs `backup` and `restore` on the emulated machine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ivn_provision.lab.nvr.agent_files import existing, located, place_whole, sha256
from ivn_provision.lab.nvr.agent_folders import Found, folder_named, sorted_below
from ivn_provision.lab.nvr.agent_machine import Windows
from ivn_provision.lab.nvr.agent_values import (
    AgentRefusal,
    Json,
    Object,
    bad_arguments,
    canonical,
    objects,
    text,
    texts,
)
from ivn_provision.lab.nvr.tree import BadPath, WindowsTree

_DEPTH = 4
_MOST_FILES = 2_000
_MOST_BYTES = 512 * 1024 * 1024


def backup(step: Object, windows: Windows) -> Object:
    """Verb `backup`: copies into a new folder, the manifest last."""
    to, paths, folders = text(step, "to"), texts(step, "paths"), texts({"folders": [], **step}, "folders")
    target = located(windows.tree, to)
    if target.exists():
        raise AgentRefusal("exists", "the backup folder exists already", to)
    named = [Found(path, existing(windows, path)) for path in paths]
    below = sorted_below([(each, folder_named(windows, each)) for each in folders], _DEPTH)
    more = [each for each in below if each.place not in {file.place for file in named}]
    _check_size([*named, *(each for each in more if not each.too_deep)], to)
    try:
        return {"to": to, **_copied(named, more, target, windows)}
    except OSError as error:
        raise AgentRefusal("io", "the file could not be written", to) from error


def _check_size(files: list[Found], to: str) -> None:
    if len(files) > _MOST_FILES or sum(each.place.stat().st_size for each in files) > _MOST_BYTES:
        raise AgentRefusal("too_large", "the backup is larger than 2000 files or 512 MiB", to)


def _copied(named: list[Found], more: list[Found], target: Path, windows: Windows) -> Object:
    target.mkdir(parents=True)
    files: list[Json] = [_stored(each, target, n, windows, named=True) for n, each in enumerate(named, 1)]
    skipped: list[Json] = []
    for each in more:
        if each.too_deep or not windows.readable(each.path):
            skipped.append(each.path)
        else:
            files.append(_stored(each, target, len(files) + 1, windows, named=False))
    manifest: dict[str, Json] = {"files": files, "skipped": skipped}
    (target / "manifest.json").write_bytes(canonical({**manifest, "protocol": 1}))
    return manifest


def _stored(file: Found, target: Path, number: int, windows: Windows, *, named: bool) -> Json:
    content = file.place.read_bytes()
    if not windows.room(len(content)):
        raise OSError(file.path)
    name = f"{number:04d}-{file.path.rsplit(chr(92), 1)[-1]}"
    (target / name).write_bytes(content)
    return {"named": named, "path": file.path, "sha256": sha256(content), "stored": name}


@dataclass(frozen=True, slots=True)
class _Kept:
    path: str
    place: Path
    content: bytes


def restore(step: Object, windows: Windows) -> Object:
    """Verb `restore`: every copy is checked before the first file is put back."""
    source, everything = text(step, "from"), step.get("everything", False)
    if not isinstance(everything, bool):
        raise bad_arguments()
    rows = [each for each in manifest_of(source, windows) if everything or each["named"]]
    kept = [_kept(each, source, windows.tree) for each in rows]
    failed: AgentRefusal | None = None
    files: list[Json] = []
    for each in kept:
        try:
            files.append({"path": each.path, "restored": _put_back(each, windows)})
        except AgentRefusal as refusal:
            failed = failed or refusal
    if failed is not None:
        raise failed
    return {"from": source, "files": files}


def manifest_of(source: str, windows: Windows) -> list[Object]:
    """The rows of a backup's manifest. Raises AgentRefusal."""
    place = located(windows.tree, source) / "manifest.json"
    if not place.is_file():
        raise AgentRefusal("missing", "the backup does not exist or is not complete", source)
    try:
        manifest = json.loads(place.read_bytes().decode("ascii"))
        rows = objects(manifest if isinstance(manifest, dict) else {}, "files")
        for each in rows:
            text(each, "path"), text(each, "sha256"), text(each, "stored")
            if not isinstance(each.get("named"), bool):
                raise bad_arguments()
    except (ValueError, RecursionError, AgentRefusal) as error:
        raise AgentRefusal("damaged", "the backup is damaged", source) from error
    return rows


def _kept(row: Object, source: str, tree: WindowsTree) -> _Kept:
    path = text(row, "path")
    try:
        copy = tree.locate(f"{source}\\{text(row, 'stored')}")
        kept = _Kept(path, tree.locate(path), copy.read_bytes())
    except (BadPath, OSError) as error:
        raise AgentRefusal("damaged", "the backup is damaged", path) from error
    if sha256(kept.content) != text(row, "sha256"):
        raise AgentRefusal("damaged", "the backup is damaged", path)
    return kept


def _put_back(kept: _Kept, windows: Windows) -> bool:
    before = existing(windows, kept.path).read_bytes() if kept.place.is_file() else None
    if before == kept.content:
        return False
    place_whole(kept.path, kept.content, windows)
    windows.wrote(kept.path, "" if before is None else sha256(before))
    return True
