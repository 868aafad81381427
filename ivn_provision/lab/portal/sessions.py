"""Test sessions: while one is open, alarms of a site are marked as tests. Proposed and simulated, like all of it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from ivn_provision.lab.clock import Clock, parse_rfc3339, rfc3339
from ivn_provision.lab.portal.problems import Detail, Problem, not_found
from ivn_provision.lab.portal.store import Json, Store

LONGEST = timedelta(hours=4)
_COLUMNS = "id, site, run, opened_at, until, reason, closed_at"
_SELECT = f"SELECT {_COLUMNS} FROM sessions"  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class Session:
    """One window. Times are RFC 3339 in UTC; `closed_at` is None unless a client closed it."""

    id: str
    site: str
    run: str
    opened_at: str
    until: str
    reason: str
    closed_at: str | None

    def status(self, now: str) -> str:
        """`open`, `closed` or `expired`: it ends by itself."""
        if self.closed_at is not None:
            return "closed"
        return "open" if now < self.until else "expired"


@dataclass(slots=True)
class Sessions:
    """Kept in the portal's database: a restart does not end a session, and does not lengthen it."""

    store: Store
    clock: Clock

    def open(self, site: str, body: Json) -> Session:
        """Raises Problem `validation` for an end that is not possible, `test-session-open` while one is open."""
        until = self._end(str(body["until"]))
        running = self.running(site)
        if running is not None:
            raise _is_open(running)
        now = rfc3339(self.clock())
        made = Session(
            f"ts-{secrets.token_hex(8)}", site, str(body["run"]), now, until, str(body["reason"]), None
        )
        sql = f"INSERT INTO sessions ({_COLUMNS}) VALUES (?,?,?,?,?,?,?)"  # noqa: S608 - a constant
        row = (made.id, made.site, made.run, made.opened_at, made.until, made.reason, made.closed_at)
        self.store.execute(sql, row)
        return made

    def close(self, site: str, number: str) -> Session:
        """End it now; one that has ended stays as it is. Raises Problem `not-found`."""
        sql = "UPDATE sessions SET closed_at=? WHERE site=? AND id=? AND closed_at IS NULL AND until>?"
        now = rfc3339(self.clock())
        self.store.execute(sql, (now, site, number, now))
        return self.get(site, number)

    def get(self, site: str, number: str) -> Session:
        """Raises Problem `not-found`."""
        rows = self.store.rows(_SELECT + " WHERE site=? AND id=?", (site, number))
        if not rows:
            raise not_found(f"such test session of site {site}")
        return Session(*rows[0])

    def running(self, site: str, at: datetime | None = None) -> Session | None:
        """The session that is open at a time (None = now)."""
        now = rfc3339(at or self.clock())
        sql = " WHERE site=? AND until>? AND opened_at<=? AND (closed_at IS NULL OR closed_at>?)"
        rows = self.store.rows(_SELECT + sql, (site, now, now, now))
        return Session(*rows[0]) if rows else None

    def all_running(self) -> list[Session]:
        """Those of all sites."""
        sql = _SELECT + " WHERE until>? AND closed_at IS NULL ORDER BY site"
        return [Session(*row) for row in self.store.rows(sql, (rfc3339(self.clock()),))]

    def show(self, session: Session) -> Json:
        """As the API shows it."""
        return {
            "id": session.id,
            "run": session.run,
            "status": session.status(rfc3339(self.clock())),
            "opened_at": session.opened_at,
            "until": session.until,
            "reason": session.reason,
            "closed_at": session.closed_at,
        }

    def test_mode(self, site: str) -> Json:
        """`test_mode` of a site."""
        running = self.running(site)
        if running is None:
            return {"on": False, "from": None, "until": None, "reason": None}
        return {"on": True, "from": running.opened_at, "until": running.until, "reason": running.reason}

    def _end(self, text: str) -> str:
        now = self.clock()
        try:
            until = parse_rfc3339(text)
            fits = now < until <= now + LONGEST
        except (ValueError, OverflowError):
            fits = False
        if not fits:
            message = "until is a time with offset, in the future and at most four hours ahead"
            raise Problem("validation", message + ".", errors=[Detail("/until", "until", message)])
        return rfc3339(until)


def _is_open(session: Session) -> Problem:
    return Problem(
        "test-session-open",
        f"Run {session.run} tests site {session.site} until {session.until}.",
        extra={"session": session.id, "run": session.run, "until": session.until},
    )
