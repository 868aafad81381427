"""Faults of the wire at one verb of WS-Man, so that a test can break a conversation at every step.

`drop-at-send`: the Send is carried out, and the connection closed without an answer. `lose-at-send`: closed
before it is carried out. `cut-at-`: half of the answer. `http500-at-`: a bare HTTP 500 instead. `hang-at-`:
no answer, and no end. With `-once` behind it the fault ends with its first use.
"""

from __future__ import annotations

import re
from enum import Enum

VERBS = ("create", "command", "send", "receive", "signal", "delete")
_ACTION = re.compile(rb"/(?:transfer/(Create|Delete)|shell/(Command|Send|Receive|Signal))\s*</")


class VerbFault(Enum):
    """What happens to a request; its value is the first word of the fault's name."""

    NONE = ""
    LOSE = "lose"
    DROP = "drop"
    CUT = "cut"
    HTTP_500 = "http500"
    HANG = "hang"


_KINDS = tuple(each for each in VerbFault if each is not VerbFault.NONE)
VERB_FAULTS = frozenset(
    f"{kind.value}-at-{verb}{ends}" for kind in _KINDS for verb in VERBS for ends in ("", "-once")
)


def fault_at(content: bytes, faults: set[str]) -> VerbFault:
    """The fault among `faults` for an envelope; one that happens once is taken out of them."""
    action = _ACTION.search(content)
    if action is None:
        return VerbFault.NONE
    verb = (action[1] or action[2]).decode("ascii").lower()
    for kind in _KINDS:
        name = f"{kind.value}-at-{verb}"
        if f"{name}-once" in faults:
            faults.discard(f"{name}-once")
            return kind
        if name in faults:
            return kind
    return VerbFault.NONE
