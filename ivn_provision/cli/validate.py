"""`ivn-provision validate`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ivn_provision.report.paint import Paint
    from ivn_provision.spec.check import Checked

CACHE = os.path.join(".ivn", "cache")


@click.command("validate")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "github"]),
    default="text",
    show_default=True,
    help="text for people, json for programs, sarif and github for code hosts.",
)
@click.option(
    "--no-cache", is_flag=True, help="Check every file, also those that are unchanged since the last run."
)
def command(*, paths: tuple[str, ...], form: str, no_cache: bool) -> None:
    """Check site files and fleet folders and report every problem of all of them.

    PATH is a site file or a folder; default: `sites` if there is one, else the current folder.
    Exit 1 if there are errors; warnings alone exit 0.
    """
    from ivn_provision.spec.check import check_paths

    chosen = paths or ("sites" if os.path.isdir("sites") else ".",)
    checked = check_paths(chosen, cache_folder=None if no_cache else CACHE)
    checked = _with_waivers(_with_layouts(checked, chosen), chosen)
    text = _rendered(checked, form)
    if text:
        click.echo(text, color=_paint().on or None)  # click would strip a colour that was asked for
    _summary(checked)
    raise SystemExit(1 if checked.errors else 0)


def _with_layouts(checked: Checked, paths: Sequence[str]) -> Checked:
    """Also what is wrong with the fleet's own layout files, where there are any."""
    from ivn_provision.spec.discovery import LAYOUTS, discover
    from ivn_provision.spec.fleet import unique

    folders = [Path(root, LAYOUTS) for root in discover(paths).roots]
    folders = [folder for folder in folders if folder.is_dir()]
    if not folders:
        return checked
    from ivn_provision.drivers.xprotect_e.layout_set import check_folder

    found = [each for folder in folders for each in check_folder(folder)[1]]
    return replace(checked, diagnostics=unique([*checked.diagnostics, *found]))


def _with_waivers(checked: Checked, paths: Sequence[str]) -> Checked:
    """Also what is wrong with the fleet's waivers, where there are any."""
    from ivn_provision.spec.discovery import discover
    from ivn_provision.spec.fleet import unique
    from ivn_provision.spec.waivers import check_waivers, waivers_file

    files = [waivers_file(root) for root in discover(paths).roots]
    today = datetime.now(UTC).date()
    found = [each for file in files if os.path.lexists(file) for each in check_waivers(file, today)[1]]
    return replace(checked, diagnostics=unique([*checked.diagnostics, *found])) if found else checked


def _rendered(checked: Checked, form: str) -> str:
    if form == "json":
        from ivn_provision.report.diagnostics_json import render_json

        return render_json(checked.diagnostics)
    if form == "sarif":
        from ivn_provision.report.diagnostics_sarif import render_sarif

        return render_sarif(checked.diagnostics, _titles())
    if form == "github":
        from ivn_provision.report.diagnostics_github import render_github

        return render_github(checked.diagnostics)
    from ivn_provision.report.diagnostics_text import render

    text = render(checked.diagnostics, _paint())
    return f"{text}\n" if text else ""


def _paint() -> Paint:
    from ivn_provision.report.paint import paint_for

    return paint_for(is_terminal=sys.stdout.isatty(), env=os.environ)


def _titles() -> dict[str, str]:
    from ivn_provision.drivers.xprotect_e.layout_rules import CODES as LAYOUT_CODES
    from ivn_provision.spec.codes import CODES
    from ivn_provision.spec.rules import RULES
    from ivn_provision.spec.waivers import CODES as WAIVER_CODES

    return {**CODES, **WAIVER_CODES, **LAYOUT_CODES, **{each.code: each.title for each in RULES}}


def _summary(checked: Checked) -> None:
    from ivn_provision.report.diagnostics_text import summary_text

    line = summary_text(checked.sites, checked.errors, checked.warnings, checked.unchanged)
    click.echo(line, err=True)
    if not checked.sites:
        click.echo("No site file was found: site files end in .yml.", err=True)
