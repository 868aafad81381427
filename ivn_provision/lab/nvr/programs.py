"""What the emulated machine's command interpreter can run: the agent's bootstrap, `hostname`, and a few readings.

No program of the host is ever started.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from ivn_provision.lab.nvr.agent_emulation import Windows, answer, framed
from ivn_provision.lab.nvr.readings import read, script_of

LONGEST_LINE = 8191  # characters, cmd.exe (facts/winrm.md, part 2)
_LARGEST_PAYLOAD = 64 * 1024 * 1024
_AGENT_LINE = re.compile(r"# ivn-provision agent (\d+\.\d+\.\d+\S*)")


@dataclass(frozen=True, slots=True)
class Result:
    """What a finished program leaves behind."""

    exit_code: int
    stdout: bytes = b""
    stderr: bytes = b""


Program = Callable[[bytes], Result]


def resolve(line: str, windows: Windows) -> Program | Result:
    """A program that still needs its standard input, or the result of one that needs none."""
    if len(line) > LONGEST_LINE:
        return Result(1, stderr=b"The command line is too long.\r\n")
    if line.strip().casefold() in {"hostname", "hostname.exe"}:
        return Result(0, stdout=f"{windows.facts()['computer_name']}\r\n".encode())
    script = script_of(line)
    if script is not None and "$input" in script:
        return lambda stdin: _agent(stdin, windows)
    answer_to = read(script, windows) if script is not None else None
    return _not_recognized(line) if answer_to is None else Result(0, stdout=answer_to)


def _not_recognized(line: str) -> Result:
    word = line.split(maxsplit=1)[0] if line.strip() else ""
    text = f"'{word}' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n"
    return Result(1, stderr=text.encode("utf-8", "replace"))


def _agent(stdin: bytes, windows: Windows) -> Result:
    try:
        script, request = _payload(stdin)
    except (ValueError, EOFError, OSError, zlib.error) as error:
        return _exception(f"the standard input cannot be unpacked: {error}")
    return _run(script, request, windows)


def _run(script: str, request: str, windows: Windows) -> Result:
    first = script.lstrip("\ufeff").split("\n", 1)[0].rstrip("\r")
    known = _AGENT_LINE.fullmatch(first)
    if known is None:
        return _exception("the lab runs no script but the ivn-provision agent")
    marker, reply = answer(request, windows, agent=known.group(1), script=script)
    return Result(0, stdout=framed(marker, reply))


def run_kept(folder: str, windows: Windows) -> Result:
    """What a scheduled task starts: the agent kept in a folder, with the request kept beside it."""
    try:
        script = windows.tree.locate(f"{folder}\\agent.ps1").read_text("utf-8")
        request = windows.tree.locate(f"{folder}\\request.json").read_text("utf-8")
    except OSError as error:
        return _exception(f"the kept agent cannot be read: {error}")
    return _run(script, request, windows)


def _payload(stdin: bytes) -> tuple[str, str]:
    lines = stdin.removeprefix(b"\xef\xbb\xbf").decode("ascii").split("\n")
    stripped = ["".join(line.split()) for line in lines]
    if stripped.count(".") != 1:
        raise ValueError("no separating line")
    at = stripped.index(".")
    return _unpacked("".join(stripped[:at])), _unpacked("".join(stripped[at + 1 :]))


def _unpacked(packed: str) -> str:
    stream = zlib.decompressobj(wbits=31)
    content = stream.decompress(base64.b64decode(packed, validate=True), _LARGEST_PAYLOAD)
    if not stream.eof:
        raise ValueError("the gzip stream is cut or too large")
    return content.decode("utf-8-sig")


def _exception(message: str) -> Result:
    """How a terminating error shows: CLIXML on standard error."""
    text = message.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    document = f'<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><S S="Error">{text}_x000D__x000A_</S></Objs>'
    return Result(1, stderr=f"#< CLIXML\r\n{document}".encode("utf-8", "replace"))
