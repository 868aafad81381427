"""Generic events: soft triggers that match one text exactly."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.diagnostics import Severity
from ivn_provision.spec.rules.context import Context
from ivn_provision.spec.rules.registry import Finding, rule, show


@rule(
    "IVN020",
    "generic-rule-match",
    Severity.WARNING,
    title="A generic event's rule type is Match",
    requirements=("R-61", "portal row 31", "portal check S7"),
)
def generic_rule_match(context: Context) -> Iterator[Finding]:
    """The manual demands `Match`. `Search` fires on any text that contains the event's text.

    A Search rule that would catch another event's text is the error IVN021.
    """
    for event in context.generic:
        if event.rule != "match":
            yield Finding(
                f"{event.pointer}/rule",
                f"'{event.name}' uses the rule type Search; the manual demands Match",
                "write rule: match, or leave it out",
            )


@rule(
    "IVN021",
    "generic-overlap",
    Severity.ERROR,
    title="No generic event fires on another one's text",
    requirements=("R-61", "portal row 31", "portal check S7"),
)
def generic_overlap(context: Context) -> Iterator[Finding]:
    """With the rule type Search `1 S` is found inside `11 S`: soft trigger 11 fires pin 1 too.

    Whether the product compares letter case is not known; here it is ignored.
    """
    for event in context.generic:
        if event.rule != "search" or not event.enabled:
            continue
        text = event.match.casefold()
        for other in context.generic:
            if other is not event and (text in other.match.casefold() or text in other.name.casefold()):
                yield Finding(
                    f"{event.pointer}/rule",
                    f"the Search rule of '{event.name}' also fires on '{other.name}'",
                    "write rule: match",
                    ((f"{other.pointer}/pin", f"'{other.name}' is declared here"),),
                )


@rule(
    "IVN022",
    "generic-match-text",
    Severity.ERROR,
    title="A generic event's text is its name",
    requirements=("R-61", "portal check S7"),
)
def generic_match_text(context: Context) -> Iterator[Finding]:
    """The portal sends `2 S` for soft trigger 2; the event must wait for exactly that text."""
    for event in context.generic:
        if event.match != event.name:
            yield Finding(
                f"{event.pointer}/match",
                f"the text {show(event.match)} is not the event's name {show(event.name)}",
                f"leave match out, or write match: {event.name}",
            )
