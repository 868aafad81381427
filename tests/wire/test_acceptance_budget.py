"""What an acceptance of a site with 16 pins takes: mails in turn, and little besides."""

from __future__ import annotations

import pytest

from tests.support.acceptance import SITE, Technician, accepted
from tests.support.world import World

SOFT = range(2, 16)


@pytest.mark.timeout(180)
def test_sixteen_pins_in_turn(world: World) -> None:
    """Fourteen soft pins, and two inputs that are tripped at once. Mails take one second, so that they count most."""
    events = "".join(f"  - {{pin: {pin}, email: true}}\n" for pin in SOFT)
    pins = "".join(f"    - {{pin: {pin}, source: soft, camera: 10, event_type: perimeter}}\n" for pin in SOFT)
    world.edit(SITE, "  - {pin: 2, email: true}\n", events)
    world.edit(SITE, "    - {pin: 2, source: soft, camera: 10, event_type: perimeter}\n", pins)
    assert world.apply(SITE)[0].error is None
    world.lab.mail.slow_seconds = 1.0
    world.lab.fault("mail", "slow")
    before = world.lab.nvr(SITE).counters.processes
    requests = len(world.lab.portal.requests)
    acceptance = accepted(world, ask=Technician(world))
    fired = [each for each in acceptance.records if each.events]
    assert len(fired) == 16, [each.error or each.skipped for each in acceptance.records if not each.events]
    seconds = (acceptance.ended - acceptance.began).total_seconds()
    slowest = max(each.latency_seconds for each in fired if each.latency_seconds is not None)
    assert slowest >= 1.0, "the mails were slow"
    assert seconds <= 16 * slowest + 5
    assert world.lab.nvr(SITE).counters.processes - before == len(SOFT) + 1, (
        "one a soft pin, one for two at once"
    )
    polls = (seconds + 10) / 0.25
    assert len(world.lab.portal.requests) - requests <= polls + 3 * 16 + 20
