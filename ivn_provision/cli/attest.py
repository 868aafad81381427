"""What `apply` asks of people: a filled-in form, or one question after the other on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ivn_provision.cli.shared import echo, paint
from ivn_provision.errors import IvnError, PersonNeeded, UsageProblem
from ivn_provision.plan.attestations import Attestation, value_digest
from ivn_provision.plan.values_json import is_unknown

if TYPE_CHECKING:
    from ivn_provision.plan.plan import SitePlan, Unverified
    from ivn_provision.run.attesting import Recorder
    from ivn_provision.run.engine import SiteOutcome
    from ivn_provision.run.targets import Opener
    from ivn_provision.spec.site import Site

ENOUGH = 200


def read_form(path: Path, sites: Sequence[Site], opener: Opener) -> Recorder:
    """A filled-in form. Raises before any connection: SpecError with places, UsageProblem for another site."""
    from ivn_provision.run.attestation_entries import read_entries
    from ivn_provision.run.attesting import Recorder

    form = read_entries(str(path), form=True)
    if form.site not in {site.name for site in sites}:
        raise UsageProblem(
            f"{path} is a form of {form.site}, which is not one of the sites of this run",
            next_step=f"Run `ivn-provision apply {form.site} --attest {path}`.",
        )
    if not form.entries:
        raise UsageProblem(
            f"nothing is filled in in {path}", next_step="Write who saw it and when into `by` and `when`."
        )
    return Recorder(form, opener.run_id, opener.clock())


def ask_all(
    outcomes: Sequence[SiteOutcome], sites: Sequence[Site], opener: Opener
) -> tuple[SiteOutcome, ...]:
    """Ask, site by site, for what is open after the proof, and record what is answered."""
    by_name = {site.name: site for site in sites}
    return tuple(_ask_site(each, by_name[each.site], opener) for each in outcomes)


def _ask_site(outcome: SiteOutcome, site: Site, opener: Opener) -> SiteOutcome:
    from ivn_provision.run.attesting import rejudged, take

    proof = outcome.proof
    if proof is None or not isinstance(outcome.error, PersonNeeded):
        return outcome
    entries = tuple(_answers(proof, opener))
    if not entries:
        return outcome
    try:
        taken = take(site, proof, entries, run=opener.run_id, now=opener.clock())
    except IvnError as error:
        return replace(outcome, error=error)
    return rejudged(outcome, taken)


def _answers(proof: SitePlan, opener: Opener) -> Iterator[Attestation]:
    """One question a field; an empty answer to `who` leaves it open."""
    who = ""
    asked = [each for each in proof.open if not is_unknown(each.value)]
    for number, each in enumerate(asked, start=1):
        if number == 1:
            echo(f"\n{len(asked)} field(s) of {proof.site} cannot be shown by reading.")
        echo(_question(each, f"{number}/{len(asked)}"))
        if not _confirmed("  Done, and seen?"):
            continue
        who = _answer("  Who saw it?", who)[:ENOUGH]
        how = _answer("  How was it seen?", "")[: 5 * ENOUGH]
        if who:
            yield Attestation(each.address, each.name, value_digest(each.value), who, opener.clock(), how)


def _question(each: Unverified, count: str) -> str:
    from ivn_provision.report.paint import safe
    from ivn_provision.report.plan_text import show

    name = paint()(f"{safe(str(each.address))} {safe(each.name)}", "bold")
    return f"({count}) {name} = {show(each.value)}\n  {safe(each.reason)}"


def _confirmed(text: str) -> bool:
    try:
        return click.confirm(text, default=False)
    except click.Abort:
        raise KeyboardInterrupt from None  # ends the whole run, not just this question


def _answer(text: str, default: str) -> str:
    try:
        answer: str = click.prompt(text, default=default, show_default=bool(default))
    except click.Abort:
        raise KeyboardInterrupt from None
    return answer.strip()
