"""Rules that fire: on the edge of their StartEvent while their conditions hold (facts/axis.md, 5.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ivn_provision.lab.camera.book import Book, Rule
from ivn_provision.lab.camera.events import Events, Instance
from ivn_provision.lab.camera.rule_reader import timeout_seconds


class RuleEngine:
    """`act` is called for each rule that fires; `now` gives seconds."""

    def __init__(
        self,
        events: Events,
        book: Callable[[], Book],
        act: Callable[[Rule], None],
        now: Callable[[], float],
    ) -> None:
        self._events, self._book, self._act, self._now = events, book, act, now
        self._last: dict[int, float] = {}
        self._held: dict[int, bool] = {}

    def changed(self, instances: Sequence[Instance], state: str) -> int:
        """These instances have this state now; how many rules fired."""
        hits = [rule for rule in self._book().rules.values() if self._hit(rule, instances, state)]
        for rule in hits:
            self._last[rule.id] = self._now()
            self._act(rule)
        return len(hits)

    def _hit(self, rule: Rule, instances: Sequence[Instance], state: str) -> bool:
        holding = all(self._events.holds(each) for each in rule.conditions)
        before, self._held[rule.id] = self._held.get(rule.id, False), holding
        if rule.start is None:
            begun = holding and not before
        else:
            begun = holding and any(rule.start.passes(each, state) for each in instances)
        return rule.enabled and begun and not self._waiting(rule)

    def _waiting(self, rule: Rule) -> bool:
        last = self._last.get(rule.id)
        return last is not None and self._now() - last < timeout_seconds(rule.timeout)
