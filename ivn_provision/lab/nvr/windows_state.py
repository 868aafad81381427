"""What the emulated Windows itself holds: listeners, firewall, clock source, .NET, disks.

The numbers are those of Windows: protocol 6 TCP, 17 UDP, 256 any; profile 1 domain, 2 private, 4 public.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

GIB = 1 << 30
ALL_PROFILES = 0x7FFFFFFF
START_MODES = ("Auto", "Manual", "Disabled")


@dataclass(frozen=True, slots=True)
class Listening:
    """A port that a program listens on. `address` is without brackets; `program` has its `.exe`."""

    protocol: str
    address: str
    port: int
    process_id: int
    program: str = ""


@dataclass(frozen=True, slots=True)
class FirewallRule:
    """An inbound rule. `local_ports` is what Windows says: `80`, `80,443`, `2000-2010`, `*`, "" or a word."""

    name: str
    protocol: int
    local_ports: str
    enabled: bool = True
    allow: bool = True
    profiles: int = ALL_PROFILES
    program: str = ""
    service: str = ""
    remote: str = "*"


@dataclass(frozen=True, slots=True)
class Disk:
    """A local disk, `C:`."""

    drive: str
    free_bytes: int
    size_bytes: int


def _nothing() -> Sequence[Listening]:
    return ()


@dataclass(slots=True)
class WindowsState:
    """The state of one machine. `firewall_enabled` and `firewall_active` are masks of profiles.

    `listeners` is asked at each look: a stopped program listens on nothing. `clock_offset_seconds` is added
    to the machine's clock. `refusals` names services whose start mode and rules that Windows will not change.
    `trusted_roots` is PEM of the authorities whose certificates it trusts, `names` what its name service knows,
    each with the loopback address that stands for the host, `source` the loopback address that it calls from.
    """

    listeners: Callable[[], Sequence[Listening]] = _nothing
    firewall_enabled: int = 7
    firewall_active: int = 2
    firewall_overridden: bool = False
    firewall_answers: bool = True
    rules: list[FirewallRule] = field(default_factory=list)
    dotnet: tuple[str, ...] = ("4.5.51641",)
    trusted_roots: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    time_type: str = "NTP"
    time_servers: str = "time.windows.com,0x9"
    time_service: str = "Running"
    disks: tuple[Disk, ...] = (Disk("C:", 120 * GIB, 500 * GIB),)
    clock_offset_seconds: float = 0.0
    refusals: frozenset[str] = frozenset()

    def put_rule(self, rule: FirewallRule) -> bool:
        """Add one of our rules; what bears its name goes first. False if Windows refuses."""
        return self.drop_rule(rule.name) and self._added(rule)

    def drop_rule(self, name: str) -> bool:
        """Remove every rule of a name. False if Windows refuses."""
        if name in self.refusals or not self.firewall_answers:
            return False
        self.rules = [each for each in self.rules if each.name.casefold() != name.casefold()]
        return True

    def _added(self, rule: FirewallRule) -> bool:
        self.rules.append(rule)
        return True
