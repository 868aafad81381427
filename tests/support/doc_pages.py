"""README.md and docs/ as data: links, anchors, and the commands that `console` blocks show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
_FENCE = re.compile(r"^ *(`{3,}|~{3,})(\S*)")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HIDDEN = re.compile(r"^<!-- run: (.*) -->$")
_CODE = re.compile(r"`[^`\n]*`")


@dataclass(frozen=True, slots=True)
class Shown:
    """A command of a page and the lines that the page shows as its output; None where it shows none."""

    line: int
    command: str
    output: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Page:
    """One Markdown file. `prose` is its text without fenced blocks; `sh` are commands that no test runs."""

    path: Path
    prose: str
    commands: tuple[Shown, ...]
    languages: tuple[tuple[int, str], ...]

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def links(self) -> list[str]:
        return [str(found) for found in _LINK.findall(_CODE.sub("", self.prose))]

    @property
    def anchors(self) -> set[str]:
        """The fragments that links may name: GitHub's for headings, and explicit ones."""
        headings = re.findall(r"^#{1,6} (.+)$", self.prose, flags=re.MULTILINE)
        explicit = re.findall(r'<a (?:id|name)="([^"]+)">', self.prose)
        return {_slug(heading) for heading in headings} | set(explicit)


def pages() -> list[Page]:
    """README.md and every page of docs/."""
    return [page(path) for path in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))] if path.is_file()]


def page(path: Path) -> Page:
    prose: list[str] = []
    commands: list[Shown] = []
    languages: list[tuple[int, str]] = []
    for block in _blocks(path.read_text(encoding="utf-8").splitlines()):
        if block.language is None:
            prose += block.lines
            commands += _hidden(block)
            continue
        languages.append((block.line, block.language))
        if block.language == "console":
            commands += _shown(block)
    return Page(path, "\n".join(prose), tuple(commands), tuple(languages))


@dataclass(slots=True)
class _Block:
    """Consecutive lines: prose (`language` is None), or the inside of a fence. `line` is that of the first."""

    line: int
    language: str | None
    lines: list[str] = field(default_factory=list)


def _blocks(lines: list[str]) -> Iterator[_Block]:
    block, fence = _Block(1, None), ""
    for number, line in enumerate(lines, start=1):
        found = _FENCE.match(line)
        if found and (not fence or (found[1].startswith(fence) and not found[2])):
            yield block
            block = _Block(number + 1, None if fence else found[2])
            fence = "" if fence else found[1]
        else:
            block.lines.append(line)
    yield block


def _hidden(block: _Block) -> Iterator[Shown]:
    """`<!-- run: COMMAND -->`: what a reader has done elsewhere, such as starting the lab."""
    for offset, line in enumerate(block.lines):
        if found := _HIDDEN.match(line):
            yield Shown(block.line + offset, found[1], None)


def _shown(block: _Block) -> Iterator[Shown]:
    """`$ COMMAND`, continued by lines that begin with `> `, then what it prints."""
    command, output, start = "", list[str](), 0
    for offset, line in enumerate(block.lines):
        if line.startswith("$ "):
            if command:
                yield Shown(start, command, tuple(output) or None)
            command, output, start = line[2:], [], block.line + offset
        elif (line.startswith("> ") or line == ">") and not output:
            command += "\n" + line[2:]
        else:
            output.append(line.rstrip())
    if command:
        yield Shown(start, command, tuple(output) or None)


def _slug(heading: str) -> str:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
