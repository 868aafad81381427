"""An ASGI application behind uvicorn, inside a loop that runs already."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from ivn_provision.errors import LabError

_START_SECONDS = 10.0


class AsgiServer:
    """uvicorn on a socket of ours: a bind that fails is our error, not its `sys.exit`. No signal handlers."""

    def __init__(self, app: ASGIApp, sock: socket.socket, tls: tuple[Path, Path] | None = None) -> None:
        certificate, key = tls or (None, None)
        self._sock = sock
        self.port = int(sock.getsockname()[1])
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=1,
                ssl_certfile=certificate,
                ssl_keyfile=key,
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when requests are answered. In a thread that is not the main one `serve` leaves signals alone."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._sock]))
        async with asyncio.timeout(_START_SECONDS):
            while not self._server.started:
                if self._task.done():
                    raise LabError("a web server of the lab did not start") from self._task.exception()
                await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Finish requests for at most one second, then close, also what a silent peer keeps open."""
        if self._task is None:
            self._sock.close()
            return
        self._server.should_exit = True
        await self._task
        for connection in tuple(self._server.server_state.connections):
            transport = getattr(connection, "transport", None)
            if isinstance(transport, asyncio.Transport):
                transport.abort()
        # an abort takes effect in the next rounds of the loop: TLS first, then the socket below
        for _ in range(3):
            await asyncio.sleep(0)
