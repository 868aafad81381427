"""`ivn-provision sites`: which sites a selection means. Touches nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ivn_provision.cli.choosing import Choice, choose_sites, fleet_files, refs_of

if TYPE_CHECKING:
    from ivn_provision.run.fleet.refs import SiteRef


@click.command("sites")
@choose_sites
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def command(*, choice: Choice, form: str) -> None:
    """List the SITEs that are meant (default: all), with groups, labels and network. Reads only their files.

    A site whose file cannot be read is listed with a question mark: every selection contains it.
    """
    from ivn_provision.cli.shared import echo

    files = fleet_files(choice)
    refs = refs_of(choice, files)
    heads = [files.head(ref) for ref in refs]
    if form == "json":
        echo(json.dumps([_json(ref, head) for ref, head in zip(refs, heads, strict=True)], indent=2))
    else:
        echo(_text(refs, heads))


def _json(ref: SiteRef, head: SiteRef | None) -> dict[str, object]:
    known = head or ref
    return {
        "site": ref.name,
        "path": ref.path,
        "readable": head is not None,
        "groups": list(known.groups),
        "labels": dict(known.labels),
        "network": known.network,
    }


def _text(refs: Sequence[SiteRef], heads: Sequence[SiteRef | None]) -> str:
    from ivn_provision.report.paint import safe

    width = max((len(ref.name) for ref in refs), default=0)
    return "\n".join(
        f"{safe(ref.name):<{width}}  {safe(_words(head))}".rstrip()
        for ref, head in zip(refs, heads, strict=True)
    )


def _words(head: SiteRef | None) -> str:
    if head is None:
        return "?"
    labels = (f"{key}={value}" for key, value in sorted(head.labels.items()))
    return " ".join([*head.groups, *labels, *([f"network:{head.network}"] if head.network else [])])
