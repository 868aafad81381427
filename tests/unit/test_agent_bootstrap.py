"""The command line, the standard input and the framed reply of the agent protocol."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivn_provision.drivers.xprotect_e.bootstrap import (
    AGENT_VERSION,
    LONGEST_LINE,
    SEND_LIMIT,
    agent_text,
    command_line,
    decode_reply,
    split_sends,
    stdin_payload,
)
from ivn_provision.errors import ProtocolFault

MARKER = "Marker0123456789ab"
REPLY = {
    "agent": "1.3.0",
    "always": [],
    "protocol": 1,
    "undone": [],
    "steps": [{"ok": True, "verb": "facts", "x": "é" * 400}],
}


def framed(reply: bytes, marker: str = MARKER, size: int | None = None, sha: str | None = None) -> bytes:
    body = base64.b64encode(gzip.compress(reply, mtime=0)).decode()
    lines = [body[at : at + 76] for at in range(0, len(body), 76)]
    first = f"IVN-BEGIN {marker} {len(reply) if size is None else size} {sha or hashlib.sha256(reply).hexdigest()}"
    return "\r\n".join([first, *lines, f"IVN-END {marker}", ""]).encode()


def packed(value: object) -> bytes:
    return framed(json.dumps(value).encode())


def fault(stdout: bytes, stderr: bytes = b"") -> str:
    with pytest.raises(ProtocolFault) as caught:
        decode_reply(stdout, MARKER, stderr)
    assert caught.value.next_step
    return str(caught.value)


def test_the_line_fits_cmd_and_holds_a_loader_that_reads_input() -> None:
    program, arguments = command_line()
    assert len(" ".join((program, *arguments))) < LONGEST_LINE / 4
    assert arguments[-2] == "-EncodedCommand"
    loader = base64.b64decode(arguments[-1]).decode("utf-16-le")
    assert "$input" in loader
    assert loader.isascii()
    assert not any(character in " ".join(arguments) for character in "\"'&|<>^%")


def test_the_script_says_its_version_in_its_first_line() -> None:
    assert agent_text().splitlines()[0] == f"# ivn-provision agent {AGENT_VERSION}"
    assert f"$AgentVersion = '{AGENT_VERSION}'" in agent_text()
    assert agent_text().isascii()


def test_stdin_is_two_packed_parts_around_a_dot() -> None:
    request = {"protocol": 1, "marker": MARKER, "steps": [{"verb": "é\u2028$(x)`"}]}
    lines = stdin_payload("x = '日本'\n", request).decode("ascii").split("\n")
    assert lines[-1] == ""
    assert max(map(len, lines)) <= 1000
    dot = lines.index(".")
    script, asked = (
        gzip.decompress(base64.b64decode("".join(part))) for part in (lines[:dot], lines[dot + 1 :])
    )
    assert script.decode() == "x = '日本'\n"
    assert json.loads(asked) == request


def test_stdin_of_the_real_script_is_the_same_each_time() -> None:
    request = {"protocol": 1, "marker": MARKER, "steps": []}
    assert stdin_payload(agent_text(), request) == stdin_payload(agent_text(), request)
    assert len(stdin_payload(agent_text(), request)) < SEND_LIMIT


def test_a_request_with_a_number_that_json_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        stdin_payload("", {"steps": [float("nan")]})


@given(st.binary(max_size=300), st.integers(1, 70))
def test_sends_are_the_payload_in_order(payload: bytes, limit: int) -> None:
    sends = split_sends(payload, limit)
    assert b"".join(sends) == payload
    assert sends
    assert all(len(each) <= limit for each in sends)


def test_a_send_needs_room() -> None:
    with pytest.raises(ValueError, match="at least one byte"):
        split_sends(b"x", 0)


def test_a_reply_is_found_among_other_lines() -> None:
    noise = b"\xef\xbb\xbfActive code page: 65001\r\nIVN-BEGIN of something else\r\n"
    assert decode_reply(noise + packed(REPLY) + b"\r\nbye\r\n", MARKER) == REPLY


def test_a_reply_broken_at_any_column_is_read() -> None:
    whole = packed(REPLY).replace(b"\r\n", b"")
    # PowerShell 2.0 breaks lines at 80 columns, wherever that is
    for columns in (7, 79, 80):
        broken = b"\r\n".join(whole[at : at + columns] for at in range(0, len(whole), columns))
        assert decode_reply(broken, MARKER) == REPLY


def test_a_reply_in_utf_16_is_read() -> None:
    assert decode_reply(packed(REPLY).decode().encode("utf-16"), MARKER) == REPLY


def test_a_reply_with_an_error_is_returned() -> None:
    value = {**REPLY, "steps": [], "error": {"code": "bad_request", "message": "unknown protocol"}}
    assert decode_reply(packed(value), MARKER)["error"]["message"] == "unknown protocol"


def test_no_reply_shows_what_came_instead() -> None:
    text = fault(b"The command line is too long.\r\n\x1b[2J\x07" + b"x" * 1000, b"")
    assert "holds no reply of the agent" in text
    assert "The command line is too long. [2J xxx" in text
    assert "\x1b" not in text
    assert len(text) < 400
    shown = fault(b"", b'#< CLIXML\r\n<Objs><S S="Error">gone_x000D__x000A_</S></Objs>')
    assert "stderr: gone" in shown
    assert "it is empty" in fault(b" \r\n")


def test_a_cut_reply_is_told_from_a_damaged_one() -> None:
    whole = packed(REPLY)
    assert "its end is missing" in fault(whole[: len(whole) // 2])
    body = base64.b64encode(gzip.compress(json.dumps(REPLY).encode(), mtime=0)[:-30])
    header = whole.split(b"\r\n")[0]
    assert "is cut" in fault(header + b"\n" + body + b"\nIVN-END " + MARKER.encode())


def test_a_reply_with_another_hash_or_size_is_refused() -> None:
    reply = json.dumps(REPLY).encode()
    assert "its hash is not" in fault(framed(reply, sha="0" * 64))
    assert "is damaged" in fault(framed(reply, size=len(reply) - 1))
    assert "is cut" in fault(framed(reply, size=len(reply) + 1))


def test_a_reply_that_unpacks_to_more_than_announced_is_not_unpacked() -> None:
    bomb = framed(b"0" * 50_000_000, size=10)
    assert "is damaged" in fault(bomb)
    assert "more than this tool takes" in fault(framed(b"{}", size=999_999_999_999))


def test_damaged_packing_is_refused() -> None:
    whole = packed(REPLY).split(b"\r\n")
    whole[1] = whole[1][:30] + b"AAAAAAAA" + whole[1][38:]
    assert "damaged" in fault(b"\n".join(whole))


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"protocol":1}',
        b'{"protocol":1,"steps":[],"always":[]}',
        b'{"protocol":1,"steps":[1],"undone":[],"always":[]}',
        b'{"protocol":1,"steps":[],"undone":[1],"always":[]}',
        b"\xff",
        b"[" * 9999,
    ],
)
def test_a_reply_of_another_shape_is_refused(reply: bytes) -> None:
    assert "not JSON" in (text := fault(framed(reply))) or "shape of the protocol" in text


def test_another_protocol_is_named() -> None:
    assert "protocol 2, this tool protocol 1" in fault(packed({**REPLY, "protocol": 2}))


def test_a_reply_to_another_request_is_refused() -> None:
    assert "reply to another request" in fault(framed(json.dumps(REPLY).encode(), "Z" * 20))


def test_a_request_that_the_agent_could_not_read_is_said() -> None:
    value = {
        **REPLY,
        "steps": [],
        "error": {"code": "bad_request", "message": "the request is not valid JSON"},
    }
    text = fault(framed(json.dumps(value).encode(), "BADREQUESTBADREQUEST"))
    assert text == "the agent could not read the request: the request is not valid JSON"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_fault_and_never_a_crash(stdout: bytes) -> None:
    fault(stdout, stdout)
    fault(f"IVN-BEGIN {MARKER} ".encode() + stdout + f"IVN-END {MARKER}".encode())
