"""`ivn-provision runbook`: what a person has to do on a site."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ivn_provision.cli.choosing import Choice, fleet_option, load_sites
from ivn_provision.cli.shared import (
    deadline_option,
    echo,
    exit_code,
    opener,
    paint,
    show_errors,
    write_text,
)
from ivn_provision.errors import UsageProblem

if TYPE_CHECKING:
    from ivn_provision.plan.plan import SitePlan
    from ivn_provision.plan.runbook import Runbook
    from ivn_provision.plan.screens import Screens
    from ivn_provision.run.engine import SiteOutcome
    from ivn_provision.spec.site import Site

FORMATS = ("text", "markdown", "html", "json")


@click.command("runbook")
@click.argument("name", metavar="SITE")
@fleet_option
@click.option("--format", "form", type=click.Choice(FORMATS), default="text")
@click.option("--out", "-o", type=click.Path(path_type=Path), help="Write it to a file instead.")
@click.option(
    "--all", "everything", is_flag=True, help="All that is declared of the recorder, not just what is open."
)
@click.option("--offline", is_flag=True, help="Without any connection: everything, as on a new recorder.")
@click.option(
    "--form",
    "blank",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write the form for `apply --attest`.",
)
@deadline_option
def command(
    *,
    name: str,
    folder: Path,
    form: str,
    out: Path | None,
    everything: bool,
    offline: bool,
    blank: Path | None,
    deadline: float,
) -> None:
    """Make a checklist of what a person has to do on SITE: menu path, dialog, field and value.

    Reads the site as `plan` does; cannot write there. Exit 0: made. 1: the site could not be read.
    """
    if offline and blank is not None:
        raise UsageProblem(
            "a form is of what is open on the site, which --offline does not look at",
            next_step="Leave out --offline.",
        )
    (site,) = load_sites(Choice(folder, (name,)))
    screens = _screens(site)
    if offline:
        _give(_offline(site, screens), form, out)
        return
    outcomes = _planned(site, deadline)
    plan = outcomes[0].plan
    if plan is not None:
        if blank is not None:
            _form(blank, plan)
        _give(_book(site, plan, screens, everything=everything), form, out)
    show_errors(outcomes)
    raise SystemExit(exit_code(outcomes))


def _screens(site: Site) -> Screens:
    from ivn_provision.drivers.xprotect_e.screens import screens_of

    return screens_of(site.nvr.product if site.nvr else "")


def _planned(site: Site, deadline: float) -> Sequence[SiteOutcome]:
    from ivn_provision.cli.progress import progress
    from ivn_provision.run.engine import plan_sites

    with progress(1) as observer:
        return plan_sites((site,), opener(deadline, (site,)), observer)


def _book(site: Site, plan: SitePlan, screens: Screens, *, everything: bool) -> Runbook:
    from ivn_provision.model.desired import desired_of
    from ivn_provision.plan.runbook import open_runbook, whole_runbook

    if not everything:
        return open_runbook(plan, screens)
    places = {address: each.declared_at for address, each in desired_of(site).resources.items()}
    return whole_runbook(plan, screens, places)


def _offline(site: Site, screens: Screens) -> Runbook:
    from ivn_provision.model.desired import desired_of
    from ivn_provision.plan.runbook import declared

    resources = desired_of(site).resources
    fields = {address: each.fields for address, each in resources.items()}
    return _book(site, declared(site.name, fields), screens, everything=True)


def _give(runbook: Runbook, form: str, out: Path | None) -> None:
    text = _rendered(runbook, form, to_file=out is not None)
    if out is None:
        echo(text)
    else:
        write_text(out, text.rstrip("\n") + "\n")


def _rendered(runbook: Runbook, form: str, *, to_file: bool) -> str:
    if form == "json":
        from ivn_provision.report.runbook_json import to_json

        return json.dumps(to_json(runbook), indent=2)
    if form == "markdown":
        from ivn_provision.report.runbook_markdown import render as markdown

        return markdown(runbook)
    if form == "html":
        from ivn_provision.report.runbook_html import render as html

        return html(runbook)
    from ivn_provision.report.paint import Paint
    from ivn_provision.report.runbook_text import render

    return render(runbook, Paint(on=False) if to_file else paint())


def _form(path: Path, plan: SitePlan) -> None:
    from ivn_provision.report.runbook_form import render

    if path.exists() and path.stat().st_size:
        raise UsageProblem(
            f"{path} is there already: it may be a form that somebody filled in",
            next_step="Name another file, or delete it.",
        )
    write_text(path, render(plan))
