"""The emulated Windows below the agent: facts, services, programs, files. What a service does is told to it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from ivn_provision.lab.nvr.agent_machine import WindowsService
from ivn_provision.lab.nvr.killable import killable
from ivn_provision.lab.nvr.machine_faults import MachineFaults
from ivn_provision.lab.nvr.programs import run_kept
from ivn_provision.lab.nvr.scheduled_tasks import ScheduledTasks
from ivn_provision.lab.nvr.tree import WindowsTree
from ivn_provision.lab.nvr.windows_state import FirewallRule, Listening, WindowsState

RECORDING_SERVER = "Milestone Recording Server"
IMAGE_SERVER = "Milestone Image Server"
EVENT_SERVER = "Milestone Event Server"
MANAGEMENT_APPLICATION = "ManagementApplication.exe"
PROGRAMS = r"C:\Program Files (x86)\Milestone\Milestone Surveillance"
_EVENT_SERVER = r"C:\Program Files (x86)\Milestone\XProtect Event Server"
# Name, display name, program. Names: facts/xprotect-e.md, part 3; the Event Server's is assumed.
_SERVICES = (
    (RECORDING_SERVER, RECORDING_SERVER, rf"{PROGRAMS}\RecordingServer.exe"),
    (IMAGE_SERVER, IMAGE_SERVER, rf"{PROGRAMS}\ImageServer.exe"),
    ("Milestone Image Import Service", "Milestone Image Import", rf"{PROGRAMS}\ImageImportService.exe"),
    ("Milestone Log Check Service", "Milestone Log Check", rf"{PROGRAMS}\LogCheckService.exe"),
    (EVENT_SERVER, EVENT_SERVER, rf"{_EVENT_SERVER}\VideoOS.Event.Server.exe"),
    ("Spooler", "Print Spooler", r"C:\Windows\System32\spoolsv.exe"),
)
# as Windows has it when WinRM is switched on; the product's setup is not known to add any
_WINDOWS_RULES = (FirewallRule("Windows Remote Management (HTTP-In)", 6, "5985", service="*"),)
Hook = Callable[[str, bool], bool]


@dataclass(frozen=True, slots=True)
class FileWritten:
    """A file that the agent put in place: SHA-256 of what was there before ("" for nothing) and of what is now."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the machine says it is."""

    computer_name: str
    product: str
    version: str


