"""`ivn-provision drift`: a plan whose drivers cannot write."""

from __future__ import annotations

import click

from ivn_provision.cli.choosing import Choice
from ivn_provision.cli.shared import compare, report, site_options
from ivn_provision.cli.streaming import JSON_LINES, streamed


@click.command("drift")
@site_options(JSON_LINES)
def command(*, choice: Choice, form: str, deadline: float) -> None:
    """Find where SITEs (default: all) differ from what is declared. Cannot write.

    Exit 0: as declared. 2: drift. 4: no drift, but something that reading does not show is not confirmed.
    1: a site could not be read.
    """
    with streamed(form, "drift") as stream:
        compared = compare(choice, deadline, stream=stream)
        report(compared, form, drift=True)
        found = 2 if compared.differs else 4 if compared.is_open else 0
        raise SystemExit(compared.exit_code or found)
