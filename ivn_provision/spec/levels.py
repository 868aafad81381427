"""The levels below the sites of one fleet: `fleet.yml` and `groups/*.yml`, each read and checked once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ivn_provision.diagnostics import Diagnostic, Severity
from ivn_provision.spec import schema_check
from ivn_provision.spec.discovery import fleet_file, group_files
from ivn_provision.spec.merge import merge
from ivn_provision.spec.nodes import Node
from ivn_provision.spec.plain import Plain
from ivn_provision.spec.source import Source, decode, read_bytes
from ivn_provision.spec.yaml_nodes import Parsed, parse


@dataclass(frozen=True, slots=True)
class Level:
    """One file. `root` is None if it cannot be used at all."""

    root: Node | None
    digest: bytes
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Base:
    """What a site is merged over. `complete` is false if a level could not be used."""

    root: Node | None
    complete: bool
    reported: frozenset[tuple[str, str, str]]


class Levels:
    """The fleet's folder `root`: its levels, and their merge for every combination of groups in use."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.group_files = group_files(root)
        self._fleet_file = fleet_file(root)
        self._known: dict[str, Level] = {}
        self._bases: dict[tuple[str, ...], Base] = {}
        self._digests: dict[tuple[str, ...], str] = {}

    def diagnostics(self) -> list[Diagnostic]:
        """The problems of all levels, whether a site uses them or not."""
        every = ("", *self.group_files)
        return [found for name in every for found in self._level(name).diagnostics]

    def base(self, groups: tuple[str, ...]) -> Base:
        """The merge of the fleet and these groups, in their order; unknown groups are left out."""
        known = self._bases.get(groups)
        return known if known is not None else self._bases.setdefault(groups, self._merge(groups))

    def digest(self, groups: tuple[str, ...]) -> str:
        """Changes whenever a file that `base(groups)` is made of does."""
        known = self._digests.get(groups)
        if known is not None:
            return known
        total = hashlib.sha256()
        for name in ("", *groups):
            total.update(self._level(name).digest if name in self.group_files or not name else b"-")
        return self._digests.setdefault(groups, total.hexdigest())

    def _merge(self, groups: tuple[str, ...]) -> Base:
        levels = [self._level(name) for name in ("", *groups) if not name or name in self.group_files]
        merged: Node | None = None
        for level in levels:
            if level.root is not None:
                merged = level.root if merged is None else merge(merged, level.root)
        complete = not any(level.root is None and level.diagnostics for level in levels)
        reported = frozenset(fingerprint(found) for level in levels for found in level.diagnostics)
        return Base(merged, complete, reported)

    def _level(self, name: str) -> Level:
        """The level of a group, or of the fleet if `name` is empty."""
        known = self._known.get(name)
        if known is None:
            path = self.group_files[name] if name else self._fleet_file
            known = _load(path, f"group {name}" if name else "fleet") if path else Level(None, b"", ())
            self._known[name] = known
        return known


def fingerprint(found: Diagnostic) -> tuple[str, str, str]:
    """What makes two diagnostics the same to a reader."""
    return found.code, str(found.place), found.summary


def parse_map(content: bytes, source: Source) -> Parsed:
    """The tree of a file, whose top has to be a map."""
    text = decode(content, source.path)
    if isinstance(text, Diagnostic):
        return Parsed(None, (text,))
    parsed = parse(text, source)
    if parsed.root is None or isinstance(parsed.root.value, dict):
        return parsed
    hint = "A file begins with keys such as `site: NAME`."
    summary = "the file wants a map of sections at its top"
    wrong = Diagnostic(Severity.ERROR, "SCH002", summary, parsed.root.place(), hint=hint)
    return Parsed(None, (*parsed.diagnostics, wrong))


def _load(path: str, level: str) -> Level:
    content = read_bytes(path)
    if isinstance(content, Diagnostic):
        return Level(None, b"?", (content,))
    digest = hashlib.sha256(content).digest()
    parsed = parse_map(content, Source(path, level))
    if parsed.root is None:
        return Level(None, digest, parsed.diagnostics)
    plain = Plain(parsed.root, partial=True)
    wrong = schema_check.check(schema_check.FLEET, plain, parsed.root)
    return Level(parsed.root, digest, (*parsed.diagnostics, *plain.diagnostics, *wrong))
