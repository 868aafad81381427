"""Which targets the globs of `--target` and `--exclude` may mean: one that they cannot need not even be asked. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fnmatch import translate

_WILD = re.compile(r"[*?\[]")


def reach_of(targets: Sequence[str], excludes: Sequence[str]) -> Callable[[str, str], bool]:
    """Whether anything of a site's target may be chosen, by site and target. When in doubt: yes."""
    heads = [_WILD.split(each, maxsplit=1)[0] for each in targets]
    gone = [re.compile(translate(each)) for each in excludes if each.endswith("*")]

    def may_be_chosen(site: str, target: str) -> bool:
        places = (f"{target}/", f"{site}/{target}/")
        if any(each.match(place) for each in gone for place in places):
            return False  # ends with a star: whatever comes behind is excluded too
        return not heads or any(
            head.startswith(place) or place.startswith(head) for head in heads for place in places
        )

    return may_be_chosen
