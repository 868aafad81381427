"""`ivn-provision explain`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ivn_provision.cli.choosing import fleet_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivn_provision.spec.explain import Explained


@click.command("explain")
@click.argument("site")
@click.argument("path", default="")
@fleet_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def command(*, site: str, path: str, folder: Path, form: str) -> None:
    """Show where a value of SITE comes from: every level with file, line and column.

    PATH is a dotted path such as nvr.services.event_server_port or cameras.10.label; without it, all values are shown.
    """
    from ivn_provision.spec.explain import explain

    found = explain(str(folder), site, path)
    click.echo(_json(found) if form == "json" else _text(found))


def _text(found: Sequence[Explained]) -> str:
    from ivn_provision.report.paint import safe

    lines: list[str] = []
    for each in found:
        lines.append(f"{safe(each.path)} = {safe(each.value)}")
        for origin in reversed(each.origins):
            mark = "*" if origin is each.origins[-1] else " "
            lines.append(
                f"  {mark} {safe(origin.level):<20} {safe(origin.value):<32} {safe(str(origin.place))}"
            )
    return "\n".join(lines)


def _json(found: Sequence[Explained]) -> str:
    document = [
        {
            "path": each.path,
            "value": each.value,
            "levels": [
                {
                    "level": origin.level,
                    "value": origin.value,
                    "file": origin.place.path,
                    "line": origin.place.line,
                    "column": origin.place.column,
                    "wins": origin is each.origins[-1],
                }
                for origin in reversed(each.origins)
            ],
        }
        for each in found
    ]
    return json.dumps(document, indent=2, ensure_ascii=False)
