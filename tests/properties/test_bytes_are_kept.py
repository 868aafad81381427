"""Edits of generated configuration files change the addressed nodes and not one byte more."""

from __future__ import annotations

import codecs
import time
from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ivn_provision.drivers.xprotect_e.xml_document import Document, Element, Splice, parse
from ivn_provision.drivers.xprotect_e.xml_edit import (
    append_children,
    apply_splices,
    new_element,
    remove,
    set_attribute,
    set_text,
)

PATH = "configuration.xml"
ENCODINGS = [
    ("utf-8", b""),
    ("utf-8", codecs.BOM_UTF8),
    ("utf-16-le", codecs.BOM_UTF16_LE),
    ("utf-16-be", codecs.BOM_UTF16_BE),
    ("utf-16-le", b""),
    ("iso-8859-1", b""),
]
NAMES = st.sampled_from(["a", "Camera", "x.y", "_z", "n-1", "p:q"])
TEXTS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"]), max_size=12)
GAPS = st.sampled_from(["", " ", "\n", "\n  ", "\n\t\n  ", "<!-- a <b> & 'c' -->", "\n  <?pi x?>\n"])


@dataclass(frozen=True)
class File:
    raw: bytes
    document: Document


@st.composite
def attributes(draw: st.DrawFn) -> str:
    made = ""
    for name in draw(st.lists(st.sampled_from(["id", "on", "x:y", "b.c"]), unique=True, max_size=3)):
        value = draw(TEXTS)
        quoted = quoteattr(value) if draw(st.booleans()) else "'" + escape(value, {"'": "&#39;"}) + "'"
        made += (
            draw(st.sampled_from([" ", "  ", "\n    "])) + name + draw(st.sampled_from(["=", " = "])) + quoted
        )
    return made + draw(st.sampled_from(["", " "]))


@st.composite
def nodes(draw: st.DrawFn, depth: int = 0) -> str:
    name, given_attributes = draw(NAMES), draw(attributes())
    if draw(st.booleans()) and depth < 3:
        inner = "".join(draw(GAPS) + draw(nodes(depth + 1)) for _ in range(draw(st.integers(0, 3))))
        return f"<{name}{given_attributes}>{inner}{draw(GAPS)}</{name}>"
    text = draw(TEXTS)
    shapes = [
        f"<{name}{given_attributes}/>",
        f"<{name}{given_attributes}>{escape(text)}</{name}>",
        f"<{name}{given_attributes}>{''.join(f'&#{ord(char)};' for char in text)}</{name}>",
        f"<{name}{given_attributes}><![CDATA[{text.replace(']]>', '')}<raw>]]></{name} >",
        f"<{name}{given_attributes}>{escape(text)}<!-- inside --></{name}>",
    ]
    return draw(st.sampled_from(shapes))


@st.composite
def files(draw: st.DrawFn) -> File:
    codec, mark = draw(st.sampled_from(ENCODINGS))
    declared = "utf-16" if codec.startswith("utf-16") else codec
    body = f"<config xmlns:p='urn:p' xmlns:x='urn:x'>{draw(nodes())}{draw(nodes())}{draw(GAPS)}</config>"
    text = f'<?xml version="1.0" encoding="{declared}"?>{draw(GAPS)}{body}{draw(GAPS)}'
    raw = mark + text.replace("\n", draw(st.sampled_from(["\n", "\r\n"]))).encode(codec)
    return File(raw, parse(raw, path=PATH))


def walk(element: Element) -> Iterator[Element]:
    yield element
    for child in element.children:
        yield from walk(child)


def values(document: Document) -> list[tuple[str, str, dict[str, str]]]:
    return [(each.tag, each.text, dict(each.attributes)) for each in walk(document.root)]


def kept(raw: bytes, splices: list[Splice]) -> list[bytes]:
    """What lies between the splices."""
    found, at = [], 0
    for each in sorted(splices):
        found.append(raw[at : each.offset])
        at = each.offset + each.length
    return [*found, raw[at:]]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(files(), st.data())
def test_texts_and_attributes_change_alone(file: File, data: st.DataObject) -> None:
    listed = list(walk(file.document.root))
    wanted, splices = values(file.document), []
    for at in data.draw(st.lists(st.integers(0, len(listed) - 1), unique=True, max_size=4)):
        element, value = listed[at], data.draw(TEXTS)
        tag, text, attributes_of = wanted[at]
        if data.draw(st.booleans()) or element.children:
            name = data.draw(st.sampled_from([*element.attributes, "added"]))
            splices.append(set_attribute(file.document, element, name, value))
            wanted[at] = (tag, text, {**attributes_of, name: value})
        else:
            splices.append(set_text(file.document, element, value))
            wanted[at] = (tag, value, attributes_of)
    after = apply_splices(file.raw, splices)
    assert values(parse(after, path=PATH)) == wanted
    for piece in kept(file.raw, splices):
        assert piece in after
    assert len(after) == len(file.raw) + sum(len(each.data) - each.length for each in splices)
    comment = "<!--".encode(file.document.encoding)
    assert after.count(comment) == file.raw.count(comment)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(files(), st.data(), TEXTS, TEXTS)
def test_what_is_added_can_be_taken_out_again(file: File, data: st.DataObject, text: str, value: str) -> None:
    parents = [
        each for each in walk(file.document.root) if each.children or not (each.text.strip() or each.pieces)
    ]
    parent = data.draw(st.sampled_from(parents))
    at = list(walk(file.document.root)).index(parent)
    lines = new_element("New", ["Inner/@id", "Inner/Text", "@x"], {"Inner/@id": value, "Inner/Text": text})
    after = parse(apply_splices(file.raw, [append_children(file.document, parent, [lines])]), path=PATH)
    made = list(walk(after.root))[at].children[-1]
    assert (made.value("Inner/@id"), made.value("Inner/Text"), made.value("@x")) == (value, text, "")
    gone = parse(apply_splices(after.raw, [remove(after, made)]), path=PATH)
    before = [(tag, text.strip(), attributes) for tag, text, attributes in values(file.document)]
    assert [(tag, text.strip(), attributes) for tag, text, attributes in values(gone)] == before


@pytest.mark.parametrize(("codec", "mark"), [("utf-8", b""), ("utf-16-le", codecs.BOM_UTF16_LE)])
def test_twenty_megabytes(codec: str, mark: bytes) -> None:
    item = "".join(f"  <Field{n} on='yes'>{'value é ' * 12}</Field{n}>\r\n" for n in range(12))
    count = 20_000_000 // (len(item.encode(codec)) + 50)
    body = "".join(f"<Item id='{n}'>\r\n{item}</Item>\r\n" for n in range(count))
    raw = mark + f"<config>\r\n{body}</config>".encode(codec)
    assert len(raw) > 18_000_000
    start = time.perf_counter()
    document = parse(raw, path=PATH)
    chosen = document.root.children[:: max(1, count // 100)]
    splices = [set_text(document, each.children[3], "x") for each in chosen]
    splices += [set_attribute(document, each, "id", "é") for each in chosen]
    after = apply_splices(raw, splices)
    took = time.perf_counter() - start
    assert after.count("<Field3 on='yes'>x</Field3>".encode(codec)) == len(chosen)
    assert kept(raw, splices)[0] == raw[: min(splices).offset]
    assert took < 30
