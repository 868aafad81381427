"""Are the site files of a play still the ones that it was begun with?

A play is judged by what its first waves came to. If the files are others in a later wave, that says nothing of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from ivn_provision.diagnostics import Diagnostic
from ivn_provision.errors import PersonNeeded
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.journal import canonical
from ivn_provision.run.play.memory import Memory
from ivn_provision.spec.discovery import fleet_file, group_files
from ivn_provision.spec.source import read_bytes

GONE = "gone"
_EVENT = "files"
_DIGITS = 16
_NAMED = 3
Files = Mapping[str, str]
"""The beginning of a file's SHA-256 by its path; GONE for one that cannot be read."""


def files_of(refs: Iterable[SiteRef]) -> Files:
    """The files that say what the sites are: their own, and `fleet.yml` and groups above them."""
    found = list(refs)
    roots = dict.fromkeys(ref.root for ref in found)
    levels = [path for root in roots for path in (fleet_file(root), *group_files(root).values()) if path]
    return {path: _digest(path) for path in [*levels, *(ref.path for ref in found)]}


def accept(memory: Memory, now: Files) -> None:
    """From here on these are the files of the play. Raises StateError."""
    memory.set_mark(_EVENT, "", canonical(dict(now)))


def check_same(memory: Memory, now: Files, wave: int) -> None:
    """Raises PersonNeeded where a file is another than when the play was begun, or accepted: nothing is undone."""
    text = memory.mark(_EVENT, "")
    if text is None:
        accept(memory, now)
        return
    then: dict[str, str] = json.loads(text)
    changed = sorted(path for path in then.keys() | now.keys() if then.get(path) != now.get(path))
    if not changed:
        return
    raise PersonNeeded(
        f"site files changed since play {memory.play} was begun: {_named(changed)}; nothing more was done",
        where=f"wave {wave}",
        next_step=f"put them back, then `ivn-provision play --resume {memory.play}`; or, if they shall count from here on: "
        f"`play --resume {memory.play} --accept-changed-files`",
    )


def _named(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return f"{', '.join(paths[:_NAMED])}{more}"


def _digest(path: str) -> str:
    content = read_bytes(path)
    return GONE if isinstance(content, Diagnostic) else hashlib.sha256(content).hexdigest()[:_DIGITS]
