"""The lab's one rule about networks: 127.0.0.0/8 and nothing else."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket

from ivn_provision.errors import LabError


def is_loopback(host: str) -> bool:
    """Is `host` an address literal of 127.0.0.0/8 (or `localhost`)?"""
    if host == "localhost":
        return True
    try:
        return ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False


def require_loopback(host: str) -> None:
    """Raises LabError for any other address."""
    if not is_loopback(host):
        raise LabError(
            f"the lab binds to loopback only, not to {host}", next_step="use an address of 127.0.0.0/8"
        )


def listen(host: str, port: int, purpose: str, *, option: str = "") -> socket.socket:
    """A bound TCP socket that listens on loopback; port 0 takes a free one. Raises LabError if taken."""
    require_loopback(host)
    # asyncio sets TCP_NODELAY only where the protocol is said; without it every answer takes 40 ms more
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(1024)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise bind_problem(host, port, purpose, error, option=option) from error
    return sock


def free_port(host: str) -> int:
    """A port that is free now."""
    with contextlib.closing(listen(host, 0, "a free port")) as sock:
        return int(sock.getsockname()[1])


def is_free(host: str, port: int) -> bool:
    """Whether a port could be bound now."""
    try:
        listen(host, port, "a port").close()
    except LabError:
        return False
    return True


def free_ports(host: str, count: int) -> tuple[int, ...]:
    """So many ports that are free now, no two the same."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(contextlib.closing(listen(host, 0, "a free port"))) for _ in range(count)]
        return tuple(int(each.getsockname()[1]) for each in held)


def bind_problem(host: str, port: int, purpose: str, error: OSError, *, option: str = "") -> LabError:
    """What to say when a bind failed."""
    if error.errno != errno.EADDRINUSE:
        return LabError(
            f"cannot listen on {host}:{port} for {purpose}: {error.strerror}", where=f"{host}:{port}"
        )
    step = f"find the program with `ss -ltnp 'sport = :{port}'` and stop it (another lab? `ivn-provision lab down`)"
    step += f", or choose another port with {option}" if option else ""
    return LabError(
        f"port {port} on {host} is taken: {purpose} cannot start", where=f"{host}:{port}", next_step=step
    )
