"""XML that is read with the position of every element, so that it can be changed by splicing bytes.

Nothing is ever serialised: an edit (`xml_edit.py`) replaces just the bytes of the addressed node, so that a
byte-order mark, line ends, comments, quotes and odd white space elsewhere stay as they are. DTDs and entities
are refused (`facts/xprotect-e.md`, 11: hostile input).
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from xml.parsers import expat

from ivn_provision.errors import ProtocolFault, Refused

MAX_DEPTH = 64
_STRIDE = 16384
_HIDDEN = re.compile(r"passw(?:or)?d|passphrase|pwd|secret|credential|token", re.IGNORECASE)
_NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})
_ENCODINGS = re.compile(r"(?:utf-8|ascii|iso8859-\d+|cp\d+|koi8.*|gb.*|big5.*|shift_jis.*|euc_.*)\Z")
_DECLARED = re.compile(rb'^<\?xml[^>]*?encoding\s*=\s*["\']([A-Za-z][\w.-]*)["\']')
_START_TAG = re.compile(rb"<[^\"'>]*(?:\"[^\"]*\"[^\"'>]*|'[^']*'[^\"'>]*)*>")
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(slots=True, eq=False)
class Element:
    """An element. Offsets count bytes of the document's UTF-8 form; `end` is exclusive."""

    tag: str
    start: int
    depth: int
    parent: Element | None = None
    content_start: int = 0
    content_end: int = 0
    end: int = 0
    children: list[Element] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    attributes: Mapping[str, str] = field(default_factory=lambda: _NO_ATTRIBUTES)

    @property
    def text(self) -> str:
        """The text directly inside."""
        return "".join(self.pieces)

    @property
    def is_empty_tag(self) -> bool:
        return self.content_start == self.end

    def find(self, path: str) -> Element | None:
        return next(self.all(path), None)

    def all(self, path: str) -> Iterator[Element]:
        """Descendants by a path of child steps: `Devices/*/Cameras`; `.` is the element itself, `..` goes up."""
        if path in {"", "."}:
            yield self
            return
        step, _, rest = path.partition("/")
        if step == "..":
            yield from self.parent.all(rest) if self.parent else ()
            return
        for child in self.children:
            if step in {"*", child.tag}:
                yield from child.all(rest)

    def value(self, path: str) -> str | None:
        """Text at `A/B`, `A/@attribute` or `@attribute`, None if there is none."""
        folder, attribute = split(path)
        found = self.find(folder)
        if found is None:
            return None
        return found.attributes.get(attribute) if attribute else found.text


def split(path: str) -> tuple[str, str]:
    """Path of the element and name of the attribute, "" if an element's text is meant."""
    folder, mark, attribute = path.partition("@")
    return (folder.rstrip("/"), attribute) if mark else (path, "")


def is_hidden(path: str) -> bool:
    """Whether the agent hides the text there, because its name says that it is a secret."""
    return _HIDDEN.search(path.rpartition("/")[2]) is not None


@dataclass(frozen=True, slots=True, order=True)
class Splice:
    """Replace `length` bytes at `offset` of the file as it stands on disk."""

    offset: int
    length: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: its real bytes, their encoding, and the root element.

    `marks` are (offset in the UTF-8 form, offset in the real bytes) here and there, for other encodings.
    """

    raw: bytes
    encoding: str
    utf8: bytes
    skip: int
    root: Element
    marks: tuple[tuple[int, int], ...] = ()

    def splice(self, start: int, end: int, text: str) -> Splice:
        """An edit given in offsets of the UTF-8 form, as a splice of the real bytes."""
        if _ILLEGAL.search(text):
            raise Refused(
                "a value holds a character that XML cannot carry",
                next_step="remove control characters from the value in the site file",
            )
        first, last = self._real(start), self._real(end)
        try:
            data = text.encode(self.encoding)
        except UnicodeEncodeError as error:
            raise Refused(
                f"the recorder's file is {self.encoding}, which cannot hold {text[error.start]!r}",
                next_step="use characters of that encoding in the site file",
            ) from error
        return Splice(first, last - first, data)

    def _real(self, offset: int) -> int:
        if not self.marks:
            return self.skip + offset
        start, real = self.marks[bisect_right(self.marks, (offset, len(self.raw) + 1)) - 1]
        return real + len(self.utf8[start:offset].decode().encode(self.encoding))

    @property
    def newline(self) -> str:
        return "\r\n" if b"\r\n" in self.utf8[:4096] else "\n"


def parse(raw: bytes, *, path: str) -> Document:
    """Parse a file's bytes. Raises ProtocolFault with line and column where it is not clean XML."""
    encoding, skip = _encoding(raw, path)
    try:
        text = raw[skip:].decode(encoding)
        utf8 = raw[skip:] if encoding == "utf-8" else text.encode()
    except (UnicodeError, LookupError) as error:
        raise ProtocolFault(
            f"{path} is not {encoding} text", where=path, next_step="look at the file on the recorder"
        ) from error
    marks = () if encoding == "utf-8" else tuple(_marks(text, encoding, skip))
    return Document(raw, encoding, utf8, skip, _Builder(utf8, path).build(), marks)


