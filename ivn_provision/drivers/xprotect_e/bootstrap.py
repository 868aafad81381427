"""How the agent script gets to a recorder and its reply back (docs/reference/agent-protocol.md).

One command line with a fixed loader; script and request go over standard input, never into the line.
Source: facts/winrm.md, parts 2 and 7.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from ivn_provision.drivers.xprotect_e.clixml import clixml_errors
from ivn_provision.errors import ProtocolFault

__all__ = [
    "AGENT_VERSION",
    "LONGEST_LINE",
    "SEND_LIMIT",
    "agent_text",
    "clixml_errors",
    "command_line",
    "decode_reply",
    "split_sends",
    "stdin_payload",
]

AGENT_VERSION = "1.3.0"
LONGEST_LINE = 8191
"""Characters that cmd.exe takes, the program's name included."""
SEND_LIMIT = 112_128
"""Bytes of one Send: base64 and envelope stay under the 150 KB that WinRM 2.0 takes."""

_BAD_REQUEST_MARKER = "BADREQUESTBADREQUEST"
_LARGEST_REPLY = 512 * 1024 * 1024
_LINE = 1000
_SHOWN = 300

# Everything outside of base64 and the dot goes: line ends, and the BOM that code page 65001 puts in front.
_LOADER = """
$ErrorActionPreference='Stop';$ProgressPreference='SilentlyContinue'
$p=[regex]::Replace((@($input)-join''),'[^A-Za-z0-9+/=.]','').Split('.')
function U($s){
$m=New-Object IO.MemoryStream(,[Convert]::FromBase64String($s))
$g=New-Object IO.Compression.GZipStream($m,[IO.Compression.CompressionMode]::Decompress)
(New-Object IO.StreamReader($g,[Text.Encoding]::UTF8)).ReadToEnd()}
& ([ScriptBlock]::Create((U $p[0]))) (U $p[1])
exit 0
""".strip()


@cache
def agent_text() -> str:
    """The agent script of this version, as it is sent."""
    script = resources.files("ivn_provision.drivers.xprotect_e").joinpath("agent.ps1")
    return script.read_text(encoding="ascii")


def command_line() -> tuple[str, tuple[str, ...]]:
    """Program and arguments that run the loader: always the same, with nothing of a site in them."""
    encoded = base64.b64encode(_LOADER.encode("utf-16-le")).decode("ascii")
    options = ("-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-EncodedCommand", encoded)
    return "powershell.exe", options


def stdin_payload(agent_text: str, request: Mapping[str, Any]) -> bytes:
    """What the loader reads: the script, a line with a dot, the request; each gzip, base64, in lines."""
    text = json.dumps(request, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return _packed_script(agent_text) + b".\n" + _packed_lines(text)


def split_sends(payload: bytes, limit: int = SEND_LIMIT) -> tuple[bytes, ...]:
    """The payload in pieces of at most `limit` bytes; at least one piece, because the last one ends stdin."""
    if limit < 1:
        raise ValueError("a piece needs at least one byte")
    return tuple(payload[at : at + limit] for at in range(0, len(payload), limit)) or (b"",)


def decode_reply(stdout: bytes, marker: str, stderr: bytes = b"") -> dict[str, Any]:
    """The agent's reply between its markers; white space and other lines around it do not matter.

    Raises ProtocolFault for an answer without a reply, a cut or damaged one, and for a request that the
    agent could not read. A reply with a top-level `error` under the right marker is returned.
    """
    # White space goes first: PowerShell 2.0 may break lines anywhere at 80 columns.
    text = b"".join(stdout.replace(b"\x00", b"").split()).decode("latin-1")
    found = _frame(text, marker)
    if found is None:
        raise _no_reply(text, marker, stdout, stderr)
    return _checked_shape(_verified(found))


@lru_cache(maxsize=2)
def _packed_script(text: str) -> bytes:
    """Packed once: the agent goes to every recorder of a fleet, and compressing it takes longer than logging on."""
    return _packed_lines(text)


def _packed_lines(text: str) -> bytes:
    packed = base64.b64encode(gzip.compress(text.encode("utf-8"), mtime=0))
    return b"".join(packed[at : at + _LINE] + b"\n" for at in range(0, len(packed), _LINE))


def _frame(text: str, marker: str) -> re.Match[str] | None:
    # gzip always begins with H4sI in base64: that is where the hash ends.
    mark = re.escape(marker)
    return re.search(
        rf"IVN-BEGIN{mark}(?P<size>[0-9]{{1,12}})(?P<sha>[0-9a-f]{{64}})(?P<body>H4sI[A-Za-z0-9+/]*={{0,2}})IVN-END{mark}",
        text,
    )


def _verified(frame: re.Match[str]) -> bytes:
    size = int(frame["size"])
    if size > _LARGEST_REPLY:
        raise _fault(f"the agent announces a reply of {size} bytes, more than this tool takes")
    try:
        unpacker = zlib.decompressobj(wbits=31)
        reply = unpacker.decompress(base64.b64decode(frame["body"], validate=True), size + 1)
    except (binascii.Error, zlib.error) as error:
        raise _fault(f"the agent's reply is damaged: {error}") from error
    if len(reply) < size or (len(reply) == size and not unpacker.eof):
        raise _fault(f"the agent's reply is cut: {len(reply)} of {size} bytes")
    if len(reply) != size or hashlib.sha256(reply).hexdigest() != frame["sha"]:
        raise _fault("the agent's reply is damaged: its hash is not the one that was announced")
    return reply


def _checked_shape(reply: bytes) -> dict[str, Any]:
    try:
        value = json.loads(reply)
    except (ValueError, RecursionError) as error:
        raise _fault(f"the agent's reply is not JSON: {error}") from error
    lists = [value.get(name) for name in ("steps", "undone", "always")] if isinstance(value, dict) else []
    if not lists or not all(
        isinstance(each, list) and all(isinstance(e, dict) for e in each) for each in lists
    ):
        raise _fault("the agent's reply has not the shape of the protocol")
    if value.get("protocol") != 1:
        raise _fault(f"the agent speaks protocol {value.get('protocol')!r:.20}, this tool protocol 1")
    assert isinstance(value, dict)
    return value


def _no_reply(text: str, marker: str, stdout: bytes, stderr: bytes) -> ProtocolFault:
    refused = _frame(text, _BAD_REQUEST_MARKER)
    if refused is not None:
        error = _checked_shape(_verified(refused)).get("error")
        message = error.get("message") if isinstance(error, dict) else None
        return _fault(f"the agent could not read the request: {message or 'it does not say why'}")
    if f"IVN-BEGIN{marker}" in text:
        return _fault(f"the agent's reply is cut or damaged: its end is missing ({len(stdout)} bytes came)")
    if "IVN-BEGIN" in text:
        return _fault("the answer holds a reply to another request")
    shown = [f"{name}: {_printable(part)}" for name, part in _streams(stdout, stderr) if _printable(part)]
    return _fault("the recorder's answer holds no reply of the agent; " + ("; ".join(shown) or "it is empty"))


def _streams(stdout: bytes, stderr: bytes) -> tuple[tuple[str, str], tuple[str, str]]:
    plain = stdout.replace(b"\x00", b"").decode("utf-8", "replace")
    return ("stdout", plain), ("stderr", clixml_errors(stderr))


def _printable(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_SHOWN]


def _fault(summary: str) -> ProtocolFault:
    return ProtocolFault(
        summary,
        where="the agent on the recorder",
        next_step="Run it again; if it stays so, look at antivirus, AppLocker and the PowerShell log on the recorder.",
    )
