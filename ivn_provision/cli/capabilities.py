"""`ivn-provision capabilities`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from ivn_provision.cli.choosing import Choice, load_sites
from ivn_provision.cli.shared import echo, layouts_of, opener, paint, site_options
from ivn_provision.errors import IvnError, UsageProblem

if TYPE_CHECKING:
    from ivn_provision.model.capability_table import CapabilityTable
    from ivn_provision.run.targets import Opener
    from ivn_provision.spec.site import Nvr, Site


@click.command("capabilities")
@site_options()
@click.option(
    "--offline", is_flag=True, help="Do not connect: show the layouts that the declared product may have."
)
@click.option(
    "--wide", is_flag=True, help="Also show the file, the path in it and the programs that restart."
)
def command(*, choice: Choice, form: str, deadline: float, offline: bool, wide: bool) -> None:
    """Show what can be read and written on the recorders of SITEs (default: all), field by field.

    Nothing is written. Exit 1 if a recorder could not be read.
    """
    from ivn_provision.report.capabilities_json import render_json
    from ivn_provision.report.capabilities_text import render
    from ivn_provision.report.errors_text import render_error

    sites = [site for site in load_sites(choice) if site.nvr]
    if not sites:
        raise UsageProblem("no recorder is declared", next_step="Name a site that has a section `nvr`.")
    errors: dict[str, IvnError] = {}
    tables = list(_offline(sites)) if offline else list(_online(sites, opener(deadline, sites), errors))
    if form == "json":
        echo(render_json(tables, errors))
    elif tables:
        echo(render(tables, paint(), wide=wide))
    for site, error in errors.items():
        error.where = " ".join(part for part in (site, error.where) if part)
        echo(render_error(error, paint(err=True)), err=True)
    raise SystemExit(1 if errors else 0)


def _offline(sites: Sequence[Site]) -> Iterator[CapabilityTable]:
    from ivn_provision.drivers.xprotect_e.capability_rows import table_of, table_without_recorder
    from ivn_provision.drivers.xprotect_e.layout_set import Layouts
    from ivn_provision.drivers.xprotect_e.reading import unknown
    from ivn_provision.model.live import Facts

    layouts = layouts_of(sites) or Layouts.packaged()
    for site in sites:
        product = _nvr(site).product
        found = layouts.candidates(product)
        yield from (table_without_recorder(site.name, product, each) for each in found)
        if not found:
            yield table_of(site.name, Facts(product, "", unknown(product, "of any version")), None)


def _online(sites: Sequence[Site], opened: Opener, errors: dict[str, IvnError]) -> Iterator[CapabilityTable]:
    """One recorder after the other; one that does not answer does not hold up the rest."""
    from ivn_provision.drivers.xprotect_e.capability_rows import table_of

    for site in sites:
        try:
            reader = opened.recorder(site.name, _nvr(site), logs_in=False)
            yield table_of(site.name, reader.probe(), reader.layout())
            reader.close()
        except IvnError as error:
            errors[site.name] = error


def _nvr(site: Site) -> Nvr:
    assert site.nvr is not None
    return site.nvr
