"""`when` of a step: terms as of `--sites`, and what the play knows of a site. Nothing is evaluated.

`is:changed, region=east`: all terms must hold, separated by commas, and `!` turns one round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ivn_provision.errors import UsageProblem
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.fleet.selection import Selector, parse_selector
from ivn_provision.run.play.standing import SiteStanding
from ivn_provision.spec.suggest import did_you_mean, listing

_PREFIX = "is:"
STATES: Mapping[str, Callable[[SiteStanding], bool]] = {
    "changed": lambda site: site.is_changed,
    "failed": lambda site: site.failed,
    "different": lambda site: site.differs,
    "open": lambda site: site.needs_person,
    "back": lambda site: site.back,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """`states` are names of STATES, and whether they must hold. `selector` looks at labels, groups and names."""

    states: tuple[tuple[str, bool], ...] = ()
    selector: Selector | None = None

    @property
    def wants_failed(self) -> bool:
        """Is it about failed sites? Without that they are left out."""
        return ("failed", True) in self.states

    def holds(self, ref: SiteRef, site: SiteStanding) -> bool:
        """For a site that stands so."""
        if site.failed and not self.wants_failed:
            return False
        states = all(STATES[name](site) == wanted for name, wanted in self.states)
        return states and (self.selector is None or self.selector.holds(ref))


def parse_condition(text: str) -> Condition:
    """Raises UsageProblem for what says nothing."""
    if not text:
        return Condition()
    terms = [each.strip() for each in text.split(",")]
    states = tuple(_state(each) for each in terms if each.lstrip("! ").startswith(_PREFIX))
    others = [each for each in terms if not each.lstrip("! ").startswith(_PREFIX)]
    return Condition(states, parse_selector(",".join(others)) if others else None)


def _state(term: str) -> tuple[str, bool]:
    name = term.lstrip("! ").removeprefix(_PREFIX).strip()
    if name not in STATES or term.count("!") > 1:
        raise UsageProblem(
            f"{term[:60]!r} says nothing of a site",
            next_step=f"{did_you_mean(name, list(STATES))}There is: {listing([_PREFIX + each for each in STATES])}.",
        )
    return name, not term.startswith("!")
