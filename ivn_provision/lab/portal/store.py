"""What the portal knows, in one SQLite file.

Three kinds of objects (`site`, `device`, `alarm_input`) live in one table: a path as key, the declared content
and the generated part as JSON, and the volatile part that has no say in the ETag.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

Json = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    kind TEXT NOT NULL, site TEXT NOT NULL, device TEXT NOT NULL, source TEXT NOT NULL, pin INTEGER NOT NULL,
    content TEXT NOT NULL, generated TEXT NOT NULL, volatile TEXT NOT NULL,
    revision INTEGER NOT NULL, updated_at TEXT NOT NULL,
    PRIMARY KEY (kind, site, device, source, pin)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY AUTOINCREMENT, site TEXT NOT NULL, received_at TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_by_site ON events (site, id);
CREATE TABLE IF NOT EXISTS answers (client TEXT NOT NULL, key TEXT NOT NULL, request TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (client, key));
CREATE TABLE IF NOT EXISTS mails (event INTEGER PRIMARY KEY, raw BLOB NOT NULL, envelope TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sealed (site TEXT NOT NULL, device TEXT NOT NULL, password BLOB NOT NULL, PRIMARY KEY (site, device));
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, site TEXT NOT NULL, run TEXT NOT NULL, opened_at TEXT NOT NULL, until TEXT NOT NULL,
    reason TEXT NOT NULL, closed_at TEXT
);
CREATE INDEX IF NOT EXISTS sessions_by_site ON sessions (site, until);
"""
_COLUMNS = "kind, site, device, source, pin, content, generated, volatile, revision, updated_at"
_SELECT = f"SELECT {_COLUMNS} FROM objects"  # noqa: S608 - a constant
_PUT = f"INSERT OR REPLACE INTO objects ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)"  # noqa: S608 - a constant