class WindowsMachine:
    """State of one machine. `hook(name, running)` makes a service change state; false = it does not."""

    def __init__(
        self,
        identity: Identity,
        tree: WindowsTree,
        clock: Callable[[], datetime],
        hook: Hook,
        wrote: Callable[[str], None],
    ) -> None:
        self._identity = identity
        self._tree = tree
        self._clock = clock
        self._hook = hook
        self._wrote = wrote
        self._next_process = 1000
        self._agent_lock = threading.Lock()
        self._services = {name: self._stopped(name, display, path) for name, display, path in _SERVICES}
        self.start_count: dict[str, int] = dict.fromkeys(self._services, 0)
        self._started_at: dict[str, datetime] = {}
        self.management_application_open = False
        self.faults = MachineFaults()
        # protocol and port of the machine -> the service that listens there, and the real address behind it
        self.ports: dict[tuple[str, int], tuple[str, tuple[str, int]]] = {}
        self.configuration: Sequence[str] = ()
        self.product_changes: Callable[[], None] = _nothing
        self.on_step: Callable[[str, int], None] = _no_step
        self.write_log: list[FileWritten] = []
        self.tasks = ScheduledTasks(tree, self.time, self._run_task)
        self._system = WindowsState(listeners=self._listening, rules=list(_WINDOWS_RULES))

    def time(self) -> datetime:
        """What the machine's clock shows."""
        return self._clock() + timedelta(seconds=self._system.clock_offset_seconds)

    def _run_task(self, folder: str, off: threading.Event) -> None:
        run_kept(folder, killable(self, off))

    @property
    def tree(self) -> WindowsTree:
        """The file system."""
        return self._tree

    @property
    def system(self) -> WindowsState:
        """Ports, firewall, clock source, disks."""
        return self._system

    @property
    def agent_lock(self) -> threading.Lock:
        """Held by the one request that changes something."""
        return self._agent_lock

    def install(self) -> None:
        """Put the program files in place where they are missing."""
        extra = rf"{PROGRAMS}\{MANAGEMENT_APPLICATION}"
        for path in (*(path for _, _, path in _SERVICES), extra):
            if not self._tree.locate(path).exists():
                self._tree.write(path, b"MZ this is a file of the lab, not a program\r\n")

    def facts(self) -> Mapping[str, str | int]:
        """Agent verb `facts`."""
        now = self.time()
        offset = now.utcoffset()
        return {
            "computer_name": self._identity.computer_name,
            "os_caption": "Microsoft Windows Server 2012 R2 Standard",
            "os_version": "6.3.9600",
            "service_pack": 0,
            "powershell_version": "4.0",
            "utc_now": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "utc_offset_minutes": 0 if offset is None else int(offset.total_seconds() // 60),
        }

    def services(self) -> Sequence[WindowsService]:
        """Every service."""
        return list(self._services.values())

    def state(self, name: str) -> str:
        """`Running` or `Stopped`."""
        return self._services[name].state

    def processes(self) -> Sequence[str]:
        """Running programs."""
        running = [_program(each) for each in self._services.values() if each.process_id]
        return [
            *running,
            *([MANAGEMENT_APPLICATION] if self.management_application_open else []),
            "svchost.exe",
        ]

    def file_version(self, path: str) -> tuple[str, str]:
        """Version resource of the product's own programs."""
        if path.casefold().startswith(
            r"c:\program files (x86)\milestone" + "\\"
        ) and path.casefold().endswith(".exe"):
            return self._identity.product, self._identity.version
        return "", ""

    def control(self, name: str, *, running: bool) -> bool:
        """Start or stop one service."""
        service = self._services[name]
        if (running and service.start_mode == "Disabled") or not self._hook(name, running):
            return False
        if running:
            self._next_process += 4
            self.start_count[name] += 1
        process = self._next_process if running else 0
        started = self._start_stamp(name) if running else ""
        state = "Running" if running else "Stopped"
        self._services[name] = replace(service, state=state, process_id=process, started_at=started)
        if not running:
            self._closed(name)
            self._opens_by_fault()
        return True

    def _start_stamp(self, name: str) -> str:
        # a start takes its second: two starts of a service never have the same time
        now = self._clock().astimezone(UTC).replace(microsecond=0)
        before = self._started_at.get(name)
        self._started_at[name] = now if before is None else max(now, before + timedelta(seconds=1))
        return self._started_at[name].strftime("%Y-%m-%dT%H:%M:%SZ")

    def _opens_by_fault(self) -> None:
        if "gui-opens-mid-apply" in self.faults and self._agent_lock.locked():
            self.management_application_open = True

    def listens(self, service: str, protocol: str, port: int, real: tuple[str, int]) -> None:
        """A service listens on a port of the machine; `real` is the loopback address behind it."""
        self.ports[protocol, port] = (service, real)

    def _closed(self, service: str) -> None:
        self.ports = {port: by for port, by in self.ports.items() if by[0] != service}

    def set_start_mode(self, name: str, mode: str) -> bool:
        """Change how a service starts; false if Windows refuses."""
        if name in self._system.refusals:
            return False
        self._services[name] = replace(self._services[name], start_mode=mode)
        return True

    def _listening(self) -> Sequence[Listening]:
        return [
            Listening(protocol, "0.0.0.0", port, service.process_id, _program(service))  # noqa: S104 - a text
            for (protocol, port), (name, _) in self.ports.items()
            if (service := self._services[name]).process_id
        ]

    def wrote(self, path: str, before: str) -> None:
        """A file was put in place by the agent."""
        after = hashlib.sha256(self._tree.locate(path).read_bytes()).hexdigest()
        self.write_log.append(FileWritten(path, before, after))
        self._wrote(path)

    def before_step(self, verb: str, index: int) -> None:
        """Where faults of the machine set in, and `on_step` looks on."""
        if self.faults.changes_before(verb):
            self.product_changes()
        self.on_step(verb, index)

    def readable(self, path: str) -> bool:
        """Whether a file can be opened."""
        return not ("file-locked" in self.faults and self._is_configuration(path))

    def writable(self, path: str) -> bool:
        """Whether a file can be replaced."""
        return self.readable(path)

    def room(self, size: int) -> bool:
        """Whether so many bytes fit on the disk."""
        return size <= 0 or "disk-full" not in self.faults

    def schedule(self, name: str, due_at: str, folder: str) -> bool:
        """Make a scheduled task."""
        if name in self._system.refusals:
            return False
        self.tasks.add(name, due_at, folder)
        return True

    def unschedule(self, name: str) -> bool:
        """Remove a scheduled task."""
        if name in self._system.refusals:
            return False
        self.tasks.remove(name)
        return True

    def pause(self, seconds: float) -> None:
        """The agent waits; services of this machine are what they are at once."""

    def local_http(self, port: int) -> tuple[str, int] | None:
        """Where 127.0.0.1:`port` of the machine really is."""
        found = self.ports.get(("tcp", port))
        return found[1] if found else None

    def _is_configuration(self, path: str) -> bool:
        place = self._tree.locate(path)
        return any(place == self._tree.locate(each) for each in self.configuration)

    def _stopped(self, name: str, display: str, path: str) -> WindowsService:
        return WindowsService(name, display, "Stopped", "Auto", f'"{path}"', 0)


def _program(service: WindowsService) -> str:
    return service.path.rsplit("\\", 1)[-1].rstrip('"')


def _nothing() -> None:
    pass


def _no_step(verb: str, index: int) -> None:
    pass
