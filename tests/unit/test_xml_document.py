"""XML by splices: only the addressed bytes change, whatever the encoding and the style of the file."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivn_provision.drivers.xprotect_e.xml_document import Document, Splice, parse
from ivn_provision.drivers.xprotect_e.xml_edit import append_children, apply_splices, remove, set_text
from ivn_provision.errors import ProtocolFault, Refused

PATH = "configuration.xml"
MESSY = """<?xml version="1.0" encoding="@ENC@"?>@NL@<!-- <a>not this</a> & that -->@NL@<config  x='1>2' >@NL@\
  <a>one</a>@NL@@NL@\t<b y="&gt;"/>@NL@  <c ><![CDATA[<raw>]]></c><d></d>@NL@  <list><i>1</i><i>2</i></list>@NL@\
  <e>a &amp; b &#233;</e>@NL@</config>@NL@"""
ENCODINGS = {
    "utf-8": ("utf-8", b""),
    "utf-8 with BOM": ("utf-8", codecs.BOM_UTF8),
    "utf-16 LE": ("utf-16-le", codecs.BOM_UTF16_LE),
    "utf-16 BE": ("utf-16-be", codecs.BOM_UTF16_BE),
    "latin-1": ("iso-8859-1", b""),
    "windows-1252": ("windows-1252", b""),
}
WORDS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"]), max_size=30)


def raw_of(name: str, newline: str) -> bytes:
    codec, mark = ENCODINGS[name]
    declared = "utf-16" if codec.startswith("utf-16") else codec
    return mark + MESSY.replace("@ENC@", declared).replace("@NL@", newline).encode(codec)


def edit(document: Document, *splices: Splice) -> Document:
    return parse(apply_splices(document.raw, list(splices)), path=PATH)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ENCODINGS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_new_text_changes_nothing_else(name: str, newline: str, data: st.DataObject) -> None:
    document = parse(raw_of(name, newline), path=PATH)
    tag = data.draw(st.sampled_from(["a", "b", "c", "d", "e", "list/i"]))
    value = data.draw(WORDS)
    if name == "windows-1252":
        value = value.encode("ascii", "ignore").decode()
    element = document.root.find(tag)
    assert element is not None
    splice = set_text(document, element, value)
    after = edit(document, splice)
    assert after.root.value(tag) == value.replace("\r\n", "\n").replace("\r", "\n")
    assert after.raw[: splice.offset] == document.raw[: splice.offset]
    tail = document.raw[splice.offset + splice.length :]
    assert after.raw.endswith(tail)
    for other in {"a", "c", "d", "e"} - {tag}:
        assert after.root.value(other) == document.root.value(other)


@pytest.mark.parametrize("name", ENCODINGS)
def test_children_come_in_the_style_of_the_file(name: str) -> None:
    document = parse(raw_of(name, "\r\n"), path=PATH)
    parent = document.root.find("list")
    assert parent is not None
    after = edit(document, append_children(document, parent, [["<i>3</i>"], ["<i>4</i>"]]))
    assert [each.text for each in after.root.all("list/i")] == ["1", "2", "3", "4"]
    assert "\r\n    <i>3</i>\r\n    <i>4</i></list>" in after.utf8.decode()


@pytest.mark.parametrize("empty", ["<list/>", "<list />", "<list></list>", "<list>\n  </list>"])
def test_children_of_an_empty_element(empty: str) -> None:
    document = parse(f"<config>\n  {empty}\n</config>\n".encode(), path=PATH)
    parent = document.root.find("list")
    assert parent is not None
    after = edit(document, append_children(document, parent, [["<i>", "  <x>1</x>", "</i>"]]))
    assert after.raw == b"<config>\n  <list>\n    <i>\n      <x>1</x>\n    </i>\n  </list>\n</config>\n"


def test_a_removed_element_takes_its_line_with_it() -> None:
    document = parse(b"<c>\r\n  <a>1</a>\r\n  <b>2</b>\r\n</c>", path=PATH)
    element = document.root.find("b")
    assert element is not None
    assert edit(document, remove(document, element)).raw == b"<c>\r\n  <a>1</a>\r\n</c>"


def test_an_element_in_the_middle_of_a_line_is_removed_alone() -> None:
    document = parse(b"<c><a>1</a> <b>2</b></c>", path=PATH)
    element = document.root.find("b")
    assert element is not None
    assert edit(document, remove(document, element)).raw == b"<c><a>1</a> </c>"


HOSTILE = {
    "entity bomb": b'<!DOCTYPE c [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><c>&b;</c>',
    "external entity": b'<!DOCTYPE c [<!ENTITY x SYSTEM "file:///etc/passwd">]><c>&x;</c>',
    "doctype alone": b"<!DOCTYPE c><c/>",
    "undefined entity": b"<c>&nbsp;</c>",
    "cut": b"<config><a>1</a>",
    "two roots": b"<a/><b/>",
    "empty": b"",
    "not XML": b"MZ\x90\x00",
    "bad UTF-8": b"<c>\xff</c>",
    "unknown encoding": b'<?xml version="1.0" encoding="klingon"?><c/>',
    "odd UTF-16": codecs.BOM_UTF16_LE + b"<\x00c",
    "too deep": b"<a>" * 200 + b"</a>" * 200,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_clear_errors(name: str) -> None:
    with pytest.raises(ProtocolFault) as caught:
        parse(HOSTILE[name], path=PATH)
    assert PATH in caught.value.summary


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_give_a_document_or_our_error(raw: bytes) -> None:
    try:
        parse(raw, path=PATH)
    except ProtocolFault:
        return


@pytest.mark.parametrize("value", ["a\x00b", "\x1b[31m", "\ud800", "\uffff"])
def test_what_xml_cannot_carry_is_refused(value: str) -> None:
    document = parse(b"<c><a>1</a></c>", path=PATH)
    element = document.root.find("a")
    assert element is not None
    with pytest.raises(Refused):
        set_text(document, element, value)


def test_what_the_encoding_cannot_carry_is_refused() -> None:
    document = parse(b'<?xml version="1.0" encoding="iso-8859-1"?><c><a>1</a></c>', path=PATH)
    element = document.root.find("a")
    assert element is not None
    with pytest.raises(Refused, match="iso"):
        set_text(document, element, "\u20ac")


def test_overlapping_edits_are_refused() -> None:
    with pytest.raises(Refused):
        apply_splices(b"abcdef", [Splice(1, 3, b"x"), Splice(2, 1, b"y")])


def test_an_element_with_children_takes_no_text() -> None:
    document = parse(b"<c><a><b/></a></c>", path=PATH)
    element = document.root.find("a")
    assert element is not None
    with pytest.raises(Refused):
        set_text(document, element, "1")
