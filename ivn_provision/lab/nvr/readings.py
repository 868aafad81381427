"""Ten facts of a recorder that any remote tool may ask for in PowerShell, each by one exact line.

No PowerShell runs: a script is answered if every one of its lines stands here, and with the text that Windows
would print. They are what a tool without an agent reads, to compare with (`benchmarks/fleet.py`).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from ivn_provision.lab.nvr.agent_machine import Windows

_ENCODED = re.compile(r"\s-EncodedCommand\s+([A-Za-z0-9+/=]+)\s*$", re.IGNORECASE)
_POWERSHELL = re.compile(r'"?powershell(\.exe)?"?\s', re.IGNORECASE)
_CONFIGURATION = r"C:\ProgramData\Milestone\Milestone Surveillance\configuration.xml"
_RECORDER = r"C:\Program Files (x86)\Milestone\Milestone Surveillance\RecordingServer.exe"
_Answer = Callable[[Windows], str]


def script_of(line: str) -> str | None:
    """The script of a command line `powershell ... -EncodedCommand BASE64`; None for any other line."""
    encoded = _ENCODED.search(line)
    if encoded is None or not _POWERSHELL.match(line):
        return None
    try:
        return base64.b64decode(encoded.group(1), validate=True).decode("utf-16-le")
    except (binascii.Error, UnicodeDecodeError):
        return None


def read(script: str, windows: Windows) -> bytes | None:
    """What a script of known lines prints; None if it has any other."""
    lines = [line.strip() for line in script.splitlines() if line.strip()]
    if not lines or any(line not in READINGS for line in lines):
        return None
    return "".join(f"{READINGS[line](windows)}\r\n" for line in lines).encode("utf-8")


def _fact(name: str) -> _Answer:
    return lambda windows: str(windows.facts()[name])


def _service(name: str) -> _Answer:
    return lambda windows: next((each.state for each in windows.services() if each.name == name), "")


def _count(program: str) -> _Answer:
    return lambda windows: str(windows.processes().count(program))


def _utc(windows: Windows) -> str:
    told = datetime.strptime(str(windows.facts()["utc_now"]), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return told.strftime("%Y-%m-%dT%H:%M:%S")


def _content(windows: Windows) -> str:
    place = windows.tree.locate(_CONFIGURATION)
    return place.read_bytes().decode("utf-8-sig") if place.is_file() else ""


READINGS: Mapping[str, _Answer] = {
    "hostname": _fact("computer_name"),
    "(Get-WmiObject Win32_OperatingSystem).Caption": _fact("os_caption"),
    "(Get-WmiObject Win32_OperatingSystem).Version": _fact("os_version"),
    "$PSVersionTable.PSVersion.ToString()": _fact("powershell_version"),
    "[DateTime]::UtcNow.ToString('s')": _utc,
    "(Get-Service 'Milestone Recording Server').Status": _service("Milestone Recording Server"),
    "(Get-Service 'Milestone Image Server').Status": _service("Milestone Image Server"),
    "@(Get-Process ManagementApplication -ErrorAction SilentlyContinue).Count": _count(
        "ManagementApplication.exe"
    ),
    f"(Get-Item '{_RECORDER}').VersionInfo.ProductVersion": lambda windows: windows.file_version(_RECORDER)[
        1
    ],
    f"Get-Content -Raw '{_CONFIGURATION}'": _content,
}
