"""Source lines in reports: what is masked, what stays, and that no line costs more than its length."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivn_provision.diagnostics import Diagnostic, Place, Severity
from ivn_provision.report import line_masks
from ivn_provision.report.line_masks import MAX_LINE, masked
from ivn_provision.report.source_lines import file_lines, hiding_unknown


def lines(text: str) -> list[str]:
    return list(masked(text.split("\n")))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "site: a",
        "# a comment: with colons",
        "  - number: 10    # the first",
        '    window: "Mon-Fri 09:00-16:00"',
        "    url: https://portal.example/api/v1",
        "    host: ::1",
        "    recipients: [a@b.c, !ref portal.smtp_account_id]",
        "  - {number: 1, label: x, hardware: {address: h}}",
        "    password: !secret env:X   # fine",
        "  - {name: u, password: !secret keyring:a/b, kind: basic}",
        "labels: {dealer: north, any: thing}",
        "    client_secret:",
        "    connect:   # where: there",
    ],
)
def test_what_is_harmless_is_shown(line: str) -> None:
    assert lines(line) == [line]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("  frob: x  # c", "  frob: ********"),
        ("frob: ", "frob: "),
        ("  - {number: 1, pw: x, label: y}", "  - {number: 1, pw: ********"),
        ("  'pw': x", "  'pw': ********"),
        ('{"pw":x}', '{"pw":********'),
        ("  password: !secret hunter", "  password: ********"),
        ("  password: !secret env:X hunter", "  password: ********"),
        ("  label: a: x", "  label: a: ********"),
        ("labels: {a: b, api_key: x}", "labels: {a: b, api_key: ********"),
        ("{labels: {a: b}, c: d}", "{labels: {a: b}, c: ********"),
        ("host: https://u:p@q@h/ x", "host: https://********@h/ x"),
        ("host: ftp+x://tok/en@h", "host: ftp+x://********@h"),
        ("host: u:p@h", "host: ********@h"),
    ],
)
def test_what_may_be_a_password_is_masked(line: str, shown: str) -> None:
    assert lines(line) == [shown]


@pytest.mark.parametrize(
    "value",
    [
        "|\n     a\n\n      b",
        "\n     a\n      b: c",
        "\n    - a\n    - b",
        '"a\n b\nc"',
        "'it''s\n# b\n       x: y'",
        "[a,\nb, {\nc: d}\n]",
        '{a: "]",\nhost: b}',
        "a\n     b",
    ],
)
@pytest.mark.parametrize("key", ["frob", "password", "- pw", '"x y"'])
def test_values_over_many_lines_are_masked_to_their_end(key: str, value: str) -> None:
    indent = "  " if key.startswith("-") else "    "
    shown = lines(f"nvr:\n{indent}{key}: {value}\n    port: 1\nsite: a")
    assert shown[0] == "nvr:"
    assert shown[-2:] == ["    port: 1", "site: a"]
    assert all(re.fullmatch(r"\s*(\*{8})?", each) for each in shown[2:-2])


def test_a_line_of_a_quoted_text_that_looks_like_a_masked_key_hides_what_is_below_it() -> None:
    text = "label: 'a\n pw: b\n  c'\nnvr:\n  host: h"
    assert lines(text)[1:] == [" ********", "  ********", "nvr:", "  host: h"]
    assert lines("label: 'a\n  pw: b'\n    host: h\nsite: a")[2:] == ["    ********", "site: a"]


def test_a_comment_below_a_masked_key_hides_nothing_more() -> None:
    text = "nvr:\n  password: !secret env:A\n# a comment\n  port: 1"
    assert lines(text) == text.split("\n")


def test_free_keys_end_with_their_map() -> None:
    assert lines("labels:\n  a: b\nfrob:\n  c: d") == ["labels:", "  a: b", "frob:", "  ********"]


def test_an_unknown_key_with_a_known_name_is_cut() -> None:
    place = Place("p", 1, 3, 1, 8)
    found = Diagnostic(Severity.ERROR, "SCH001", "unknown key", place)
    assert hiding_unknown([found], lambda _path, _line: "  label: x")("p", 1) == "  label: ********"
    assert hiding_unknown([found], lambda _path, _line: "  label: x")("p", 2) == "  label: x"
    assert hiding_unknown([found], lambda _path, _line: "  label:")("p", 1) == "  label:"
    assert hiding_unknown([found], lambda _path, _line: "")("p", 1) == ""


@pytest.mark.parametrize("start", ["# ", "label: ", "pw: ", "", "- [", 'pw: "', "://", "host: a:"])
@pytest.mark.parametrize("part", ["pass", "a:", "'", "[", "- ", "@", "://", " #", "&a ", "pass-", "\t"])
def test_no_pattern_sees_more_than_the_beginning_of_a_line(
    start: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    class Counting:
        def __init__(self, pattern: re.Pattern[str]) -> None:
            self.pattern = pattern

        def __getattr__(self, name: str) -> object:
            def call(text: str, *arguments: int) -> object:
                seen.append(len(text))
                return getattr(self.pattern, name)(text, *arguments)

            return call

    for name, value in vars(line_masks).copy().items():
        if isinstance(value, re.Pattern):
            monkeypatch.setattr(line_masks, name, Counting(value))
    quotes = {quote: Counting(pattern) for quote, pattern in line_masks._TO_QUOTE.items()}
    monkeypatch.setattr(line_masks, "_TO_QUOTE", quotes)
    shown = lines(start + part * 60_000 + "\nsite: a")
    assert max(map(len, shown)) <= MAX_LINE + 8
    assert seen
    assert max(seen) <= MAX_LINE
    assert len(seen) <= 20 * MAX_LINE


def test_positions_before_the_cut_stay() -> None:
    line = "label: a" + " " * 300 + "b" + "c " * 400
    assert lines(line) == [line[:MAX_LINE]]


def test_user_information_at_the_cut_is_left_out() -> None:
    assert "hunter" not in lines("host: " + "x" * 300 + " https://user:hunter" + "y" * 200 + "@host")[0]


def test_a_long_line_may_have_opened_anything() -> None:
    shown = lines("nvr: {product: x" + " " * MAX_LINE + ", pw:\nhunter}\nsite: a")
    assert shown[1:] == ["********", "********"]
    assert lines("nvr: {product: x" + " " * MAX_LINE + "}\nsite: a")[1:] == ["site: a"]


def test_files_are_read_by_line(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_bytes(b"\xef\xbb\xbfsite: a\r\npw: hunter\r\n\xff: x")
    assert [file_lines(str(path), line) for line in range(5)] == [
        "",
        "site: a",
        "pw: ********",
        "\ufffd: ********",
        "",
    ]
    assert file_lines(str(tmp_path), 1) == file_lines("nul\x00", 1) == ""


@pytest.mark.parametrize(
    "text",
    [
        "a: [{label: '\n\n '}], pw: 'hunter\n hunter '",
        "{labels: [], pw: hunter,\n x: 'hunter ]\n hunter '}",
        "label: '\n\n  []: '\npw:\n  host: 'hunter\n    hunter '",
        "{label: a 'b, pw: hunter' x}",
        'label: "a\npw: hunter" hunter\n   hunter',
        "body: |\n  it's {\n  - [\npw:\n  hunter",
        "host:\n  pw: hunter\n    '\npw:\n- hunter'\n- hunter",
        "label: x\n  'y\npw: hunter'\n  hunter",
        "- acceptance: :{\n  pw:\n  - hunter]\n  - hunter",
        "- label: :[\n  'x\n  pw:\n  - a']\n  - hunter",
        "- body: |\n    it's: {\n  pw:\n  - hunter}\n  - [hunter]]\n  - hunter",
        "body: |\n  x\n frob: hunter\n  - hunter",
        "label: }]\npw: ]\n- hunter]\n- {hunter}}\n- hunter",
        "pw:\n  - hunter\n# a comment\n  - hunter",
        "- pw:\n  # a comment\n# and one more\n  - [hunter,\n# c\n    hunter]\n  - hunter",
        "? pw\n: - hunter\n  - hunter",
        "labels:\n- :{\n  frob: {\n- pw:\n  - hunter}}\n  - hunter",
        "label: frob: x\n  hunter",
        "password: !secret env:A\n  hunter",
    ],
)
def test_quotes_and_brackets_over_many_lines_uncover_nothing(text: str) -> None:
    assert "hunter" not in "".join(lines(text))


@given(
    st.lists(st.text(alphabet="ap: -'\"[]{},#\n&!?@|\\", max_size=30)),
    st.sampled_from(["pw", "password"]),
)
def test_no_text_before_it_uncovers_a_password(before: list[str], key: str) -> None:
    text = "\n".join(before)
    assert "hunter" not in "".join(lines(f"{text}\n{key}: hunter"))


@given(
    st.lists(st.text(alphabet="ap: -'\"[]{},#\n&!?@|\\", max_size=30)),
    st.sampled_from(["", "  ", "- ", "  - "]),
    st.lists(st.text(alphabet="ap: -'\"[]{},#&!?@|\\", max_size=12), max_size=5),
)
def test_no_text_uncovers_a_list_below_a_password(before: list[str], lead: str, junk: list[str]) -> None:
    indent = " " * len(lead)
    below = [f"{indent}- hunter{each}" for each in junk]
    assert "hunter" not in "".join(lines("\n".join([*before, f"{lead}pw:", *below])))
