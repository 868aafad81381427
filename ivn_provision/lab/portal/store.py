"""What the portal knows, in one SQLite file.

Three kinds of objects (`site`, `device`, `alarm_input`) live in one table: a path as key, the declared content
and the generated part as JSON, and the volatile part that has no say in the ETag.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterator
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
"""
_COLUMNS = "kind, site, device, source, pin, content, generated, volatile, revision, updated_at"
_SELECT = f"SELECT {_COLUMNS} FROM objects"  # noqa: S608 - a constant
_PUT = f"INSERT OR REPLACE INTO objects ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)"  # noqa: S608 - a constant


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

    def add_event(self, site: str, received_at: str, body: Json) -> int:
        with self._transaction() as connection:
            sql = "INSERT INTO events (site, received_at, body) VALUES (?,?,?)"
            return int(connection.execute(sql, (site, received_at, canonical(body))).lastrowid or 0)

    def events(self, site: str, *, before: int, limit: int, since: str = "") -> list[Json]:
        """Newest first: events of a site (`""` = mails of no known account) with an id below `before`."""
        sql = "SELECT id, body FROM events WHERE site=? AND id<? AND received_at>=? ORDER BY id DESC LIMIT ?"
        with self._lock:
            rows = self._connection.execute(sql, (site, before, since, limit)).fetchall()
        return [{"id": row[0], **json.loads(row[1])} for row in rows]

    def count_events(self, site: str, since: str = "") -> int:
        with self._lock:
            sql = "SELECT count(*) FROM events WHERE site=? AND received_at>=?"
            return int(self._connection.execute(sql, (site, since)).fetchone()[0])

    def answer(self, client: str, key: str) -> tuple[str, Json] | None:
        """The request and answer kept under an idempotency key."""
        with self._lock:
            sql = "SELECT request, body FROM answers WHERE client=? AND key=?"
            row = self._connection.execute(sql, (client, key)).fetchone()
        return (row[0], json.loads(row[1])) if row else None

    def keep_answer(self, client: str, key: str, request: str, body: Json) -> None:
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO answers VALUES (?,?,?,?)", (client, key, request, canonical(body))
            )

    def _select(self, sql: str, values: tuple[object, ...]) -> list[Stored]:
        with self._lock:
            rows = self._connection.execute(sql, values).fetchall()
        return [_stored(row) for row in rows]


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
