"""Edits of a parsed XML file, each as a splice of its bytes: texts, attributes, children, removal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from ivn_provision.drivers.xprotect_e.xml_document import Document, Element, Splice, split
from ivn_provision.errors import Refused

_PIECES = re.compile(r"<!\[CDATA\[.*?\]\]>|<!--.*?-->|<\?.*?\?>", re.DOTALL)
_ATTRIBUTE = re.compile(rb"\s+([^\s=<>/\"']+)\s*=\s*(\"[^\"]*\"|'[^']*')")
_SPACES = {"\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}


def text_of(value: str) -> str:
    """Character data for an element: escaped, line ends as they are."""
    return escape(value)


def attribute_of(value: str, quote: str = '"') -> str:
    """The value of an attribute: escaped for its quotes; white space that XML would change is kept."""
    return escape(value, {**_SPACES, quote: "&quot;" if quote == '"' else "&apos;"})


def set_text(document: Document, element: Element, value: str) -> Splice:
    """Give an element a new text; comments inside stay. Refuses an element that holds other elements."""
    if element.children:
        raise Refused(f"<{element.tag}> holds elements, not text")
    if element.is_empty_tag:
        return _opened(document, element, f"{text_of(value)}</{element.tag}>")
    content = document.utf8[element.content_start : element.content_end].decode()
    kept = [each for each in _PIECES.findall(content) if not each.startswith("<![")]
    return document.splice(element.content_start, element.content_end, text_of(value) + "".join(kept))


def set_attribute(document: Document, element: Element, name: str, value: str) -> Splice:
    """Give an attribute a new value, in the quotes that it has; one that is not there is added at the end."""
    end = element.start + 1 + len(element.tag.encode())
    for found in _ATTRIBUTE.finditer(document.utf8, end, element.content_start):
        end = found.end()
        if found[1].decode() == name:
            quote = chr(found[2][0])
            return document.splice(found.start(2) + 1, end - 1, attribute_of(value, quote))
    return document.splice(end, end, f' {name}="{attribute_of(value)}"')


def remove_attribute(document: Document, element: Element, name: str) -> Splice:
    """Take an attribute out together with the white space in front of it; nothing if it is not there."""
    start = element.start + 1 + len(element.tag.encode())
    for found in _ATTRIBUTE.finditer(document.utf8, start, element.content_start):
        if found[1].decode() == name:
            return document.splice(found.start(), found.end(), "")
    return document.splice(start, start, "")


def append_children(document: Document, parent: Element, children: Sequence[Sequence[str]]) -> Splice:
    """Add children, each given as lines without indentation of its own level, in the file's own style."""
    step = _indent_step(document)
    pad, newline = step * (parent.depth + 1), document.newline
    body = "".join(f"{newline}{pad}{line}" for lines in children for line in lines)
    tail = f"{newline}{step * parent.depth}"
    if parent.is_empty_tag:
        return _opened(document, parent, f"{body}{tail}</{parent.tag}>")
    if not parent.children:
        content = document.utf8[parent.content_start : parent.content_end].decode()
        return document.splice(parent.content_start, parent.content_end, f"{content.rstrip()}{body}{tail}")
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


def _opened(document: Document, element: Element, content: str) -> Splice:
    """`<a x="1" />` with content: only its end changes."""
    head = document.utf8[element.start : element.content_start - 2].rstrip()
    return document.splice(element.start + len(head), element.end, f">{content}")


def _indent_step(document: Document) -> str:
    """White space of one level: what stands before the first child of the root."""
    root = document.root
    if root.children:
        before = document.utf8[root.content_start : root.children[0].start].decode()
        return before.rpartition("\n")[2] if "\n" in before else ""
    return "  "


@dataclass(slots=True)
class _New:
    """An element that is being made."""

    tag: str
    text: str | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    children: dict[str, _New] = field(default_factory=dict)

    def place(self, path: str, text: str) -> None:
        """Put a text at a path below; "" is the element itself."""
        folder, attribute = split(path)
        here = self
        for step in folder.split("/") if folder else ():
            here = here.children.setdefault(step, _New(step))
        if attribute:
            here.attributes[attribute] = text
        else:
            here.text = text

    def lines(self) -> Iterator[str]:
        given = "".join(f' {name}="{attribute_of(value)}"' for name, value in self.attributes.items())
        if self.children:
            yield f"<{self.tag}{given}>"
            for child in self.children.values():
                yield from (f"  {line}" for line in child.lines())
            yield f"</{self.tag}>"
        elif self.text is None:
            yield f"<{self.tag}{given}/>"
        else:
            yield f"<{self.tag}{given}>{text_of(self.text)}</{self.tag}>"


def new_element(tag: str, paths: Iterable[str], texts: Mapping[str, str]) -> list[str]:
    """The lines of a new element that holds `paths` in their order; "" where `texts` says nothing."""
    made = _New(tag)
    for path in dict.fromkeys([*paths, *texts]):
        made.place(path, texts.get(path, ""))
    return list(made.lines())


def apply_splices(raw: bytes, splices: Iterable[Splice]) -> bytes:
    """The bytes after all splices, which must not overlap."""
    parts, at = [], 0
    for splice in sorted(splices):
        if splice.offset < at:
            raise Refused("two edits touch the same bytes")
        parts += [raw[at : splice.offset], splice.data]
        at = splice.offset + splice.length
    return b"".join([*parts, raw[at:]])
