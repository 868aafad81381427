"""XML that is read with the position of every element and changed by splicing bytes.

Nothing is ever serialised: an edit replaces just the bytes of the addressed node, so that a byte-order
mark, line ends, comments, quotes and odd white space elsewhere stay as they are. DTDs and entities are
refused (`facts/xprotect-e.md`, 11: hostile input).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape

from ivn_provision.errors import ProtocolFault, Refused

MAX_DEPTH = 64
_DECLARED = re.compile(rb'^<\?xml[^>]*?encoding\s*=\s*["\']([A-Za-z][\w.-]*)["\']')
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
        """Descendants by a path of child steps: `Devices/*/Cameras`; `.` is the element itself."""
        if path in {"", "."}:
            yield self
            return
        step, _, rest = path.partition("/")
        for child in self.children:
            if step in {"*", child.tag}:
                yield from child.all(rest)

    def value(self, path: str) -> str | None:
        """Text of the first element at `path`, None if there is none."""
        found = self.find(path)
        return None if found is None else found.text


@dataclass(frozen=True, slots=True, order=True)
class Splice:
    """Replace `length` bytes at `offset` of the file as it stands on disk."""

    offset: int
    length: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: its real bytes, their encoding, and the root element."""

    raw: bytes
    encoding: str
    utf8: bytes
    skip: int
    root: Element

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
        if self.encoding == "utf-8":
            return self.skip + offset
        before = self.utf8[:offset].decode()
        return self.skip + len(before.encode(self.encoding))

    @property
    def newline(self) -> str:
        return "\r\n" if b"\r\n" in self.utf8[:4096] else "\n"


def parse(raw: bytes, *, path: str) -> Document:
    """Parse a file's bytes. Raises ProtocolFault with line and column where it is not clean XML."""
    encoding, skip = _encoding(raw)
    try:
        text = raw[skip:].decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise ProtocolFault(
            f"{path} is not {encoding} text", where=path, next_step="look at the file on the recorder"
        ) from error
    utf8 = raw[skip:] if encoding == "utf-8" else text.encode()
    return Document(raw, encoding, utf8, skip, _Builder(utf8, path).build())


def _encoding(raw: bytes) -> tuple[str, int]:
    """Python codec name and the length of the byte-order mark."""
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if raw.startswith(mark):
            return name, len(mark)
    declared = _DECLARED.match(raw[:200])
    name = declared.group(1).decode().lower() if declared else "utf-8"
    try:
        return codecs.lookup(name).name, 0
    except LookupError:
        return name, 0


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

    def _open(self, tag: str, _attributes: dict[str, str]) -> None:
        start = self._parser.CurrentByteIndex
        parent = self._stack[-1] if self._stack else None
        element = Element(tag, start, len(self._stack), parent, content_start=self._tag_end(start))
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
        quote = 0
        data = self._data
        for at in range(start, len(data)):
            byte = data[at]
            if quote:
                quote = 0 if byte == quote else quote
            elif byte in b"\"'":
                quote = byte
            elif byte == 0x3E:
                return at + 1
        return len(data)


def text_of(value: str) -> str:
    """Character data for an element: escaped, line ends as they are."""
    return escape(value)


def set_text(document: Document, element: Element, value: str) -> Splice:
    """Give an element a new text. Refuses an element that holds other elements."""
    if element.children:
        raise Refused(f"<{element.tag}> holds elements, not text")
    if element.is_empty_tag:
        head = document.utf8[element.start : element.content_start - 2].decode().rstrip()
        return document.splice(element.start, element.end, f"{head}>{text_of(value)}</{element.tag}>")
    return document.splice(element.content_start, element.content_end, text_of(value))


def append_children(document: Document, parent: Element, children: list[list[str]]) -> Splice:
    """Add children, each given as lines without indentation of its own level, in the file's own style."""
    step = _indent_step(document)
    pad, newline = step * (parent.depth + 1), document.newline
    body = "".join(f"{newline}{pad}{line}" for lines in children for line in lines)
    if parent.is_empty_tag:
        head = document.utf8[parent.start : parent.content_start - 2].decode().rstrip()
        text = f"{head}>{body}{newline}{step * parent.depth}</{parent.tag}>"
        return document.splice(parent.start, parent.end, text)
    if not parent.children:
        return document.splice(
            parent.content_start, parent.content_end, f"{body}{newline}{step * parent.depth}"
        )
    last = parent.children[-1].end
    return document.splice(last, last, body)


def remove(document: Document, element: Element) -> Splice:
    """Take an element out together with the white space in front of it."""
    start = element.start
    while start > 0 and document.utf8[start - 1 : start] in {b" ", b"\t"}:
        start -= 1
    if document.utf8[start - 1 : start] == b"\n":
        start -= 1
        if document.utf8[start - 1 : start] == b"\r":
            start -= 1
    else:
        start = element.start
    return document.splice(start, element.end, "")


def _indent_step(document: Document) -> str:
    """White space of one level: what stands before the first child of the root."""
    root = document.root
    if root.children:
        before = document.utf8[root.content_start : root.children[0].start].decode()
        return before.rpartition("\n")[2] if "\n" in before else ""
    return "  "


def apply_splices(raw: bytes, splices: list[Splice]) -> bytes:
    """The bytes after all splices, which must not overlap."""
    parts, at = [], 0
    for splice in sorted(splices):
        if splice.offset < at:
            raise Refused("two edits touch the same bytes")
        parts += [raw[at : splice.offset], splice.data]
        at = splice.offset + splice.length
    return b"".join([*parts, raw[at:]])
