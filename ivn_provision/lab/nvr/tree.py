"""A Windows file tree in a directory: `C:\\x\\y` is `<root>/C/x/y`, looked up without regard to case."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_RESERVED_CHARACTERS = frozenset('<>:"/|?*')
_DEVICE_NAMES = frozenset(
    ["CON", "PRN", "AUX", "NUL", *(f"{kind}{n}" for kind in ("COM", "LPT") for n in range(1, 10))]
)


class BadPath(ValueError):
    """Not a plain absolute Windows path with a drive letter."""


@dataclass(frozen=True, slots=True)
class WindowsTree:
    """The file system of one emulated machine. No path leaves `root`."""

    root: Path

    def locate(self, path: str) -> Path:
        """The real place of a Windows path; missing parts keep the spelling asked for.

        Raises BadPath for drive-relative, UNC and device paths, `..`, NUL and reserved characters.
        """
        place = self.root
        for part in split_path(path):
            place = _child(place, part)
        return place

    def write(self, path: str, content: bytes) -> Path:
        """Create a file and its folders."""
        place = self.locate(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return place


@lru_cache(maxsize=4096)
def split_path(path: str) -> tuple[str, ...]:
    """Drive letter and parts: `c:\\a\\b` -> ("C", "a", "b")."""
    drive, colon, rest = path[:1], path[1:2], path[2:]
    if not (drive.isascii() and drive.isalpha() and colon == ":" and rest.startswith("\\")):
        raise BadPath(path)
    parts = tuple(part for part in rest.split("\\") if part)
    for part in parts:
        _check_part(part)
    return (drive.upper(), *parts)


def _check_part(part: str) -> None:
    if part in {".", ".."} or part[-1] in " ." or any(c in _RESERVED_CHARACTERS or c < " " for c in part):
        raise BadPath(part)
    if (
        part.split(".", maxsplit=1)[0].rstrip().upper() in _DEVICE_NAMES
        or len(part.encode("utf-8", "replace")) > 250
    ):
        raise BadPath(part)
    if any("\ud800" <= c <= "\udfff" for c in part):
        raise BadPath(part)


def _child(folder: Path, name: str) -> Path:
    exact = folder / name
    if exact.exists() or not folder.is_dir():
        return exact
    wanted = name.casefold()
    return next((each for each in folder.iterdir() if each.name.casefold() == wanted), exact)
