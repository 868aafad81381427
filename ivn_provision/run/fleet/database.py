"""The database of the durable runner: where it is, and DBOS over it with everything off that is not needed.

DBOS (optional extra `fleet`) keeps which site is whose and what came of it. It speaks to this database and to nothing
else: no conductor, no telemetry, no admin server (DBOS 3 has none). All that it stores is JSON, nothing is pickled.
"""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ivn_provision import __version__
from ivn_provision.errors import IvnError, StateError, UsageProblem
from ivn_provision.run.state import StateFolder, state_errors

if TYPE_CHECKING:
    from dbos import DBOSClient, DBOSConfig
    from sqlalchemy import Engine

APPLICATION = "ivn-provision"
SQLITE = "sqlite:///"
_POSTGRES = re.compile(r"postgres(?:ql)?(?:\+psycopg)?://")
_PASSWORD = re.compile(r"://[^/@]*:[^/@]*@|[?&]password=")
_BUSY_MS = 30_000


@dataclass(frozen=True, slots=True)
class Database:
    """`url` is `sqlite:///PATH` or `postgresql://...`. It may hold a password, and is never shown."""

    url: str

    def __repr__(self) -> str:
        return "Database(...)"

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith(SQLITE)


def database_of(url: str, state: StateFolder, *, on_command_line: bool = False) -> Database:
    """The database of a URL; "" for `fleet.sqlite` in the state folder. Raises UsageProblem.

    A password has no place on a command line, where every user of the machine can read it.
    """
    if not url:
        return Database(f"{SQLITE}{(state.folder() / 'fleet.sqlite').absolute()}")
    if on_command_line and _PASSWORD.search(url):
        raise UsageProblem(
            "--database holds a password, and a command line is no place for one",
            next_step="Give the URL as IVN_PROVISION_DATABASE, or the password in ~/.pgpass.",
        )
    if url.startswith(SQLITE) and len(url) > len(SQLITE):
        return Database(f"{SQLITE}{Path(url.removeprefix(SQLITE)).absolute()}")
    if _POSTGRES.match(url):
        return Database(_POSTGRES.sub("postgresql://", url, count=1))
    raise UsageProblem(
        "--database is no database that can be used",
        next_step="Write it like sqlite:///fleet.sqlite or postgresql://user@host/name.",
    )


def prepare(database: Database) -> None:
    """DBOS quiet and the tables there. Raises StateError, and IvnError where the extra is not installed."""
    silence()
    if database.is_sqlite:
        _private_file(Path(database.url.removeprefix(SQLITE)))
    with database_errors():
        _dbos().DBOS.migrate(database.url)


def config(database: Database, worker: str) -> DBOSConfig:
    """Of a worker's process. Workers and submitters of other versions of the tool do not take each other's sites."""
    return {
        "name": APPLICATION,
        "system_database_url": database.url,
        "serializer": _dbos().DBOSPortableJSONSerializer(),
        "application_version": __version__,
        "executor_id": worker,
        "enable_otlp": False,
        "log_level": "CRITICAL",
        "use_listen_notify": not database.is_sqlite,
    }


def client(engine: Engine) -> DBOSClient:
    """What submits and looks, and runs nothing."""
    dbos = _dbos()
    found: DBOSClient = dbos.DBOSClient(
        system_database_engine=engine,
        serializer=dbos.DBOSPortableJSONSerializer(),
        application_name=APPLICATION,
        retry_connection_errors=False,
    )
    return found


def engine_of(database: Database) -> Engine:
    """A pool of connections whose writers wait for each other."""
    import sqlalchemy as sa

    url = sa.make_url(database.url)
    if not database.is_sqlite:
        return sa.create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    engine = sa.create_engine(url)

    @sa.event.listens_for(engine, "connect")
    def patient(connection: Any, _: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")

    return engine


class database_errors:  # noqa: N801 - used like a function
    """What the database or DBOS says, as a StateError; of its text only the first line, and no URL."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is None or isinstance(error, IvnError) or not isinstance(error, Exception):
            return
        said = str(getattr(error, "orig", None) or type(error).__name__).strip().partition("\n")[0]
        raise StateError(
            f"the database of the fleet cannot be used: {said}",
            next_step="look whether it runs, and whether its rights let this user in",
        ) from error


def silence() -> None:
    """DBOS logs to the terminal by itself: from now on it does not."""
    logger = logging.getLogger("dbos")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def _dbos() -> Any:
    try:
        import dbos
    except ImportError as error:
        raise IvnError(
            "the durable runner needs DBOS, which is not installed",
            next_step="run `pip install 'ivn-provision[fleet]'`",
        ) from error
    return dbos


def _private_file(path: Path) -> None:
    """SQLite gives the files beside it the rights of this one."""
    with state_errors(path):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
