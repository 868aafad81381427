"""Names of runs and plays: in the order of their names they were begun.

`20261124T101500Z-1a2b3c4d`: the second, in UTC; then five hex digits for the microsecond in it, and three that are random.
Older versions made all eight digits random: such names are read like the others.
"""

from __future__ import annotations

from datetime import UTC, datetime


def run_name(begun: datetime, salt: str) -> str:
    """`salt` is three random hex digits: two machines may begin at the same moment."""
    moment = begun.astimezone(UTC)
    return f"{moment.strftime('%Y%m%dT%H%M%SZ')}-{moment.microsecond:05x}{salt[:3]}"


def attempt_name(prefix: str, earlier: int, salt: str) -> str:
    """Of one more attempt at a job, after so many `earlier` ones."""
    return f"{prefix}{min(earlier, 0xFFF):03x}{salt[:3]}"
