"""The product's log files: names of facts/xprotect-e.md, part 4.13; folder and wording are the lab's own."""

from __future__ import annotations

from datetime import datetime

from ivn_provision.lab.nvr.tree import WindowsTree

LOGS = r"C:\ProgramData\Milestone\Milestone Surveillance\logs"
RECORDING_LOG, IMAGE_LOG, ADMIN_LOG = "RecordingServer", "ISLog_", "Admin"


def log_line(tree: WindowsTree, log: str, now: datetime, text: str, *, level: str = "INFO") -> None:
    """Append a line to today's file of a log."""
    place = tree.locate(rf"{LOGS}\{log}{now:%Y%m%d}.log")
    place.parent.mkdir(parents=True, exist_ok=True)
    stamp = f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 1000:03d}"
    with place.open("ab") as stream:
        stream.write(f"{stamp} {level:<5} {' '.join(text.split())}\r\n".encode())
