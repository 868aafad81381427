"""`ivn-provision drift`: a plan whose drivers cannot write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import click

from ivn_provision.cli.basing import base_option, bases_of
from ivn_provision.cli.choosing import Choice
from ivn_provision.cli.shared import Against, Compared, compare, report, site_options
from ivn_provision.cli.streaming import JSON_LINES, streamed
from ivn_provision.errors import UsageProblem


@click.command("drift")
@site_options(JSON_LINES)
@base_option
@click.option("--head", metavar="REV", help="With --base: compare with this revision instead of the files.")
def command(*, choice: Choice, form: str, deadline: float, base: str | None, head: str | None) -> None:
    """Find where SITEs (default: all) differ from what is declared. Cannot write.

    Exit 0: as declared. 2: drift. 4: no drift, but something that reading does not show is not confirmed.
    1: a site could not be read. With --base only what was changed by hand is drift.
    """
    if head is not None and base is None:
        raise UsageProblem("--head needs --base", next_step="Give the revision that was live with --base.")
    with streamed(form, "drift") as stream:
        with _against(choice, base, head) as against:
            compared = compare(choice, deadline, against=against, stream=stream)
        report(compared, form, drift=True)
        found = 2 if _is_drift(compared, three_way=base is not None) else 4 if compared.is_open else 0
        raise SystemExit(compared.exit_code or found)


def _is_drift(compared: Compared, *, three_way: bool) -> bool:
    from ivn_provision.plan.three_way import is_drift

    return any(map(is_drift, compared.plans)) if three_way else compared.differs


@contextmanager
def _against(choice: Choice, base: str | None, head: str | None) -> Iterator[Against | None]:
    """Causes by git, as long as the block lasts."""
    if base is None:
        yield None
        return
    from ivn_provision.model.desired import desired_of
    from ivn_provision.run.git_revision import RevisionFleet

    with ExitStack() as stack:
        bases = stack.enter_context(bases_of(choice, base))
        if head is None:
            yield Against(bases.caused)
            return
        fleet = stack.enter_context(RevisionFleet(choice.folder, head))
        yield Against(
            lambda site, plan: bases.caused(fleet.site(site.name), plan),
            lambda site: desired_of(fleet.site(site.name)),
        )
