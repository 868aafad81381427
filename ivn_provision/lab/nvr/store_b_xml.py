"""The files of store B as bytes: each in a dress of its own, rewritten as a whole at every save."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from lxml import etree

from ivn_provision.errors import LabError
from ivn_provision.lab.nvr.config_active import Unreadable, parse_document

_EPOCH = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Style:
    """How a file is written. `revision` and `stamp` are attributes of its root; `turns` means that every save
    turns the order of attributes round."""

    path: str
    revision: str
    stamp: str
    encoding: str = "utf-8"
    bom: bytes = codecs.BOM_UTF8
    newline: str = "\r\n"
    quote: str = '"'
    ticks: bool = False
    turns: bool = False

    @property
    def name(self) -> str:
        """The file's name without folders."""
        return self.path.rsplit("\\", 1)[-1]


def read(content: bytes, style: Style) -> etree._Element:
    """The root element. Raises Unreadable naming the file."""
    try:
        return parse_document(content).getroot()
    except Unreadable as error:
        raise Unreadable(f"{style.name}: {error}") from error


def open_for_edit(content: bytes, style: Style) -> etree._Element:
    """The root element, for a person. Raises LabError."""
    try:
        return read(content, style)
    except Unreadable as error:
        raise LabError(
            f"{style.name} cannot be opened: {error}", next_step="restore a backup of it"
        ) from error


def written(root: etree._Element, style: Style) -> bytes:
    """The whole file."""
    quote = style.quote
    first = f"<?xml version={quote}1.0{quote} encoding={quote}{style.encoding}{quote}?>"
    text = style.newline.join([first, *_lines(root, 0, style), ""])
    return style.bom + text.encode("utf-16-le" if style.encoding == "utf-16" else style.encoding)


def stamp(root: etree._Element, style: Style, now: datetime) -> None:
    """A save more: revision and time."""
    root.set(style.revision, str(_revision(root, style) + 1))
    ticks = int((now.astimezone(UTC) - _EPOCH).total_seconds() * 10_000_000)
    root.set(style.stamp, str(ticks) if style.ticks else now.isoformat(timespec="microseconds"))


def _lines(element: etree._Element, depth: int, style: Style) -> Iterator[str]:
    indent = "\t" * depth
    names = [str(name) for name in element.keys()]  # noqa: SIM118 - an element's `in` is about its children
    words = [
        f" {name}={style.quote}{_attribute(element.get(name, ''), style.quote)}{style.quote}"
        for name in (reversed(names) if style.turns else names)
    ]
    head = f"{indent}<{element.tag}{''.join(words)}"
    # comments go: the product keeps only what it knows
    children = list(element.iterchildren(tag=etree.Element))
    if children:
        yield f"{head}>"
        for child in children:
            yield from _lines(child, depth + 1, style)
        yield f"{indent}</{element.tag}>"
    else:
        yield f"{head}>{_text(element.text)}</{element.tag}>" if element.text else f"{head}/>"


def _revision(root: etree._Element, style: Style) -> int:
    digits = root.get(style.revision, "0")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 0


def _text(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def _attribute(value: str, quote: str) -> str:
    value = _text(value).replace("\n", "&#10;").replace("\t", "&#9;")
    return value.replace(quote, "&quot;" if quote == '"' else "&apos;")
