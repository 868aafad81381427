"""Did you mean ...?"""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`Did you mean `x`? ` if one of `known` is close to `word`, else ''. Ends with a blank."""
    import difflib

    names = list(known)
    folded = word.replace("-", "_").lower()
    close = [name for name in names if name.replace("-", "_").lower() == folded]
    close = close or difflib.get_close_matches(word[:100], names, n=1, cutoff=0.6)
    return f"Did you mean `{close[0]}`? " if close else ""


def listing(names: Iterable[str], most: int = 20) -> str:
    """`a, b, c`, shortened when there are many."""
    every = list(names)
    shown = ", ".join(every[:most])
    return shown if len(every) <= most else f"{shown} and {len(every) - most} more"
