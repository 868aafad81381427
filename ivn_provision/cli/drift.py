"""`ivn-provision drift`: a plan whose drivers cannot write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import click

from ivn_provision.cli.choosing import Choice
from ivn_provision.cli.shared import Against, Compared, compare, report, site_options
from ivn_provision.errors import UsageProblem


@click.command("drift")
@site_options
@click.option(
    "--base",
    metavar="REV",
    help="The git revision that was live, or `applied` for that of each site's last apply: tells apart what was "
    "changed by hand from what is not applied yet.",
)
@click.option("--head", metavar="REV", help="With --base: compare with this revision instead of the files.")
def command(*, choice: Choice, form: str, deadline: float, base: str | None, head: str | None) -> None:
    """Find where SITEs (default: all) differ from what is declared. Cannot write.

    Exit 0: as declared. 2: drift. 4: no drift, but something that reading does not show is not confirmed.
    1: a site could not be read. With --base only what was changed by hand is drift.
    """
    if head is not None and base is None:
        raise UsageProblem("--head needs --base", next_step="Give the revision that was live with --base.")
    with _against(choice, base, head) as against:
        compared = compare(choice, deadline, against=against)
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
    from ivn_provision.cli.guarding import state_folder
    from ivn_provision.cli.shared import resolve_secret
    from ivn_provision.model.desired import desired_of
    from ivn_provision.run.fleet.bases import APPLIED, Bases, applied, fixed
    from ivn_provision.run.git_revision import RevisionFleet
    from ivn_provision.run.journal import runs_of

    with ExitStack() as stack:
        last = applied(runs_of(state_folder())) if base == APPLIED else {}
        revision = fixed(base) if base != APPLIED else lambda name: last.get(name, "")
        bases = Bases(choice.folder, revision, resolve_secret)
        stack.callback(bases.close)
        if base != APPLIED:
            bases.fleet(base)  # a wrong name is one error, not one of every site
        if head is None:
            yield Against(bases.caused)
            return
        fleet = stack.enter_context(RevisionFleet(choice.folder, head))
        yield Against(
            lambda site, plan: bases.caused(fleet.site(site.name), plan),
            lambda site: desired_of(fleet.site(site.name)),
        )