_EVENTS = (
    " FROM events WHERE site=? AND id<? AND id>? AND received_at>=? AND received_at<=?"
    " AND (?='' OR json_extract(body, '$.test_session')=?)"
)
_LATEST = "9999"  # sorts after every time


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events of a site (`""` = mails of no known account): ids between two, times from and to, a session."""

    site: str
    before: int = sys.maxsize
    after: int = 0
    since: str = ""
    until: str = _LATEST
    session: str = ""

    def row(self) -> tuple[object, ...]:
        return (
            self.site,
            self.before,
            self.after,
            self.since,
            self.until,
            self.session,
            self.session,
        )


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which sites of the list: their status ("" for any), changed since, and labels that they all have."""

    status: str = ""
    since: str = ""
    labels: tuple[tuple[str, str], ...] = ()

    def where(self) -> tuple[str, tuple[str, ...]]:
        """The condition and its values."""
        parts, values = ["kind='site'", "updated_at>=?"], [self.since]
        if self.status:
            parts.append("json_extract(content, '$.status')=?")
            values.append(self.status)
        for name, value in self.labels:
            parts.append("json_extract(content, ?)=?")
            values += [f'$.labels."{name}"', value]
        return " AND ".join(parts), tuple(values)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an object is: `kind` plus as many keys as that kind has."""

    kind: str
    site: str
    device: str = ""
    source: str = ""
    pin: int = 0

    def row(self) -> tuple[str, str, str, str, int]:
        return (self.kind, self.site, self.device, self.source, self.pin)


@dataclass(frozen=True, slots=True)
class Stored:
    """One object. `content` was declared by a client, `generated` by the portal, `volatile` just happens."""

    path: Spot
    content: Json
    revision: int
    updated_at: str
    generated: Json = field(default_factory=dict)
    volatile: Json = field(default_factory=dict)

    @property
    def etag(self) -> str:
        """Strong entity tag of path, content, generated part and revision, quotes included."""
        text = canonical([self.path.row(), self.content, self.generated, self.revision])
        return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'

    @property
    def content_hash(self) -> str:
        """What it is, whenever and however often it was written."""
        return hashlib.sha256(canonical([self.content, self.generated]).encode()).hexdigest()[:32]


def canonical(value: object) -> str:
    """One text for equal JSON values. Raises ValueError for what is not JSON (NaN)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class Store:
    """One connection; each call is one short transaction. Safe to call from any thread."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;" + _SCHEMA)

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def get(self, path: Spot) -> Stored | None:
        rows = self._select(
            _SELECT + " WHERE kind=? AND site=? AND device=? AND source=? AND pin=?", path.row()
        )
        return rows[0] if rows else None

    def all(self, kind: str, site: str = "", device: str = "") -> list[Stored]:
        """All objects of a kind, below a site or device where given, in the order of their keys."""
        sql = (
            _SELECT
            + " WHERE kind=? AND (?='' OR site=?) AND (?='' OR device=?) ORDER BY site, device, source, pin"
        )
        return self._select(sql, (kind, site, site, device, device))

    def between(self, kind: str, first: str, last: str) -> list[Stored]:
        """All objects of a kind of the sites whose keys are from `first` to `last`, in the order of their keys."""
        sql = _SELECT + " WHERE kind=? AND site>=? AND site<=? ORDER BY site, device, source, pin"
        return self._select(sql, (kind, first, last))

    def sites(self, chosen: Chosen, after: str, limit: int) -> tuple[list[Stored], int]:
        """Sites behind the key `after`, in the order of their keys; and how many there are on all pages."""
        where, values = chosen.where()
        count = self.rows(f"SELECT count(*) FROM objects WHERE {where}", values)[0][0]  # noqa: S608
        sql = f"{_SELECT} WHERE {where} AND site>? ORDER BY site LIMIT ?"
        return self._select(sql, (*values, after, limit)), int(count)

    def site_keys(self) -> frozenset[str]:
        """Of all sites that exist."""
        return frozenset(row[0] for row in self.rows("SELECT site FROM objects WHERE kind='site'"))

    def newest_mails(self, sites: Sequence[str], until: str) -> list[Json]:
        """Of each of these sites the newest event that could be read."""
        marks = ",".join("?" * len(sites))
        newest = (
            f"SELECT max(id) FROM events WHERE site IN ({marks}) AND received_at<=?"  # noqa: S608 - only marks
            " AND json_extract(body, '$.parse_status') IN ('parsed', 'duplicate')"
            " AND json_extract(body, '$.trigger') IS NOT NULL GROUP BY site"
        )
        rows = self.rows(f"SELECT id, body FROM events WHERE id IN ({newest})", (*sites, until))  # noqa: S608
        return [{"id": row[0], **json.loads(row[1])} for row in rows]

    def put(self, stored: Stored) -> None:
        """Insert or replace."""
        parts = [canonical(each) for each in (stored.content, stored.generated, stored.volatile)]
        row = (*stored.path.row(), *parts, stored.revision, stored.updated_at)
        with self._transaction() as connection:
            connection.execute(_PUT, row)

    def note(self, path: Spot, volatile: Json) -> None:
        """Change the volatile part only: revision and ETag stay."""
        found = self.get(path)
        if found is not None:
            self.put(replace(found, volatile=found.volatile | volatile))

    def delete(self, path: Spot) -> None:
        """Delete an object and what is below it."""
        _, site, device, source, pin = path.row()
        # an empty part of the path stands for all: a device's row takes its alarm inputs along
        sql = "DELETE FROM objects WHERE site=? AND (?='' OR device=?) AND (?='' OR source=?) AND (?=0 OR pin=?)"
        with self._transaction() as connection:
            connection.execute(sql, (site, device, device, source, source, pin, pin))
            if not pin:
                forget = "DELETE FROM sealed WHERE site=? AND (?='' OR device=?)"
                connection.execute(forget, (site, device, device))

    def add_event(self, site: str, received_at: str, body: Json) -> int:
        with self._transaction() as connection:
            sql = "INSERT INTO events (site, received_at, body) VALUES (?,?,?)"
            return int(connection.execute(sql, (site, received_at, canonical(body))).lastrowid or 0)

    def change_event(self, number: int, **changed: object) -> None:
        """Set members of an event's body."""
        with self._transaction() as connection:
            row = connection.execute("SELECT body FROM events WHERE id=?", (number,)).fetchone()
            if row:
                body = canonical(json.loads(row[0]) | changed)
                connection.execute("UPDATE events SET body=? WHERE id=?", (body, number))

    def events(self, wanted: Wanted, limit: int) -> list[Json]:
        """Newest first."""
        rows = self.rows(f"SELECT id, body{_EVENTS} ORDER BY id DESC LIMIT ?", (*wanted.row(), limit))
        return [{"id": row[0], **json.loads(row[1])} for row in rows]

    def count_events(self, wanted: Wanted) -> int:
        """How many there are on all pages."""
        return int(self.rows(f"SELECT count(*){_EVENTS}", wanted.row())[0][0])

    def rows(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """A query."""
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def execute(self, sql: str, values: tuple[object, ...]) -> None:
        """One statement that writes."""
        with self._transaction() as connection:
            connection.execute(sql, values)

    def answer(self, client: str, key: str) -> tuple[str, Json] | None:
        """The request and answer kept under an idempotency key."""
        rows = self.rows("SELECT request, body FROM answers WHERE client=? AND key=?", (client, key))
        return (rows[0][0], json.loads(rows[0][1])) if rows else None

    def keep_answer(self, client: str, key: str, request: str, body: Json) -> None:
        self.execute(
            "INSERT OR REPLACE INTO answers VALUES (?,?,?,?)", (client, key, request, canonical(body))
        )

    def _select(self, sql: str, values: tuple[object, ...]) -> list[Stored]:
        return [_stored(row) for row in self.rows(sql, values)]


def _stored(row: tuple[Any, ...]) -> Stored:
    kind, site, device, source, pin, content, generated, volatile, revision, updated_at = row
    return Stored(
        path=Spot(kind, site, device, source, pin),
        content=json.loads(content),
        revision=revision,
        updated_at=updated_at,
        generated=json.loads(generated),
        volatile=json.loads(volatile),
    )
