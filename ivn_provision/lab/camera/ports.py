"""The physical ports of a camera: circuits, their parameters, and the states that the events show.

A port is counted from 0 here, as in `IOPort.I0`. It is active when its circuit is as `Input.Trig` says.
"""

from __future__ import annotations

from collections.abc import Callable

from ivn_provision.lab.camera.definitions import Definition, definition
from ivn_provision.lab.camera.events import ANY, PORT, Events, Instance
from ivn_provision.lab.camera.params import Parameters
from ivn_provision.lab.camera.profile import Ports

Edge = Callable[[int, bool], None]


def port_definitions(ports: Ports, inputs: int) -> dict[str, Definition]:
    """The group IOPort: `inputs` inputs, then the outputs of the profile; nothing without any."""
    found: dict[str, Definition] = {}
    for number in range(inputs + ports.outputs if inputs else 0):
        direction = "input" if number < inputs else "output"
        own = _common(ports, direction)
        if direction == "input" or ports.both_halves:
            own |= _input(ports.name.format(n=number + 1))
        if direction == "output" or ports.both_halves:
            own |= _output(f"Output {number + 1}")
        found |= {f"IOPort.I{number}.{name}": definition(row) for name, row in own.items()}
    return found


def _common(ports: Ports, direction: str) -> dict[str, list[str]]:
    fixed = [] if ports.configurable else ["readonly"]
    return {
        "Configurable": ["yes" if ports.configurable else "no", "7746", "bool", "readonly"],
        "Direction": [direction, "7716", "enum input output", *fixed],
    }


def _input(name: str) -> dict[str, list[str]]:
    return {
        "Input.Name": [name, "7746", "string 64"],
        "Input.Trig": ["closed", "7746", "enum closed open"],
    }


def _output(name: str) -> dict[str, list[str]]:
    return {
        "Output.Name": [name, "7714", "string 64"],
        "Output.Active": ["closed", "7714", "enum closed open"],
        "Output.Mode": ["bistable", "7714", "enum monostable bistable"],
        "Output.PulseTime": ["0", "7714", "int 0 65535"],
    }


class PortBoard:
    """Circuits of the inputs; all begin inactive. `edge` hears of every change of an input."""

    def __init__(self, params: Parameters, events: Events, edge: Edge) -> None:
        self._params, self._events, self._edge = params, events, edge
        self._closed: dict[int, bool] = {}
        self._active: dict[int, bool] = {}

    def numbers(self) -> list[int]:
        """All ports."""
        names = [each.split(".")[1] for each in self._params.definitions if each.startswith("IOPort.I")]
        return sorted({int(name[1:]) for name in names})

    def inputs(self) -> list[int]:
        """Those that are inputs now."""
        return [each for each in self.numbers() if self.value(each, "Direction") == "input"]

    def value(self, port: int, name: str) -> str:
        """A parameter of a port, "" where it has none."""
        return self._params.get(f"IOPort.I{port}.{name}")

    def closed(self, port: int) -> bool:
        """Whether the circuit is closed."""
        return self._closed.get(port, self.value(port, "Input.Trig") == "open")

    def active(self, port: int) -> bool:
        """Whether the circuit is as the trigger wants it."""
        return self.closed(port) == (self.value(port, "Input.Trig") == "closed")

    def wire(self, port: int, *, active: bool) -> None:
        """Close or open the circuit so that the port is active or not."""
        self._closed[port] = active == (self.value(port, "Input.Trig") == "closed")
        self.refresh()

    def refresh(self) -> None:
        """Tell of what has changed: after the wiring, and after the parameters did."""
        for port in self.inputs():
            active = self.active(port)
            # a circuit nobody has touched stays as it is when the trigger changes
            self._closed.setdefault(port, self.closed(port))
            if active != self._active.get(port, False):
                self._active[port] = active
                self._edge(port, active)

    def note(self, port: int, *, active: bool) -> list[Instance]:
        """Put the state into the events; the instances that changed: this port, and "Any"."""
        state = "1" if active else "0"
        overall = "1" if any(self._active.values()) else "0"
        own = self._events.put(PORT, str(port), state)
        self._events.put(PORT, ANY, overall)
        any_port = self._events.find(PORT, ANY)
        return [each for each in (own, any_port) if each is not None]
