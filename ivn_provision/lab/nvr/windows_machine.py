"""The emulated Windows below the agent: facts, services, programs, files. What a service does is told to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ivn_provision.lab.nvr.agent_emulation import WindowsService
from ivn_provision.lab.nvr.tree import WindowsTree

RECORDING_SERVER = "Milestone Recording Server"
IMAGE_SERVER = "Milestone Image Server"
MANAGEMENT_APPLICATION = "ManagementApplication.exe"
PROGRAMS = r"C:\Program Files (x86)\Milestone\Milestone Surveillance"
_EVENT_SERVER = r"C:\Program Files (x86)\Milestone\XProtect Event Server"
# Name, display name, program. Names: facts/xprotect-e.md, part 3; the Event Server's is assumed.
_SERVICES = (
    (RECORDING_SERVER, RECORDING_SERVER, rf"{PROGRAMS}\RecordingServer.exe"),
    (IMAGE_SERVER, IMAGE_SERVER, rf"{PROGRAMS}\ImageServer.exe"),
    ("Milestone Image Import Service", "Milestone Image Import", rf"{PROGRAMS}\ImageImportService.exe"),
    ("Milestone Log Check Service", "Milestone Log Check", rf"{PROGRAMS}\LogCheckService.exe"),
    ("Milestone Event Server", "Milestone Event Server", rf"{_EVENT_SERVER}\VideoOS.Event.Server.exe"),
    ("Spooler", "Print Spooler", r"C:\Windows\System32\spoolsv.exe"),
)
Hook = Callable[[str, bool], bool]


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
        self._services = {name: self._stopped(name, display, path) for name, display, path in _SERVICES}
        self.start_count: dict[str, int] = dict.fromkeys(self._services, 0)
        self.management_application_open = False

    @property
    def tree(self) -> WindowsTree:
        """The file system."""
        return self._tree

    def install(self) -> None:
        """Put the program files in place where they are missing."""
        extra = rf"{PROGRAMS}\{MANAGEMENT_APPLICATION}"
        for path in (*(path for _, _, path in _SERVICES), extra):
            if not self._tree.locate(path).exists():
                self._tree.write(path, b"MZ this is a file of the lab, not a program\r\n")

    def facts(self) -> Mapping[str, str | int]:
        """Agent verb `facts`."""
        now = self._clock()
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
        running = [
            each.path.rsplit("\\", 1)[-1].rstrip('"') for each in self._services.values() if each.process_id
        ]
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
        if not self._hook(name, running):
            return False
        service = self._services[name]
        if running:
            self._next_process += 4
            self.start_count[name] += 1
        process = self._next_process if running else 0
        self._services[name] = replace(service, state="Running" if running else "Stopped", process_id=process)
        return True

    def wrote(self, path: str) -> None:
        """A file was put in place by the agent."""
        self._wrote(path)

    def _stopped(self, name: str, display: str, path: str) -> WindowsService:
        return WindowsService(name, display, "Stopped", "Auto", f'"{path}"', 0)
