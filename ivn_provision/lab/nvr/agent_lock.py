"""One request that changes something at a time: the agent's lock on the emulated machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ivn_provision.lab.nvr.agent_machine import AgentRun
from ivn_provision.lab.nvr.agent_values import AgentRefusal, Object, whole

LOCK_FILE = r"C:\ProgramData\ivn-provision\agent.lock"
MUTATING = frozenset(
    (
        "backup",
        "write_files",
        "restore",
        "service_control",
        "service_config",
        "firewall_rule",
        "take_lease",
        "drop_lease",
        "arm_revert",
        "revert",
        "disarm_revert",
    )
)
_LONGEST_WAIT = 3600


@contextlib.contextmanager
def exclusively(run: AgentRun, verbs: set[str], seconds: int = 0) -> Iterator[None]:
    """Hold the lock if one of the verbs changes something; else, or in vain, bar the run of every step."""
    if not verbs & MUTATING:
        yield
        return
    if not run.windows.agent_lock.acquire(timeout=seconds):
        run.barred = AgentRefusal("locked_by_agent", "another run of the agent is at work")
        yield
        return
    try:
        _open(run)
        yield
    finally:
        run.windows.agent_lock.release()


def _open(run: AgentRun) -> None:
    place = run.windows.tree.locate(LOCK_FILE)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
        run.holds_lock = place.is_file()
    except OSError:
        run.holds_lock = False
    if not run.holds_lock:
        run.barred = AgentRefusal("io", "the lock file could not be opened", LOCK_FILE)


def wait_idle(step: Object, run: AgentRun) -> Object:
    """Verb `wait_idle`."""
    seconds = max(0, min(whole(step, "timeout_seconds"), _LONGEST_WAIT))
    if run.holds_lock:
        return {"idle": True}
    idle = run.windows.agent_lock.acquire(timeout=seconds)
    if idle:
        run.windows.agent_lock.release()
    return {"idle": idle}
