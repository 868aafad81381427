"""The emulated machine's scheduled tasks: each really runs at its time, by the machine's clock."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from ivn_provision.lab.nvr.killable import Killed
from ivn_provision.lab.nvr.tree import WindowsTree

FOLDER = r"C:\Windows\System32\Tasks"
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_EVERY = 0.2
_LONGEST_END = 30.0


@dataclass(frozen=True, slots=True)
class Task:
    """Runs once at `due_at` (UTC), and at each switching on after that. `folder` holds the agent and its request."""

    name: str
    due_at: str
    folder: str


class ScheduledTasks:
    """`run(folder, off)` does a task's work; `off` is set when the machine is switched off meanwhile.

    The tasks lie on the machine's disk. What came due while it was off runs when it is on again.
    """

    def __init__(
        self,
        tree: WindowsTree,
        clock: Callable[[], datetime],
        run: Callable[[str, threading.Event], object],
    ) -> None:
        self._tree, self._clock, self._run = tree, clock, run
        self._lock = threading.Lock()
        self._off = threading.Event()
        self._off.set()
        self._thread: threading.Thread | None = None
        self._begun: set[str] = set()
        self.ran: list[str] = []

    def add(self, name: str, due_at: str, folder: str) -> None:
        """A task of that name takes the place of an earlier one."""
        with self._lock:
            self._tree.write(f"{FOLDER}\\{name}", json.dumps(asdict(Task(name, due_at, folder))).encode())
            self._begun.discard(name)
            self._watch_over()

    def remove(self, name: str) -> None:
        """Nothing happens where there is none."""
        with self._lock:
            self._tree.locate(f"{FOLDER}\\{name}").unlink(missing_ok=True)

    def all(self) -> list[Task]:
        """Those that wait or run, sorted by name."""
        with self._lock:
            return self._tasks()

    def start(self) -> None:
        """The machine is on."""
        with self._lock:
            self._begun.clear()
            self._off = threading.Event()
            self._watch_over()

    def stop(self) -> None:
        """The machine is off; a task that runs is killed before its next step."""
        with self._lock:
            self._off.set()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(timeout=_LONGEST_END)

    def _tasks(self) -> list[Task]:
        folder = self._tree.locate(FOLDER)
        places = sorted(folder.iterdir()) if folder.is_dir() else []
        return [Task(**json.loads(each.read_bytes())) for each in places]

    def _watch_over(self) -> None:
        """A thread, only where there is something to wait for: a lab may have a thousand machines."""
        if self._thread is None and not self._off.is_set() and self._tasks():
            arguments = (self._off,)
            self._thread = threading.Thread(target=self._watch, args=arguments, name="lab-tasks", daemon=True)
            self._thread.start()

    def _watch(self, off: threading.Event) -> None:
        while not off.wait(_EVERY) and self._goes_on():
            now = self._clock().astimezone(UTC).strftime(_TIME)
            for task in self.all():
                if task.due_at <= now and task.name not in self._begun and not off.is_set():
                    self._begun.add(task.name)
                    self._do(task, off)

    def _do(self, task: Task, off: threading.Event) -> None:
        try:
            self._run(task.folder, off)
        except Killed:
            return
        self.ran.append(task.name)

    def _goes_on(self) -> bool:
        with self._lock:
            if any(each.name not in self._begun for each in self._tasks()):
                return True
            self._thread = None
            return False
