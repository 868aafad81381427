"""What stands in the durable runner's database, all of it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

SERIALIZED = ("inputs", "output", "error", "value", "message")
"""Columns in which DBOS keeps what an application gives it."""


def cells(path: Path) -> dict[str, list[object]]:
    """Every value of every column of every table, by `TABLE.COLUMN`."""
    found: dict[str, list[object]] = {}
    with sqlite3.connect(path) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        for table in tables:
            cursor = connection.execute(f'SELECT * FROM "{table}"')
            for row in cursor.fetchall():
                for (column, *_), value in zip(cursor.description, row, strict=True):
                    found.setdefault(f"{table}.{column}", []).append(value)
    connection.close()
    return found


def serialized(path: Path) -> list[object]:
    """What was serialized, parsed as JSON. Raises ValueError for what is none."""
    found = []
    for name, values in cells(path).items():
        if name.partition(".")[2] in SERIALIZED:
            found += [json.loads(str(each)) for each in values if each is not None]
    return found


def serializers(path: Path) -> set[object]:
    """The names of all serializers that were used."""
    return {
        each
        for name, values in cells(path).items()
        if name.endswith(".serialization")
        for each in values
        if each is not None
    }
