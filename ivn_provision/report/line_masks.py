"""Masks what may be a password in the lines of a site file.

Works on the text alone, because a file with an error is often not YAML. Shown are the values of keys that the
schema knows; those of all other keys are masked, with every line that they go on over. What is in doubt is masked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ivn_provision.report.block_keys import BlockKeys, first_key
from ivn_provision.spec.secret_keys import (
    FREE_MAPS,
    MASKED,
    looks_secret,
    may_be_quoted,
    without_user_information,
)

MAX_LINE = 400
"""What is looked at of a line, in characters: no pattern ever sees more."""

_TOKEN = re.compile(
    r"""
      (?P<quoted> (?<![^\s\[{,:]) (?: "(?:[^"\\]|\\.)*" | '(?:[^']|'')*'(?!') ) )
    | (?P<quote> (?<![^\s\[{,:]) ["'] )
    | (?P<comment> (?<!\S) \# )
    | (?P<open> [\[{] )
    | (?P<close> [\]}] )
    | (?P<comma> , )
    | (?P<dash> (?<!\S) [-?] (?= \s | $ ) )
    | (?P<colon> : (?= [\s,\[\]{}] | $ ) | (?<= [\s"'] ) : (?!:) | ^ : )
    | (?P<block> (?<!\S) [|>] (?= [-+\d]{0,2} (?: \s+\#.* | \s* ) $ ) )
    """,
    re.VERBOSE,
)
_PROPERTIES = re.compile(r"\s*(?:[!&]\S*\s+)*")
_TO_QUOTE = {'"': re.compile(r'(?:[^"\\]|\\.)*"'), "'": re.compile(r"(?:[^']|'')*'(?!')")}
_AFTER_QUOTE = re.compile(r"\s*(?:[,\]}:]|\s\#|$)")
_REFERENCE = re.compile(r"\s*(?:!secret\s+(?:env|file|keyring):|!ref\s+)[^\s,\]}]+(?=\s*(?:[,\]}]|\s\#|$))")
_LOOSE = re.compile(r"""[\w.-]+["']?\s?[:=]\s*(?=\S)|^\s*(?:-\s+)*[\w.-]+\s+(?=\S)""")
_NO_BLANK = re.compile(r"(?<=[{,])\s*([A-Za-z_][\w.-]*):(?!//)(?=[^\s,\]}])")


def masked(lines: Iterable[str]) -> tuple[str, ...]:
    """Every line of one file as it may be shown: hardly longer than `MAX_LINE`. Linear in the text."""
    reader = _Reader()
    return tuple(reader.shown(line) for line in lines)


def is_reference(text: str, start: int) -> bool:
    """Does `!secret SCHEME:NAME` or `!ref PATH` stand at `start`, and nothing else before the next key?"""
    return _REFERENCE.match(text, start) is not None


class _Reader:
    """What is open at the end of a line: the state that the next one is read in.

    Columns: `hidden` of the key whose value is masked, `block` of the one with block text,
    `plain` of the one with plain text, `free` of `parent`, a map of free
    keys (`free_flow` brackets deep). `quote` is the quote of a value that goes on, `flow` the number of open brackets,
    `lost` that nothing is certain any more and all is masked.
    """

    def __init__(self) -> None:
        self.hidden: int | None = None
        self.block: int | None = None
        self.block_begins = False
        self.plain: int | None = None
        self.free: int | None = None
        self.free_flow = 0
        self.parent = ""
        self.flow = 0
        self.quote = ""
        self.lost = False
        self.keys = BlockKeys()

    def shown(self, line: str) -> str:
        text, rest = _cut(line)
        indent = len(text) - len(text.lstrip(" \t"))
        below = self.keys.hides(text, indent)
        if self._goes_on(text, indent):
            return _hidden(text, indent)
        if text[indent : indent + 1] in {"", "#"} or self._is_block(indent):
            return _hidden(text, indent) if below else _loosely(text)
        if self.free is not None and indent <= self.free:
            self.free = None
        start = self._walk(text)
        if rest:
            self._skip(rest, indent)
        if below:
            return _hidden(text, indent)
        return _loosely(text) if start in {None, len(text)} else f"{_loosely(text[:start])}{MASKED}"

    def _goes_on(self, text: str, indent: int) -> bool:
        """Does a masked value, or a quoted one, go on over this line?"""
        if self.quote:
            self._look_for_quote(text)
            return True
        if self.lost or self.hidden is None:
            return self.lost
        content = text[indent:]
        item = indent == self.hidden and content[:1] == "-"
        if self.flow or not content or indent > self.hidden or item:
            if content and not self._is_block(indent):
                self._walk(text)
            return True
        self.hidden = None
        return False

    def _look_for_quote(self, text: str) -> None:
        end = _TO_QUOTE[self.quote].match(text)
        if end is None:
            return
        self.quote = ""
        if _AFTER_QUOTE.match(text, end.end()):
            self._walk(text, end.end())
        else:
            self.lost = True

    def _is_block(self, indent: int) -> bool:
        """Block text ends with a line that is indented less than its first, unless it says how much it is indented."""
        if self.block is not None and indent <= self.block:
            self.block = None
        elif self.block is not None and self.block_begins:
            self.block, self.block_begins = indent - 1, False
        return self.block is not None

    def _walk(self, text: str, at: int = 0) -> int | None:
        """Reads a line from `at`; where what must be masked begins, if anything."""
        indent, piece, start = len(text) - len(text.lstrip(" \t")), at, None
        column, goes_on = indent - 1, self.plain is not None and (self.flow > 0 or indent > self.plain)
        while (token := _TOKEN.search(text, at)) is not None and token.lastgroup != "comment":
            kind, at = str(token.lastgroup), token.end()
            first = not goes_on and _content(text, piece) >= token.start()
            if kind == "colon":
                column = min(_content(text, piece), token.start())
                if self.hidden is None and self._is_hidden(text, piece, token):
                    self.hidden = column if self.flow else min(column, first_key(text))
                    start = len(text) - len(text[at:].lstrip())
                piece, goes_on = at, False
            elif (kind == "dash" and first) or self._bracket(kind, first):
                column, piece, goes_on = (column if kind != "dash" else token.start()), at, False
            elif kind == "quote" and first:
                self.quote = token[0]
                break
            elif kind == "quoted" and not first:
                at = token.start() + 1
            elif kind == "block" and first and not self.flow:
                self.block, self.block_begins = column, not any(map(str.isdigit, text[token.start() :]))
        if not goes_on:
            plain = text[_content(text, piece) :][:1] not in {"", "#", '"', "'"}
            self.plain = column if plain else None
        return start

    def _bracket(self, kind: str, first: bool) -> bool:
        """Counts brackets that are no part of plain text; is this token one, or the comma between them?"""
        if kind == "open" and (first or self.flow):
            self.flow += 1
            return True
        if kind == "close" and self.flow:
            self.flow -= 1
            if self.flow <= self.free_flow:
                self.free = None
            return True
        return kind == "comma" and self.flow > 0

    def _is_hidden(self, text: str, piece: int, colon: re.Match[str]) -> bool:
        """Must the value of the key between `piece` and `colon` be masked?"""
        written = text[piece : colon.start()]
        column = piece + len(written) - len(written.lstrip())
        key = written.strip().strip("\"'")
        parent = self.parent if self._is_free(column) else ""
        if key in FREE_MAPS and not parent:
            self.free, self.free_flow, self.parent = column, self.flow, key
        return not may_be_quoted(key, parent) and not is_reference(text, colon.end())

    def _is_free(self, column: int) -> bool:
        if self.free is None:
            return False
        return self.flow > self.free_flow if self.flow else column > self.free

    def _skip(self, rest: str, indent: int) -> None:
        """What was cut off may have opened anything: all below the line is masked, up to the end if it is inside of brackets."""
        if self.hidden is None and ":" in rest:
            self.hidden = indent
        self.lost = self.lost or self.flow > rest.count("}") + rest.count("]")


def _hidden(text: str, indent: int) -> str:
    return f"{text[:indent]}{MASKED}" if text[indent:] else text


def _content(text: str, start: int) -> int:
    """Where the text after blanks, tags and anchors begins."""
    found = _PROPERTIES.match(text, start)
    return found.end() if found else start


def _cut(line: str) -> tuple[str, str]:
    """The part that is looked at, without a last word that may hold user information, and the rest."""
    if len(line) <= MAX_LINE:
        return line, ""
    text, rest = line[:MAX_LINE], line[MAX_LINE:]
    word_end = rest.partition(" ")[0]
    if "@" in word_end:
        text = text[: max(text.rfind(" "), text.rfind("\t")) + 1]
    return text, "" if text.lstrip().startswith("#") else rest


def _loosely(text: str) -> str:
    """Without user information in URLs, and without what follows a word for a secret in text that is no key."""
    for key in _NO_BLANK.finditer(text):
        if not may_be_quoted(key[1]):
            return f"{_without_named(text[: key.end()])}{MASKED}"
    return _without_named(text)


def _without_named(text: str) -> str:
    at = 0
    while (word := _LOOSE.search(text, at)) is not None:
        reference = _REFERENCE.match(text, word.end())
        at = reference.end() if reference else word.end()
        if reference is None and looks_secret(word[0]):
            return f"{without_user_information(text[:at])}{MASKED}"
    return without_user_information(text)
