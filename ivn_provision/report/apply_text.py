"""What an apply did, as text."""

from __future__ import annotations

from ivn_provision.plan.plan import Action, SitePlan, Standing
from ivn_provision.report.acceptance_text import render_acceptance
from ivn_provision.report.paint import Paint, safe
from ivn_provision.run.outcomes import SiteOutcome


def render_outcome(outcome: SiteOutcome, paint: Paint) -> str:
    """The lines after an apply of one site; the error, if any, is shown by the caller."""
    if outcome.plan is None:
        return ""
    if outcome.declined:
        return f"{safe(outcome.site)}: nothing was changed."
    lines = []
    if outcome.outcomes:
        lines.append(_made(outcome, outcome.plan, paint))
    if outcome.proof is not None:
        lines.append(_proof(outcome.proof, paint))
    if outcome.acceptance is not None:
        lines.append(render_acceptance(outcome.acceptance, paint))
    if outcome.reverted:
        lines.append(f"{paint('Put back:', 'bold')} {safe(outcome.site)} is as it was before the run.")
    if outcome.pending_until:
        lines.append(_pending(outcome, paint))
    return "\n".join(lines)


def _made(outcome: SiteOutcome, plan: SitePlan, paint: Paint) -> str:
    """What was made; what is not known to be made is never counted as done."""
    done = sum(each.status == "done" for each in outcome.outcomes)
    if done == len(outcome.outcomes):
        return f"{paint('Apply complete!', 'bold', 'green')} {_counts(plan)}"
    head = paint("Apply incomplete:", "bold", "red")
    return f"{head} {safe(plan.site)}: {done} of {len(outcome.outcomes)} changes are known to be made."


def _pending(outcome: SiteOutcome, paint: Paint) -> str:
    site = safe(outcome.site)
    head = paint("Pending:", "bold", "yellow")
    return (
        f"{head} the recorder of {site} puts the earlier state back at {outcome.pending_until}, "
        f"unless you run: ivn-provision confirm {site}\n"
        f"  To undo it now: ivn-provision resume {outcome.run} --revert"
    )


def _counts(plan: SitePlan) -> str:
    actions = [change.action for change in plan.workable]
    replaced = actions.count(Action.REPLACE)
    return (
        f"{safe(plan.site)}: {actions.count(Action.CREATE) + replaced} added, "
        f"{actions.count(Action.UPDATE)} changed, {actions.count(Action.DELETE) + replaced} destroyed."
    )


def _proof(proof: SitePlan, paint: Paint) -> str:
    site = safe(proof.site)
    if not proof.is_empty:
        return paint(f"Proof: re-read of {site} still differs in {len(proof.changes)} place(s).", "red")
    return (
        f"{paint('Proof:', 'bold')} {site} was read again and the plan is empty: "
        f"{proof.unchanged} objects as declared{_vouched(proof)}."
    )


def _vouched(proof: SitePlan) -> str:
    """What the proof does not reach, and who vouches for it."""
    standings = [each.standing for each in proof.unverified]
    parts = [
        f"{standings.count(standing)} field(s) {standing}"
        for standing in (Standing.OBSERVED, Standing.ATTESTED)
        if standing in standings
    ]
    if proof.open:
        parts.append(f"{len(proof.open)} field(s) that reading does not show are to be confirmed")
    return "".join(f"; {part}" for part in parts)
