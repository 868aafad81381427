"""Connection pools of urllib3 that connect by a `Line`. Imported late: urllib3 takes its time."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from ivn_provision.transports.line import Line


def pools(line: Line) -> Mapping[str, type[HTTPConnectionPool]]:
    """Pool classes by scheme."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connected(self, line)

        def connect(self) -> None:
            super().connect()
            line.opened()

    class Tls(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connected(self, line)

        def connect(self) -> None:
            super().connect()
            line.opened()

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = Tls

    return {"http": PlainPool, "https": TlsPool}


def _connected(connection: HTTPConnection, line: Line) -> socket.socket:
    """As urllib3 does it itself, and with the errors it expects."""
    try:
        return line.connect(connection.host.strip("[]"), connection.port)
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, "no answer") from error
    except (OSError, UnicodeError) as error:
        raise NewConnectionError(connection, f"no connection: {error}") from error
