"""What is shown of a PowerShell's standard error."""

from __future__ import annotations

import timeit
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivn_provision.drivers.xprotect_e.bootstrap import clixml_errors
from ivn_provision.drivers.xprotect_e.clixml import MAX_BYTES

OBJECTS = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">{}</Objs>'


def clixml(*messages: str) -> bytes:
    return ("#< CLIXML\r\n" + OBJECTS.format("".join(messages))).encode()


def test_errors_and_warnings_are_kept_and_progress_is_dropped() -> None:
    progress = '<Obj S="progress" RefId="0"><MS><S N="T">Preparing modules for first use.</S></MS></Obj>'
    verbose, debug = '<S S="verbose">v</S>', '<S S="debug">d</S>'
    error = '<S S="Error">Cannot find path._x000D__x000A_</S><S S="Error">At line:1_x000D__x000A_</S>'
    warning = '<S S="Warning">careful</S>'
    assert (
        clixml_errors(clixml(progress, verbose, error, debug, warning))
        == "Cannot find path.\nAt line:1\ncareful"
    )


def test_messages_in_any_depth_and_in_two_documents_are_found() -> None:
    deep = '<Obj RefId="0"><LST><S S="Error">deep</S></LST></Obj>'
    assert clixml_errors(clixml(deep) + clixml('<S S="Error">second</S>')) == "deep\nsecond"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("caf_x00E9_", "café"),
        ("_xD83C__xDFA5_ film", "🎥 film"),
        ("_xD83C_ alone", "\ufffd alone"),
        ("_x005F_x0041_", "_x0041_"),
        ("a &lt;b&gt; &amp;amp; &quot;&apos;&#233;&#xe9;", "a <b> &amp; \"'éé"),
        ("&unknown; &#xD800; &#x110000;", "&unknown; \ufffd \ufffd"),
        ("_x001B_[31;1mred_x001B_[0m_x0007_", "red"),
    ],
)
def test_escapes(written: str, meant: str) -> None:
    assert clixml_errors(clixml(f'<S S="Error">{written}</S>')) == meant


def test_plain_text_beside_is_kept() -> None:
    around = b"\xef\xbb\xbfnetsh: no\r\n" + clixml('<S S="Error">e</S>') + b"\r\nlast words"
    assert clixml_errors(around) == "netsh: no\nlast words\ne"
    assert clixml_errors(b"only plain\r\n") == "only plain"
    assert clixml_errors(b"") == ""


def test_a_cut_document_shows_what_is_whole() -> None:
    assert clixml_errors(clixml('<S S="Error">one</S><S S="Error">tw')[:-9]) == "one"


def test_a_document_type_is_refused() -> None:
    bomb = b'#< CLIXML\n<!DOCTYPE x [<!ENTITY a "aaaa">]><Objs><S S="Error">&a;</S></Objs>'
    assert "not shown" in clixml_errors(bomb)
    assert "not shown" in clixml_errors(b'<! entity a "b">')


def test_only_the_beginning_is_read() -> None:
    filler = b"<S S='verbose'>x</S>" * (MAX_BYTES // 20)
    assert (
        clixml_errors(b"<Objs><S S='Error'>first</S>" + filler + b"<S S='Error'>last</S></Objs>") == "first"
    )


def test_an_empty_document_ends_itself() -> None:
    assert clixml_errors(b'#< CLIXML\r\n<Objs Version="1"/>\r\nplain') == "plain"


@pytest.mark.parametrize("part", [b"<Objs ", b"<Objs>", b"<Objs/>", b"<S S='Error'>", b"</Objs </S ", b"<! "])
def test_hostile_text_takes_time_in_proportion(part: bytes) -> None:
    def cost(size: int) -> float:
        return min(
            timeit.repeat(lambda: clixml_errors((part * size)[:size]), number=1, repeat=5, timer=process_time)
        )

    assert cost(MAX_BYTES) < 16 * max(cost(MAX_BYTES // 8), 1e-3)  # quadratic: 64 times


def test_utf_16_is_read() -> None:
    assert clixml_errors(clixml('<S S="Error">wide</S>').decode().encode("utf-16-le")) == "wide"


@given(st.binary(max_size=200))
def test_any_bytes_give_a_text_for_a_terminal(stderr: bytes) -> None:
    for text in (clixml_errors(stderr), clixml_errors(b'<Objs><S S="Error">' + stderr + b"</S></Objs>")):
        assert not any(character < " " and character not in "\n\t" for character in text)
