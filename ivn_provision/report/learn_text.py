"""What a learning session shows: files that changed, what was learned and what was not, what is left over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def summary(kind: str, file: str, learned: Sequence[str], by_hand: Mapping[str, str]) -> str:
    """What was learned of a kind; `by_hand` gives the reason by field or action."""
    lines = [f"Learned of {kind}: {', '.join(learned) or 'nothing'}", f"  file: {file}"]
    return "\n".join([*lines, *(f"  by hand: {what}: {reason}" for what, reason in by_hand.items())])


def changed(paths: Sequence[str]) -> str:
    """Which files a pass changed."""
    names = ", ".join(path.rpartition("\\")[2] for path in paths[:6])
    return f"    changed: {names or 'nothing'}"


def leftovers(objects: Sequence[str]) -> str:
    """What may stand on the recorder still after a session that was broken off."""
    lines = ["These may stand on the recorder still; remove them in the Management Application:"]
    return "\n".join([*lines, *(f"  {each}" for each in objects)])
