"""Results of `validate` by content, so that an unchanged site is not parsed again.

Only results without errors are kept: their warnings and what the fleet's rules compare. One file, written
atomically; a file that is not as expected is ignored.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ivn_provision.diagnostics import Diagnostic, Place, Related, Severity

if TYPE_CHECKING:
    from ivn_provision.spec.rules import FleetKey

FILE = "validate.json"
_MAX_FILE_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """`content` and `base` are digests of the site's bytes and of its levels' bytes."""

    content: str
    groups: tuple[str, ...]
    base: str
    diagnostics: tuple[Diagnostic, ...]
    keys: tuple[FleetKey, ...]


class Cache:
    """Entries of one folder for one version of the tool, its schemas and its rules."""

    def __init__(self, folder: str, version: str) -> None:
        self._path = os.path.join(folder, FILE)
        self._version = version
        self._stored = _read(self._path, version)
        self._used: dict[str, Any] = {}
        self._changed = False

    def get(self, path: str, content: str) -> Entry | None:
        """The entry of a site whose bytes have the digest `content`; the caller compares `base`."""
        raw = self._stored.get(path)
        if not isinstance(raw, dict) or raw.get("content") != content:
            return None
        try:
            return _entry(raw)
        except (TypeError, KeyError, ValueError, AttributeError):
            return None

    def keep(self, path: str) -> None:
        """The stored entry of `path` still holds."""
        self._used[path] = self._stored[path]

    def put(self, path: str, entry: Entry) -> None:
        """A new result."""
        self._changed = True
        self._used[path] = {
            "content": entry.content,
            "groups": list(entry.groups),
            "base": entry.base,
            "diagnostics": [asdict(each) for each in entry.diagnostics],
            "keys": [asdict(each) for each in entry.keys],
        }

    def save(self) -> None:
        """Writes what this run used, and what others stored of files that still exist. A read-only folder is fine."""
        if not self._changed:
            return
        others = {
            path: raw for path, raw in self._stored.items() if path not in self._used and os.path.exists(path)
        }
        text = json.dumps(
            {"version": self._version, "sites": {**others, **self._used}}, separators=(",", ":")
        )
        folder = os.path.dirname(self._path)
        try:
            os.makedirs(folder, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".validate-")
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(temporary, self._path)
        except OSError:
            return


def _read(path: str, version: str) -> Mapping[str, Any]:
    try:
        if os.path.getsize(path) > _MAX_FILE_BYTES:
            return {}
        with open(path, encoding="utf-8") as file:
            stored = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(stored, dict) or stored.get("version") != version:
        return {}
    sites = stored.get("sites")
    return sites if isinstance(sites, dict) else {}


def _entry(raw: dict[str, Any]) -> Entry:
    from ivn_provision.spec.rules import FleetKey

    return Entry(
        content=raw["content"],
        groups=tuple(raw["groups"]),
        base=raw["base"],
        diagnostics=tuple(_diagnostic(each) for each in raw["diagnostics"]),
        keys=tuple(FleetKey(**{**each, "place": _place(each["place"])}) for each in raw["keys"]),
    )


def _diagnostic(raw: dict[str, Any]) -> Diagnostic:
    fields = {
        **raw,
        "severity": Severity(raw["severity"]),
        "place": _place(raw["place"]) if raw["place"] else None,
        "requirements": tuple(raw["requirements"]),
        "related": tuple(Related(_place(each["place"]), each["message"]) for each in raw["related"]),
    }
    return Diagnostic(**fields)


def _place(raw: dict[str, Any]) -> Place:
    return Place(**raw)
