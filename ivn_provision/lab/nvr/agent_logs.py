"""The agent's verbs on log files of the emulated machine: remember their sizes, read what was added."""

from __future__ import annotations

import re
from pathlib import Path

from ivn_provision.lab.nvr.agent_files import located
from ivn_provision.lab.nvr.agent_machine import AgentRun
from ivn_provision.lab.nvr.agent_values import (
    AgentRefusal,
    Json,
    Object,
    bad_arguments,
    cut,
    text,
    text_order,
)

_MOST_BYTES = 4 * 1024 * 1024
_LONGEST_LINE = 4096
_SHOWN = 200
_LOGIN = re.compile(r"(://)[^/@ \t]*@")
_VALUE = re.compile(
    r"((?:[Pp][Aa][Ss][Ss](?:[Ww][Oo][Rr])?[Dd]|[Pp][Aa][Ss][Ss][Pp][Hh][Rr][Aa][Ss][Ee]|[Pp][Ww][Dd]"
    r"|[Ss][Ee][Cc][Rr][Ee][Tt]|[Tt][Oo][Kk][Ee][Nn])[^ \t=:>]{0,20}[ \t]*[=:>][ \t]*"
    r"""|[Aa]uthorization:[ \t]*[A-Za-z]+[ \t]+)(?:"[^"]*"?[^ \t]*|'[^']*'?[^ \t]*|[^ \t]+)"""
)


def mark_logs(step: Object, run: AgentRun) -> Object:
    """Verb `mark_logs`."""
    folder, pattern, matcher = _wanted(step)
    place = located(run.windows.tree, folder)
    sizes = {each.name: each.stat().st_size for each in _logs(place, matcher)}
    run.marks[place, pattern] = sizes
    return {"files": len(sizes)}


def require_clean_logs(step: Object, run: AgentRun) -> Object:
    """Verb `require_clean_logs`: what was added since the mark, oldest name first, 4 MiB at most."""
    folder, pattern, matcher = _wanted(step)
    errors = _regex(text(step, "error_pattern"))
    place = located(run.windows.tree, folder)
    if (marks := run.marks.get((place, pattern))) is None:
        raise AgentRefusal("bad_request", "the logs were not marked", folder)
    files: list[Json] = []
    left = _MOST_BYTES
    for log in _logs(place, matcher):
        path = f"{folder.rstrip(chr(92))}\\{log.name}"
        added = _added(run, path, log, marks.get(log.name, 0))
        if added:
            _check(added[:left], log, path, errors)
            files.append({"path": path, "bytes": min(len(added), left)})
            left -= min(len(added), left)
    return {"files": files}


def _wanted(step: Object) -> tuple[str, str, re.Pattern[str]]:
    folder, pattern = text(step, "folder"), text(step, "pattern")
    return folder, pattern, _regex(pattern, re.IGNORECASE)


def _regex(pattern: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    try:
        return re.compile(pattern, flags)
    except re.error as error:
        raise bad_arguments() from error


def _logs(place: Path, matcher: re.Pattern[str]) -> list[Path]:
    if not place.is_dir():
        return []
    found = [each for each in place.iterdir() if each.is_file() and matcher.search(each.name)]
    return sorted(found, key=lambda each: text_order(each.name))


def _added(run: AgentRun, path: str, log: Path, marked: int) -> bytes:
    if not run.windows.readable(path):
        raise AgentRefusal("locked", "another process holds the file", path)
    content = log.read_bytes()
    # shorter than it was: begun anew, so all of it is new
    start = marked if marked <= len(content) else 0
    return content[start - start % 2 if content[:2] == b"\xff\xfe" else start :]


def _check(added: bytes, log: Path, path: str, errors: re.Pattern[str]) -> None:
    with log.open("rb") as stream:
        wide = stream.read(2) == b"\xff\xfe"
    lines = re.split(r"[\r\n]+", added.decode("utf-16-le" if wide else "utf-8", "replace"))
    for line in lines:
        if errors.search(cut(line, _LONGEST_LINE)):
            raise AgentRefusal("check_failed", f"the log says: {cut(_without_secrets(line), _SHOWN)}", path)


def _without_secrets(line: str) -> str:
    return _VALUE.sub(r"\1***", _LOGIN.sub(r"\1***@", line))
