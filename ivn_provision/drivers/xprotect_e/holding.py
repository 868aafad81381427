"""What of a run is on a recorder: its lease and its reverts, as the agent tells them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ivn_provision.drivers.xprotect_e.agent_link import Answer, Step
from ivn_provision.errors import LeaseHeld, ProtocolFault
from ivn_provision.model.live import Holding, Lease, Revert
from ivn_provision.strict_json import Node, WrongShape

_NAME = re.compile(r"[A-Za-z0-9._-]{1,120}")
_STATE = re.compile("prepared|armed|reverted|left|failed")
STEPS: tuple[Step, ...] = ({"verb": "lease"}, {"verb": "reverts"})
"""Asked with every reading, whatever became of the rest of it."""


def holding_of(answers: Sequence[Answer]) -> Holding:
    """The answers to `STEPS`. What could not be told counts as nothing: a write finds out."""
    lease, reverts = (Node(dict(each)) for each in answers)
    try:
        return Holding(
            lease=_lease(lease["lease"]) if _ok(lease) and not lease["lease"].is_null else None,
            reverts=tuple(_revert(each) for each in reverts["reverts"].items()) if _ok(reverts) else (),
        )
    except WrongShape as error:
        raise ProtocolFault(
            f"the agent's answer about leases and reverts is off: {error}",
            next_step="is another version of the agent installed there?",
        ) from error


def notes_of(answers: Sequence[Answer]) -> tuple[str, ...]:
    """What a person should know of the answers to `STEPS`."""
    if answers[0].get("damaged") is not True:
        return ()
    return ("the lease file on the recorder is damaged: it counts as none, and the next apply replaces it",)


def held_by_another(site: str, endpoint: str, answer: Mapping[str, object]) -> LeaseHeld:
    """The error for a lease that was refused; `answer` is that of the verb `lease`."""
    try:
        lease = _lease(Node(dict(answer))["lease"])
    except WrongShape:
        lease = Lease("somebody", "unknown", "unknown")
    return LeaseHeld(
        f"{lease.owner} writes to {site} on the recorder: run {lease.run}, until {lease.expires_at}",
        owner=lease.owner,
        run=lease.run,
        expires_at=lease.expires_at,
        endpoint=endpoint,
        next_step="wait for that run; if it broke off, its lease ends by itself at that time",
    )


def is_held_by_another(answer: Mapping[str, object], run: str) -> bool:
    """Does the answer of the verb `lease` show an unexpired lease of another run?"""
    held = holding_of([dict(answer), {"ok": False}]).lease
    return held is not None and held.run != run and not held.expired


def _ok(node: Node) -> bool:
    return node["ok"].flag()


def _lease(node: Node) -> Lease:
    run = node["run"].text(_NAME, "the id of a run")
    return Lease(node["owner"].text(), run, node["expires_at"].text(), node["expired"].flag())


def _revert(node: Node) -> Revert:
    return Revert(
        node["id"].text(_NAME, "the id of a revert"),
        node["run"].text(_NAME, "the id of a run"),
        node["state"].text(_STATE, "a state of a revert"),
        node["due_at"].text(),
        node["detail"].text(),
    )
