"""What a broken run leaves on a camera: a rule cannot be changed in place there, so it is made anew and the old one goes.

Killed in between, there are two of one name, or a configuration that no rule uses. Both are the run's own to end,
though it never planned to remove them.
"""

from __future__ import annotations

from ivn_provision.model.targets import CAMERA, family
from ivn_provision.plan.plan import Action, Change
from ivn_provision.run.story import Story

_UNUSED = "action_configuration"


def is_residue(change: Change, story: Story) -> bool:
    """Is it the removal of something that the run left half-way?"""
    target = change.address.target
    if change.action is not Action.DELETE or family(target) != CAMERA or target not in story.began:
        return False
    if change.address.kind == _UNUSED:
        return True
    recorded = story.change_of(change.address)
    return recorded is not None and recorded.action != Action.DELETE.value
