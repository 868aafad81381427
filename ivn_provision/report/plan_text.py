"""A plan as text, in Terraform's manner: + ~ - -/+ and ! for what a person must do."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ivn_provision.model.kinds import KINDS
from ivn_provision.model.resource import Unset, Value
from ivn_provision.plan.plan import Action, Cause, Change, FieldChange, SitePlan, Unverified, count
from ivn_provision.plan.values_json import is_sensitive, is_unknown
from ivn_provision.report.paint import Paint, safe
from ivn_provision.secret import MASK
from ivn_provision.spec.values import Computed

UNKNOWN = "(known after apply)"
SIGNS = {
    Action.CREATE: ("+", "green"),
    Action.UPDATE: ("~", "yellow"),
    Action.DELETE: ("-", "red"),
    Action.REPLACE: ("-/+", "red"),
}
CAUSES = {
    Cause.BY_HAND: "changed by hand",
    Cause.NOT_APPLIED: "not applied yet",
    Cause.BOTH: "changed by hand, and declared anew",
}
_WORDS = {
    Action.CREATE: "will be created",
    Action.UPDATE: "will be updated in place",
    Action.DELETE: "will be removed",
    Action.REPLACE: "must be replaced",
}


def render(plans: tuple[SitePlan, ...], paint: Paint, *, drift: bool = False) -> str:
    """All plans and the summary line. With `drift` the words are those of a finding, not of an intent."""
    return "\n".join([*render_sites(plans, paint, drift=drift), summary(plans, paint, drift=drift)])


def render_sites(plans: tuple[SitePlan, ...], paint: Paint, *, drift: bool = False) -> list[str]:
    """Each plan, without the summary line."""
    return ["\n".join(_site(plan, paint, drift=drift)) for plan in plans]


def summary(plans: tuple[SitePlan, ...], paint: Paint, *, drift: bool = False) -> str:
    """`Plan: 3 to add, 1 to change, 0 to destroy.`"""
    totals = count(plans)
    differing = [plan for plan in plans if not plan.is_empty]
    if not differing:
        same = sum(plan.unchanged for plan in plans)
        head = paint("No changes.", "bold", "green") + f" {_objects(same)} as declared"
        return f"{head}{_confirmations(totals.open, '; ')}."
    text = (
        f"{totals.add + totals.replace} to add, {totals.change} to change, "
        f"{totals.destroy + totals.replace} to destroy"
    )
    if totals.manual or totals.blocked:
        text += f", {totals.manual} by hand"
    if totals.blocked:
        text += f", {totals.blocked} waiting for that"
    text += _confirmations(totals.open, ", ")
    if causes := _causes(differing):
        text = f"{causes}; {text}"
    head = f"Drift on {len(differing)} of {len(plans)} site(s):" if drift else "Plan:"
    return f"{paint(head, 'bold')} {text}."


def _causes(plans: list[SitePlan]) -> str:
    """How many objects for which cause; "" where no base was given."""
    found = [change.cause for plan in plans for change in plan.changes]
    if not any(found):
        return ""
    words = {**CAUSES, Cause.UNKNOWN: "not known since when"}
    return ", ".join(f"{found.count(cause)} {text}" for cause, text in words.items() if cause in found)


def _confirmations(number: int, before: str) -> str:
    """What nobody vouches for is never passed over."""
    return f"{before}{number} field{'' if number == 1 else 's'} to be confirmed by hand" if number else ""


def _objects(number: int) -> str:
    return f"{number} object{'' if number == 1 else 's'}"


def _site(plan: SitePlan, paint: Paint, *, drift: bool) -> Iterator[str]:
    yield paint(safe(plan.site), "bold")
    width = max((7, *(len(facts.target) for facts in plan.facts)))
    for facts in plan.facts:
        what = " ".join(part for part in (facts.product, facts.version) if part)
        yield f"  {safe(facts.target):<{width}} {safe(what)} at {safe(facts.endpoint)}"
        yield from (paint(f"          {safe(note)}", "dim") for note in facts.notes)
    yield from (paint(f"  note: {safe(note)}", "yellow") for note in plan.notes)
    yield ""
    for change in plan.changes:
        yield from _change(change, paint, drift=drift)
        yield ""
    yield from _footer(plan, paint)


def _change(change: Change, paint: Paint, *, drift: bool) -> Iterator[str]:
    sign, colour = SIGNS[change.action]
    if change.manual:
        sign, colour = "!", "cyan"
    key = f' "{safe(change.address.key)}"' if change.address.key else ""
    cause = f": {CAUSES[change.cause]}" if change.cause else ""
    yield f"  {paint('# ' + safe(str(change.address)), 'bold')} {_words(change, drift=drift)}{cause}"
    if change.title and change.title != change.address.key and change.action is not Action.DELETE:
        yield paint(f"  # on the target: {safe(change.title)}", "dim")
    if change.reason:
        yield paint(f"  # {safe(change.reason)}", "dim")
    yield f"  {paint(sign, colour)} {KINDS[change.address.kind].title}{key} {{"
    shown = [each for each in change.fields if _worth_showing(change, each)]
    width = max((len(safe(each.name)) for each in shown), default=0)
    for each in shown:
        yield from _field(change, each, width, paint)
    yield "    }"


def _words(change: Change, *, drift: bool) -> str:
    if change.blocked_by:
        return f"waits for {safe(str(change.blocked_by))}"
    if change.manual:
        return "must be done by hand"
    if drift:
        return {
            Action.CREATE: "is missing",
            Action.UPDATE: "differs",
            Action.DELETE: "is there but not declared",
            Action.REPLACE: "differs, and must be replaced",
        }[change.action]
    return _WORDS[change.action]


def _worth_showing(change: Change, each: FieldChange) -> bool:
    if change.action is Action.DELETE:
        return not isinstance(each.before, Unset)
    return change.action is not Action.REPLACE or each.before != each.after or each.forces_replacement


def _field(change: Change, each: FieldChange, width: int, paint: Paint) -> Iterator[str]:
    if isinstance(each.before, tuple) and isinstance(each.after, tuple):
        yield from _list(each, width, paint)
        return
    before, after = show(each.before), show(each.after)
    name = f"{safe(each.name):<{width}}"
    if change.action is Action.CREATE:
        sign, text = ("+", "green"), f"{name} = {after}"
    elif change.action is Action.DELETE:
        sign, text = ("-", "red"), f"{name} = {before}"
    elif change.manual and isinstance(each.before, Unset):
        sign, text = ("!", "cyan"), f"{name} = {after}"  # what is there is not shown, or not there
    else:
        sign, text = ("~", "yellow"), f"{name} = {before} -> {after}"
    if change.manual:
        sign = ("!", "cyan")
    tail = "  # forces replacement" if each.forces_replacement else ""
    if change.cause is Cause.BOTH and each.cause:
        tail += f"  # {CAUSES[each.cause]}"
    yield f"      {paint(*sign)} {text}{paint(tail, 'red')}"
    if each.reason:
        yield paint(f"          {safe(each.reason)}", "dim")


def _list(each: FieldChange, width: int, paint: Paint) -> Iterator[str]:
    """A list, item by item: what leaves, what comes; what stays is not shown."""
    before = each.before if isinstance(each.before, tuple) else ()
    after = each.after if isinstance(each.after, tuple) else ()
    yield f"      {paint('~', 'yellow')} {safe(each.name):<{width}} = ["
    yield from (f"          {paint('-', 'red')} {show(item)}" for item in before if item not in after)
    yield from (f"          {paint('+', 'green')} {show(item)}" for item in after if item not in before)
    yield "        ]"


def show(value: Value) -> str:
    """One value: secrets masked, what is generated later marked, text quoted."""
    if is_sensitive(value):
        return MASK
    if is_unknown(value) and isinstance(value, Computed):
        return UNKNOWN
    if isinstance(value, tuple):
        return "[" + ", ".join(show(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    return safe(str(value))


def _quoted(text: str) -> str:
    """As JSON quotes it, with an escape for all that is not printable (see `safe`)."""
    quoted = json.dumps(text, ensure_ascii=False)
    if quoted.isprintable():
        return quoted
    return "".join(char if char.isprintable() else _escape(ord(char)) for char in quoted)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _footer(plan: SitePlan, paint: Paint) -> Iterator[str]:
    if plan.foreign:
        yield paint("  Foreign objects, not ours and never touched:", "dim")
        for each in plan.foreign:
            name = f' "{safe(each.title)}"' if each.title else ""
            what = f"{safe(each.address.target)} {KINDS[each.address.kind].title}{name}"
            yield paint(f"    {what}: {safe(each.why)}", "dim")
        yield ""
    yield from _unverified(plan, paint)


def _unverified(plan: SitePlan, paint: Paint) -> Iterator[str]:
    """What reading does not show: open ones first, then those for which a person or a test vouches."""
    if plan.open:
        yield "  By hand, and not shown by reading:"
        before = ""
        for each in plan.open:
            evidence = f": {safe(each.evidence)}" if each.evidence else ""
            shown = "" if isinstance(each.value, Unset) else f" = {show(each.value)}"
            yield f"    {paint('!', 'cyan')} {_named(each)}{shown}  ({each.standing}{evidence})"
            if each.reason != before or not each.reason:  # one reason for all of them is said once
                yield paint(f"        {safe(each.reason) or 'the target does not show it'}", "dim")
            before = each.reason
        yield ""
    vouched = [each for each in plan.unverified if not each.is_open]
    if vouched:
        yield paint("  Not shown by reading, but vouched for:", "dim")
        for each in vouched:
            yield paint(f"    {_named(each)}: {each.standing}: {safe(each.evidence)}", "dim")
        yield ""


def _named(each: Unverified) -> str:
    return f"{safe(str(each.address))} {safe(each.name)}"