def _marks(text: str, encoding: str, skip: int) -> Iterator[tuple[int, int]]:
    """Pairs of offsets, `_STRIDE` characters apart."""
    utf8, real = 0, skip
    for at in range(0, len(text) + 1, _STRIDE):
        yield utf8, real
        piece = text[at : at + _STRIDE]
        utf8, real = utf8 + len(piece.encode()), real + len(piece.encode(encoding))


def _encoding(raw: bytes, path: str) -> tuple[str, int]:
    """Python codec name and the length of the byte-order mark."""
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if raw.startswith(mark):
            return name, len(mark)
    for start, name in ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be")):
        if raw.startswith(start):
            return name, 0
    declared = _DECLARED.match(raw[:200])
    return _declared(declared.group(1).decode(), path) if declared else "utf-8", 0


def _declared(name: str, path: str) -> str:
    """A declared encoding in which a character is the same bytes wherever it stands."""
    try:
        found = codecs.lookup(name).name
    except LookupError:
        found = ""
    if not _ENCODINGS.match(found):
        raise ProtocolFault(
            f"{path} declares the encoding {name[:40]}, which it is not in or which is not known",
            where=path,
            next_step="look at the file on the recorder",
        )
    return found


class _Builder:
    """Builds the element tree from expat's events."""

    def __init__(self, utf8: bytes, path: str) -> None:
        self._data = utf8
        self._path = path
        self._stack: list[Element] = []
        self._root: Element | None = None
        self._parser = expat.ParserCreate(encoding="utf-8")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._open
        self._parser.EndElementHandler = self._close
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._doctype

    def build(self) -> Element:
        try:
            self._parser.Parse(self._data, True)
        except expat.ExpatError as error:
            raise ProtocolFault(
                f"{self._path} is not well-formed XML: {expat.ErrorString(error.code)}",
                where=f"{self._path}:{error.lineno}:{error.offset + 1}",
                next_step="restore the file on the recorder (Load Configuration from Restore Point)",
            ) from error
        assert self._root is not None
        return self._root

    def _open(self, tag: str, attributes: dict[str, str]) -> None:
        start = self._parser.CurrentByteIndex
        parent = self._stack[-1] if self._stack else None
        element = Element(tag, start, len(self._stack), parent, content_start=self._tag_end(start))
        if attributes:
            element.attributes = attributes
        if len(self._stack) > MAX_DEPTH:
            raise ProtocolFault(f"{self._path} is nested deeper than {MAX_DEPTH} elements", where=self._path)
        if parent is None:
            self._root = element
        else:
            parent.children.append(element)
        self._stack.append(element)

    def _close(self, _tag: str) -> None:
        element = self._stack.pop()
        at = self._parser.CurrentByteIndex
        if self._data[element.content_start - 2 : element.content_start] == b"/>":
            element.content_end = element.end = element.content_start
        else:
            element.content_end = at
            element.end = self._data.index(b">", at) + 1

    def _text(self, data: str) -> None:
        self._stack[-1].pieces.append(data)

    def _doctype(self, *_: object) -> None:
        raise ProtocolFault(
            f"{self._path} declares a document type, which the product never writes",
            where=self._path,
            next_step="look at the file on the recorder: it is not the product's",
        )

    def _tag_end(self, start: int) -> int:
        """Offset after the `>` of the start tag, which may hold `>` inside quotes."""
        tag = _START_TAG.match(self._data, start)
        return tag.end() if tag else len(self._data)
