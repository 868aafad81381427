"""The agent's verbs on the lease of the emulated machine: who may write to it, until when."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

from ivn_provision.lab.nvr.agent_files import content_of, place_whole
from ivn_provision.lab.nvr.agent_machine import Windows
from ivn_provision.lab.nvr.agent_values import (
    AgentRefusal,
    Json,
    Object,
    bad_arguments,
    canonical,
    text,
    whole,
)

LEASE_FILE = r"C:\ProgramData\ivn-provision\lease.json"
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,120}")
_OWNER = re.compile(r"[ -~]{1,120}")
_LONGEST = 7 * 86400


def utc_now(windows: Windows) -> datetime:
    """The machine's own time."""
    return datetime.strptime(str(windows.facts()["utc_now"]), _TIME).replace(tzinfo=UTC)


def later(windows: Windows, seconds: int) -> str:
    """So many seconds from now, as the protocol writes times."""
    return (utc_now(windows) + timedelta(seconds=seconds)).strftime(_TIME)


def is_name(value: Json) -> bool:
    """Is it an id or the name of a run?"""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def name_of(step: Object, argument: str) -> str:
    """An argument that is an id or the name of a run."""
    found = text(step, argument)
    if not is_name(found):
        raise bad_arguments()
    return found


def lease(_: Object, windows: Windows) -> Object:
    """Verb `lease`."""
    held, damaged = _kept(windows)
    return {"lease": _shown(held, windows) if held else None, "damaged": damaged}


def take_lease(step: Object, windows: Windows) -> Object:
    """Verb `take_lease`: free, expired, damaged or our own, else refused."""
    owner, run, seconds = text(step, "owner"), name_of(step, "run"), whole(step, "seconds")
    if not _OWNER.fullmatch(owner) or not 1 <= seconds <= _LONGEST:
        raise bad_arguments()
    held, _damaged = _kept(windows)
    if held and held["run"] != run and not _expired(held, windows):
        until = f"held by {held['owner']}, run {held['run']}, until {held['expires_at']}"
        raise AgentRefusal("leased", until, LEASE_FILE)
    taken: dict[str, Json] = {"expires_at": later(windows, seconds), "owner": owner, "run": run}
    place_whole(LEASE_FILE, canonical(taken), windows)
    return {"lease": _shown(taken, windows)}


def drop_lease(step: Object, windows: Windows) -> Object:
    """Verb `drop_lease`: only that of the run."""
    return {"dropped": dropped(name_of(step, "run"), windows)}


def dropped(run: str, windows: Windows) -> bool:
    """Remove the lease if the run has it."""
    held, _damaged = _kept(windows)
    if held is None or held["run"] != run:
        return False
    try:
        windows.tree.locate(LEASE_FILE).unlink()
    except OSError as error:
        raise AgentRefusal("io", "the file could not be written", LEASE_FILE) from error
    return True


def _kept(windows: Windows) -> tuple[Object | None, bool]:
    """The lease, and whether there is a file that is none."""
    if not windows.tree.locate(LEASE_FILE).is_file():
        return None, False
    try:
        found = json.loads(content_of(windows, LEASE_FILE).decode("ascii"))
        held = {name: text(found, name) for name in ("expires_at", "owner", "run")}
    except (ValueError, RecursionError, AttributeError):
        return None, True
    except AgentRefusal as refusal:
        if refusal.code != "bad_request":
            raise
        return None, True
    sound = _FORM.fullmatch(held["expires_at"]) and _OWNER.fullmatch(held["owner"]) and is_name(held["run"])
    return (held, False) if sound else (None, True)


def _expired(held: Object, windows: Windows) -> bool:
    """One that ends later than any may was taken by a clock that was wrong."""
    ends = str(held["expires_at"])
    return ends <= later(windows, 0) or ends > later(windows, _LONGEST + 3600)


def _shown(held: Object, windows: Windows) -> Object:
    return {**held, "expired": _expired(held, windows)}
