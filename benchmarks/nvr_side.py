"""Site files of a lab with the recorder's side only: what `plan` then reads is what its peers read too."""

from __future__ import annotations

import re
from pathlib import Path

_OTHERS = re.compile(r"^(?:portal|mail|acceptance):\n(?:[ ].*\n)*", re.MULTILINE)
_MAILED = re.compile(r", email: true\b")
_NAME = re.compile(r"^site: (.+)$", re.MULTILINE)


def write_nvr_side(source: Path, folder: Path, *, count: int | None = None) -> int:
    """Copy the lab's site files from `source`; how many there are. With `count` the recorders are taken in turn,
    by further sites of other names, until there are so many.

    Mails stay out with the portal: their addresses are the portal's. `folder` stands beside `source`, since paths
    in the files are relative to it.
    """
    folder.mkdir()
    (folder / "fleet.yml").write_text(_without((source / "fleet.yml").read_text("utf-8")), "utf-8")
    texts = {
        path.stem: _without(path.read_text("utf-8"))
        for path in sorted(source.glob("*.yml"))
        if path.stem != "fleet"
    }
    names = list(texts)
    for number in range(count or len(names)):
        turn, at = divmod(number, len(names))
        name = names[at] + (f"-{turn + 1}" if turn else "")
        (folder / f"{name}.yml").write_text(_NAME.sub(f"site: {name}", texts[names[at]]), "utf-8")
    return count or len(names)


def _without(text: str) -> str:
    return _MAILED.sub("", _OTHERS.sub("", text))
