"""The machine below the agent's emulation: what the verbs ask of it, and what one request remembers."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ivn_provision.lab.nvr.agent_line import Route
from ivn_provision.lab.nvr.agent_values import AgentRefusal
from ivn_provision.lab.nvr.tree import WindowsTree
from ivn_provision.lab.nvr.windows_state import WindowsState


@dataclass(frozen=True, slots=True)
class WindowsService:
    """One row of Win32_Service. `started_at` is UTC (`2026-11-23T18:00:00Z`), "" when it does not run."""

    name: str
    display_name: str
    state: str
    start_mode: str
    path: str
    process_id: int
    started_at: str = ""


class Windows(Protocol):
    """The machine that the agent runs on."""

    @property
    def tree(self) -> WindowsTree:
        """Its file system."""

    @property
    def agent_lock(self) -> threading.Lock:
        """Held by the request that changes something; stands for the exclusive opening of `agent.lock`."""

    @property
    def system(self) -> WindowsState:
        """Ports, firewall, clock source, disks."""

    def set_start_mode(self, name: str, mode: str) -> bool:
        """Change how a service that exists starts (`Auto`, `Manual`, `Disabled`); false if Windows refuses."""

    def facts(self) -> Mapping[str, str | int]:
        """What verb `facts` tells."""

    def services(self) -> Sequence[WindowsService]:
        """Every service."""

    def processes(self) -> Sequence[str]:
        """Names of running programs, with `.exe`."""

    def file_version(self, path: str) -> tuple[str, str]:
        """Product name and version of a program file, empty when unknown."""

    def control(self, name: str, *, running: bool) -> bool:
        """Start or stop a service that exists; false when it does not get there in time."""

    def wrote(self, path: str, before: str) -> None:
        """A file was put in place; `before`: the SHA-256 of what was there, "" for nothing."""

    def before_step(self, verb: str, index: int) -> None:
        """A step is about to run: the n-th of the request, those of `undo` and `always` counted on."""

    def readable(self, path: str) -> bool:
        """Whether the file can be opened for reading; false while a program holds it."""

    def writable(self, path: str) -> bool:
        """Whether the file can be replaced; false while a program holds it."""

    def room(self, size: int) -> bool:
        """Whether so many bytes more fit on the disk."""

    def schedule(self, name: str, due_at: str, folder: str) -> bool:
        """Make a task that runs, once at that time (UTC), the agent kept in the folder; false if Windows refuses."""

    def unschedule(self, name: str) -> bool:
        """Remove a task, if there is one of that name; false if Windows refuses."""

    def pause(self, seconds: float) -> None:
        """The agent waits. The machine's own time: nothing has to sleep."""

    def local_http(self, port: int) -> tuple[str, int] | None:
        """The real loopback address behind 127.0.0.1:`port` of the machine; None when nothing listens there.

        The agent's own thread asks there over a socket, so the server must not need that thread.
        """

    def route(self, host: str, port: int) -> Route | None:
        """Where a host, by name or address, really is: always loopback. None: the name is not known."""


@dataclass(slots=True)
class AgentRun:
    """One request's memory: what it wrote (place, sha256), the sizes of the logs it marked, the steps it ran.

    `script` is the agent's own text.

    `barred` answers every step once the lock could not be had.
    """

    windows: Windows
    script: str = ""
    written: dict[Path, str] = field(default_factory=dict)
    marks: dict[tuple[Path, str], dict[str, int]] = field(default_factory=dict)
    holds_lock: bool = False
    barred: AgentRefusal | None = None
    count: int = 0
