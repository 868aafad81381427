"""How far the clock of a device is off."""

from __future__ import annotations

from datetime import datetime, timedelta

_SECOND = timedelta(seconds=1)


def offset_of(there: datetime, before: datetime, after: datetime) -> float:
    """Seconds that a clock of whole seconds is ahead (behind: negative), asked between `before` and `after`.

    What the round trip and the missing fraction of a second leave open counts as right.
    """
    ahead, behind = (there - after).total_seconds(), (there + _SECOND - before).total_seconds()
    return round(ahead if ahead > 0 else min(behind, 0.0), 1) + 0.0
