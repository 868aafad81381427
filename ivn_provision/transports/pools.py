"""Connection pools of urllib3 that connect by a `Line`. Imported late: urllib3 takes its time.

The classes are made once and each pool is given its line: classes made for a connection would cost a fleet a
millisecond a site, and a round of the garbage collector.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from ivn_provision.transports.line import Line


def pools(line: Line) -> Mapping[str, Callable[..., HTTPConnectionPool]]:
    """Makers of pools by scheme."""
    return {"http": partial(_PlainPool, by=line), "https": partial(_TlsPool, by=line)}


class _Plain(HTTPConnection):
    def __init__(self, *args: Any, by: Line, **more: Any) -> None:
        super().__init__(*args, **more)
        self._line = by

    def _new_conn(self) -> socket.socket:
        return _connected(self, self._line)

    def connect(self) -> None:
        super().connect()
        self._line.opened()


class _Tls(HTTPSConnection):
    def __init__(self, *args: Any, by: Line, **more: Any) -> None:
        super().__init__(*args, **more)
        self._line = by

    def _new_conn(self) -> socket.socket:
        return _connected(self, self._line)

    def connect(self) -> None:
        super().connect()
        self._line.opened()


class _PlainPool(HTTPConnectionPool):
    """What it does not know itself (`by`) it hands to its connections."""

    ConnectionCls = _Plain


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _Tls


def _connected(connection: HTTPConnection, line: Line) -> socket.socket:
    """As urllib3 does it itself, and with the errors it expects."""
    try:
        return line.connect(connection.host.strip("[]"), connection.port)
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, "no answer") from error
    except (OSError, UnicodeError) as error:
        raise NewConnectionError(connection, f"no connection: {error}") from error
