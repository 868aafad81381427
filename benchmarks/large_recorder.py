"""`ivn-provision plan` of one recorder whose configuration.xml grows to 20 MB and 200 cameras.

The peer is the same site with the file that the lab makes: what the size alone costs.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.lab_server import RunningLab, Traffic, lab_of
from benchmarks.machine import Watch, conditions
from benchmarks.measure import Usage, interleaved, run
from benchmarks.options import Options, main
from benchmarks.report import Report

NAME = "large-recorder"
SITE = "lab-0001"
CAMERAS = 200
MEGABYTES = 20
ROUNDS = 5
NEEDS_A_PERSON = 4
_FILE = "files/C/ProgramData/Milestone/Milestone Surveillance/configuration.xml"
_END = b"</Devices>"


@dataclass(frozen=True, slots=True)
class Figure:
    """One plan of a file of `size` bytes; `traffic` is that of one run."""

    cameras: int
    size: int
    usage: Usage
    traffic: Traffic


def measure(options: Options) -> Report:
    """The report of this benchmark."""
    rounds, cameras, megabytes = (1, 10, 1) if options.quick else (ROUNDS, CAMERAS, MEGABYTES)
    watch = Watch.started()
    with tempfile.TemporaryDirectory(prefix="bench-large-") as temporary, lab_of(1, Path(temporary)) as lab:
        file = lab.folder / "recorders" / SITE / _FILE
        small = file.read_bytes()
        figures = [_figure(lab, small, rounds)]
        figures.append(_figure(lab, _grown(small, cameras, megabytes * 1_000_000), rounds))
        helpers = lab.cpu()
    others = watch.others(helpers=helpers)
    return Report(
        NAME,
        f"{conditions(['ivn-provision', 'pywinrm', 'requests'], others)} Medians of {rounds} runs each.",
        (
            "cameras",
            "file MB",
            "wall s",
            "CPU s",
            "peak RSS MB",
            "WS-Man posts",
            "MB received",
            "received / file",
            "wall ratio",
        ),
        [_row(each, figures[0]) for each in figures],
        notes=["The lab answers in Python on the same cores; a real recorder's PowerShell is slower."],
    )


def _figure(lab: RunningLab, content: bytes, rounds: int) -> Figure:
    (lab.folder / "recorders" / SITE / _FILE).write_bytes(content)
    command: list[str | Path] = [sys.executable, "-m", "ivn_provision", "plan", "--fleet", lab.sites]
    program = partial(run, command, cwd=lab.folder.parent, allowed=(0, NEEDS_A_PERSON))
    before = lab.traffic()
    program()
    after = lab.traffic()
    usage = interleaved({NAME: program}, rounds)[NAME]
    return Figure(content.count(b"<DeviceIndex>"), len(content), usage, after - before)


def _grown(content: bytes, cameras: int, size: int) -> bytes:
    """The same file with more devices, each with the settings of a driver: elements nobody asks for."""
    head, end, tail = content.rpartition(_END)
    count = cameras - content.count(b"<DeviceIndex>")
    each = (size - len(content)) // max(count, 1)
    return head + b"".join(_device(number, each) for number in range(count)) + end + tail


def _device(number: int, size: int) -> bytes:
    head = (
        f"<Bulk{number}><DisplayName>Camera {number}</DisplayName><Guid>bulk-{number}</Guid>"
        f"<IPAddress>10.0.{number // 250}.{number % 250}</IPAddress><MAC>00408D{number:06X}</MAC>"
        f"<Password>{number:064x}</Password><Cameras><Camera0><DisplayName>{number} Bulk</DisplayName>"
        f"<Guid>bulk-camera-{number}</Guid><Disabled>0</Disabled><DeviceIndex>0</DeviceIndex></Camera0></Cameras>"
    )
    line = "      <Setting{0}><Name>setting {0}</Name><Value>{1}</Value><Unit>ms</Unit></Setting{0}>\r\n"
    lines, at, room = [], 0, size - len(head) - 40
    while room > 0:
        lines.append(line.format(at, (number * 7919 + at * 104729) % 1_000_003))
        room -= len(lines[-1])
        at += 1
    return f"{head}<Driver>\r\n{''.join(lines)}</Driver></Bulk{number}>\r\n".encode()


def _row(figure: Figure, base: Figure) -> tuple[str, ...]:
    received = figure.traffic.received
    return (
        str(figure.cameras),
        f"{figure.size / 1e6:.2f}",
        f"{figure.usage.wall:.1f}",
        f"{figure.usage.cpu:.1f}",
        f"{figure.usage.peak:.0f}",
        str(figure.traffic.posts),
        f"{received / 1e6:.2f}",
        f"{received / figure.size:.2f}",
        f"{figure.usage.wall / base.usage.wall:.1f}",
    )


if __name__ == "__main__":
    main(__doc__, measure)
