"""What a saved plan says of itself, and whether that can be believed: its id, its times, its seal."""

from __future__ import annotations

import hmac
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from ivn_provision.errors import PlanError, StalePlan
from ivn_provision.run.journal import canonical
from ivn_provision.run.state import StateFolder
from ivn_provision.strict_json import Node, WrongShape

TIME_FORM = "%Y-%m-%dT%H:%M:%SZ"
AGAIN = "make a new plan with `plan --out FILE`, and look at it"
_ID = re.compile(r"plan-[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


@dataclass(frozen=True, slots=True)
class About:
    """What a saved plan says of itself. `key` is the id of the key of its seal; times are RFC 3339, UTC."""

    id: str
    created: str
    expires: str
    revision: str
    dirty: bool
    tool_version: str
    key: str

    def is_expired(self, now: datetime) -> bool:
        return now >= datetime.strptime(self.expires, TIME_FORM).replace(tzinfo=UTC)


def about_of(data: object) -> About | None:
    """What the plan says of itself, believed as it stands; None for a plan that was not saved to be applied.

    Raises PlanError where that is damaged.
    """
    try:
        ivn = Node(data)["ivn"]
        if (saved := ivn.find("saved")) is None:
            return None
        return About(
            id=saved["id"].text(_ID, "an id of a plan"),
            created=_time(saved["created"]),
            expires=_time(saved["expires"]),
            revision=saved["revision"].text(),
            dirty=saved["dirty"].flag(),
            tool_version=ivn["tool_version"].text(),
            key=saved["key"].text(),
        )
    except WrongShape as error:
        raise damaged(error) from error


def _time(node: Node) -> str:
    text = node.text(_TIME, "a time")
    try:
        datetime.strptime(text, TIME_FORM).replace(tzinfo=UTC)
    except ValueError:
        node.wrong("is not a time")
    return text


def damaged(error: WrongShape) -> PlanError:
    """A plan file that is not as one was written."""
    return PlanError(f"the plan file is damaged: {error}", next_step=AGAIN)


def has_key(state: StateFolder) -> bool:
    """Is there a key to check a seal with? Checking without one would make one."""
    return bool(state.given_key) or os.path.lexists(state.path / "key")


def broken_seal(state: StateFolder, about: About, data: object) -> StalePlan | None:
    """What is wrong with the seal of a saved plan, if something is: not made here, or edited since."""
    if about.key != state.key_id():
        return StalePlan(
            f"plan {about.id} was made under another key: on another machine, or in another folder",
            next_step="plan here; or give both machines one key in IVN_PROVISION_KEY",
        )
    assert isinstance(data, dict)
    ivn = dict(data["ivn"])
    seal = ivn.pop("seal", "")
    right = state.seal(canonical({**data, "ivn": ivn}))
    if not isinstance(seal, str) or not hmac.compare_digest(right.encode(), seal.encode()):
        return StalePlan(f"plan {about.id} was edited after it was written", next_step=AGAIN)
    return None


def is_used(state: StateFolder, plan: str) -> bool:
    """Was the plan applied, or tried to be, by this state folder?"""
    return os.path.lexists(state.path / "plans" / f"{plan}.used")
