"""The command line that all benchmarks share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import DOCUMENT, Report, write_section


@dataclass(frozen=True, slots=True)
class Options:
    """`quick`: small sizes, to see that it works; `peers`: a folder for the peers' environment that is kept."""

    quick: bool = False
    peers: Path | None = None


def main(
    description: str | None, measure: Callable[[Options], Report], arguments: Sequence[str] | None = None
) -> None:
    """Measure, print, and with `--write` put the figures into docs/performance.md."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the figures to docs/performance.md")
    parser.add_argument(
        "--quick", action="store_true", help="small sizes: shows that it works, proves nothing"
    )
    parser.add_argument(
        "--peers", type=Path, help="keep the environment with the peers here, or use it again"
    )
    found = parser.parse_args(arguments)
    if found.write and found.quick:
        parser.error("--quick figures are not written")
    report = measure(Options(quick=found.quick, peers=found.peers and found.peers.absolute()))
    print(f"## {report.name}\n\n{report.markdown()}", flush=True)
    if found.write:
        write_section(DOCUMENT, report)
