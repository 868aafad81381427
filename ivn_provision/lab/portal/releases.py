"""When an alarm is released to the station. ASSUMPTION of this project (facts/portal.md, 2.2), not a fact.

An `entry_delay` pin holds its event for the site's entry delay and then lets it go by itself; a `perimeter`
event is released at once, and with it what the site holds. Who disarms the site meanwhile cancels what is held.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ivn_provision.lab.clock import rfc3339
from ivn_provision.lab.portal.store import Json, Store, Wanted

_LONGEST_DELAY = timedelta(seconds=240)  # `entry_delay_seconds` of the contract
_MOST = 10_000


def release_of(event_type: str, delay_seconds: int | None, received_at: datetime) -> Json:
    """The release of an event that has just arrived."""
    if event_type != "entry_delay" or not delay_seconds:
        return {"status": "immediate", "due_at": None, "released_at": rfc3339(received_at)}
    due = received_at + timedelta(seconds=delay_seconds)
    return {"status": "held", "due_at": rfc3339(due), "released_at": None}


def shown_release(release: Json | None, now: str) -> Json | None:
    """As it is now: a hold ends by itself."""
    if release is None or not _is_over(release, now):
        return release
    return release | {"status": "released", "released_at": release["due_at"]}


def release_held(store: Store, site: str, now: datetime) -> None:
    """A perimeter event ends every hold of its site."""
    _end(store, site, now, {"status": "released", "released_at": rfc3339(now)})


def cancel_held(store: Store, site: str, now: datetime) -> None:
    """The site was disarmed in time."""
    _end(store, site, now, {"status": "cancelled"})


def _end(store: Store, site: str, now: datetime, change: Json) -> None:
    wanted = Wanted(site, since=rfc3339(now - _LONGEST_DELAY))
    for event in store.events(wanted, _MOST):
        release = event.get("release")
        if release and release["status"] == "held" and not _is_over(release, rfc3339(now)):
            store.change_event(event["id"], release=release | change)


def _is_over(release: Json, now: str) -> bool:
    return bool(release["status"] == "held" and release["due_at"] <= now)
