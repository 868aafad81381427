"""The process that the lab runs in: in front, or detached in the background."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ivn_provision.cli import lab_control
from ivn_provision.errors import LabError

if TYPE_CHECKING:
    from ivn_provision.lab.lab import Lab

_LOG = "lab.log"
_START_SECONDS = 30.0
_SECONDS_PER_SITE = 0.2


@dataclass(frozen=True, slots=True)
class Wish:
    """What `lab up` was asked for. Directories are absolute."""

    directory: Path
    count: int | None = None
    sites_directory: Path | None = None
    latency_seconds: float = 0.0
    portal_port: int = 8443
    mail_port: int = 2525
    free_ports: bool = False
    all_store_b: bool = False
    store_b: tuple[str, ...] = ()
    onvif: bool = False
    axis: str = ""


def run(wish: Wish, announce: Callable[[dict[str, Any]], None]) -> None:
    """Run the lab here until Ctrl+C, SIGTERM or `lab down`. Raises LabError."""
    stop = threading.Event()
    try:
        with _lab(wish) as lab, _stopped_by_signals(stop):
            lab.set_latency(wish.latency_seconds)
            if wish.sites_directory:
                lab.write_sites(wish.sites_directory)
            with lab.control(stop.set):
                announce(lab.status())
                stop.wait()
    finally:
        # last of all: who waits for the file to go finds every port free again
        lab_control.forget(wish.directory, os.getpid())


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """SIGINT and SIGTERM set `stop` instead of ending the process with everything open."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def detach(wish: Wish) -> dict[str, Any]:
    """Start the lab in a process of its own and wait until it answers; its status. Raises LabError."""
    _lab_is_installed()
    wish.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = wish.directory / _LOG
    with log.open("wb") as stream:
        child = subprocess.Popen(  # noqa: S603 - this very program with our own options
            [sys.executable, "-m", "ivn_provision.cli.lab", *_arguments(wish)],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS + _SECONDS_PER_SITE * (wish.count or 0)
    while lab_control.load(wish.directory) is None:
        if child.poll() is not None:
            raise _did_not_start(log)
        if time.monotonic() > deadline:
            child.terminate()
            child.wait(timeout=10)
            raise LabError("the lab was not ready in time and has been stopped", next_step=f"see {log}")
        time.sleep(0.05)
    status: dict[str, Any] = lab_control.call(wish.directory, "status")
    # it lives on: without this the interpreter would warn that nobody waits for it
    child.returncode = 0
    return status


def _arguments(wish: Wish) -> list[str]:
    arguments = ["up", "--dir", str(wish.directory), "--latency", str(round(wish.latency_seconds * 1000))]
    arguments += ["--portal-port", str(wish.portal_port), "--mail-port", str(wish.mail_port)]
    arguments += ["--sites", str(wish.count)] if wish.count else []
    arguments += ["--write-sites", str(wish.sites_directory)] if wish.sites_directory else []
    arguments += ["--store", "b"] if wish.all_store_b else []
    arguments += [word for site in wish.store_b for word in ("--store-b", site)]
    arguments += ["--onvif"] if wish.onvif else []
    arguments += ["--axis", wish.axis] if wish.axis else []
    return [*arguments, "--free-ports"] if wish.free_ports else arguments


def _did_not_start(log: Path) -> LabError:
    """The child's own error, passed on."""
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("error: "):
            rest = "".join(lines[number + 1 : number + 2]).strip().removeprefix("next step: ")
            return LabError(line.removeprefix("error: "), next_step=rest)
    return LabError("the lab did not start", where=str(log), next_step=f"see {log}")


def _lab_is_installed() -> None:
    """Said here, not in a log file of a child."""
    for name in ("aiosmtpd", "cryptography", "h11", "starlette", "uvicorn"):
        if importlib.util.find_spec(name) is None:
            raise _not_installed(name)


def _not_installed(name: str) -> LabError:
    return LabError(
        f"the lab needs packages that are not installed ({name})",
        next_step="pip install 'ivn-provision[lab]'",
    )


def _lab(wish: Wish) -> Lab:
    try:
        from ivn_provision.lab.lab import Lab
        from ivn_provision.lab.sites import (
            default_sites,
            generated_sites,
            with_axis,
            with_onvif,
            with_store_b,
        )
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("ivn_provision"):
            raise
        raise _not_installed(error.name or "?") from None
    sites = generated_sites(wish.count) if wish.count else default_sites()
    if wish.all_store_b or wish.store_b:
        sites = with_store_b(sites, None if wish.all_store_b else wish.store_b)
    if wish.axis:
        sites = with_axis(sites, wish.axis)
    return Lab(
        wish.directory,
        with_onvif(sites) if wish.onvif else sites,
        portal_port=wish.portal_port,
        mail_port=wish.mail_port,
        free_ports=wish.free_ports,
    )
