"""Takes what people attest: checks it against the plan, records it, and judges the site again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ivn_provision.diagnostics import Diagnostic, Place, Severity
from ivn_provision.errors import SpecError
from ivn_provision.model.resource import Address
from ivn_provision.plan.attestations import Attestation, day, judged, value_digest
from ivn_provision.plan.plan import SitePlan, Standing, Unverified
from ivn_provision.plan.values_json import is_unknown
from ivn_provision.run.applying import judge
from ivn_provision.run.attestation_entries import Entries
from ivn_provision.run.attestation_files import attestation_file, record, recorded
from ivn_provision.run.engine import SiteOutcome
from ivn_provision.spec.site import Site


@dataclass(frozen=True, slots=True)
class Recorder:
    """Takes a filled-in form for its site while that is planned. `run` is noted in every entry."""

    form: Entries
    run: str
    now: datetime

    def __call__(self, site: Site, plan: SitePlan) -> SitePlan:
        """The plan with what the form attests, recorded. Raises SpecError before anything is recorded."""
        if self.form.site != site.name or not self.form.entries:
            return plan
        return take(site, plan, self.form.entries, run=self.run, now=self.now)


def take(site: Site, plan: SitePlan, entries: Sequence[Attestation], *, run: str, now: datetime) -> SitePlan:
    """Record entries that fit the plan's open fields. Raises SpecError, with places, if one does not."""
    path = attestation_file(site.path, site.name)
    judge_one = _Judge(
        {(each.address, each.name): each for each in plan.unverified},
        recorded(path, site.name),
        now,
        site.attestation_days,
    )
    problems = [*_doubled(entries), *filter(None, map(judge_one.why_not, entries))]
    if problems:
        raise SpecError(
            tuple(problems),
            summary=f"{len(problems)} of the attestations of {site.name} cannot be taken",
            next_step="correct or remove them; nothing was recorded, and nothing was written on the site",
        )
    taken = tuple(replace(each, run=run, place=None) for each in entries)
    record(path, site.name, taken)
    return with_attested(plan, taken, now=now, days=site.attestation_days)


def with_attested(plan: SitePlan, entries: Sequence[Attestation], *, now: datetime, days: int) -> SitePlan:
    """The plan after these were attested."""
    about = {(each.address, each.field) for each in entries}
    return replace(
        plan,
        unverified=tuple(
            judged([each], entries, now=now, days=days)[0]
            if (each.address, each.name) in about and each.standing is not Standing.OBSERVED
            else each
            for each in plan.unverified
        ),
    )


def rejudged(outcome: SiteOutcome, proof: SitePlan) -> SiteOutcome:
    """The outcome whose proof says more now than when it was judged."""
    return replace(outcome, proof=proof, error=judge(outcome.site, proof))


def _doubled(entries: Sequence[Attestation]) -> list[Diagnostic]:
    seen, found = set(), []
    for each in entries:
        key = (each.address, each.field)
        if key in seen:
            found.append(_problem("ATT006", each, "is in the form twice", "Keep one of the two."))
        seen.add(key)
    return found


@dataclass(frozen=True, slots=True)
class _Judge:
    """What is open, what is recorded already, and the time."""

    questions: Mapping[tuple[Address, str], Unverified]
    known: tuple[Attestation, ...]
    now: datetime
    days: int

    def why_not(self, entry: Attestation) -> Diagnostic | None:
        question = self.questions.get((entry.address, entry.field))
        if question is None:
            return _problem(
                "ATT004", entry, "is not a field that a person has to attest", "Remove the entry."
            )
        if is_unknown(question.value):
            return _problem("ATT004", entry, "has no known value yet", "Run apply first, then attest.")
        if entry.value != value_digest(question.value):
            hint = "The site file was changed since the form was made: look again, and make a new form."
            return _problem("ATT005", entry, "is declared with another value", hint)
        return self._untimely(entry)

    def _untimely(self, entry: Attestation) -> Diagnostic | None:
        if entry.is_ahead(self.now):
            return _problem("ATT002", entry, "was seen in the future", "Correct `when`.")
        if entry.until(self.days) <= self.now:
            hint = "Look again, and write the day on which you did."
            what = f"was seen on {day(entry.moment)}: that counts for {self.days} days only"
            return _problem("ATT002", entry, what, hint)
        same = [
            each
            for each in self.known
            if (each.address, each.field, each.value) == (entry.address, entry.field, entry.value)
            and each.moment >= entry.moment
            and not each.is_ahead(self.now)
        ]
        if same:
            what = f"is attested already, by {same[-1].by} on {day(same[-1].moment)}"
            return _problem("ATT006", entry, what, "Remove the entry.")
        return None


def _problem(code: str, entry: Attestation, what: str, hint: str) -> Diagnostic:
    place = entry.place or Place("(asked)", 1, 1)
    return Diagnostic(Severity.ERROR, code, f"{entry.address} {entry.field} {what}", place, hint=hint)
