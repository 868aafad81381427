"""`/axis-cgi/io/portmanagement.cgi`: ports from "0", as texts (facts/axis.md, 4)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from ivn_provision.lab.camera.calls import whole_number
from ivn_provision.lab.camera.json_api import BAD_VALUE, MISSING, Json, JsonError, Method, items_of
from ivn_provision.lab.camera.params import NotSet, Parameters
from ivn_provision.lab.camera.ports import PortBoard

_OTHER = {"open": "closed", "closed": "open"}


class PortApi:
    """Reads and writes the parameters of the ports; `normalState` is the opposite of `Input.Trig`."""

    def __init__(
        self,
        board: PortBoard,
        params: Parameters,
        write: Callable[[str], AbstractContextManager[None]],
        changed: Callable[[list[str]], None],
    ) -> None:
        self._board, self._params, self._write, self._changed = board, params, write, changed

    def methods(self) -> dict[str, Method]:
        """`getPorts` and `setPorts`."""
        return {"getPorts": self._get, "setPorts": self._set}

    def _get(self, _: Json) -> Json:
        numbers = self._board.numbers()
        items = [self._port(each) for each in numbers]
        return {"numberOfPorts": len(numbers), **({"items": items} if items else {})}

    def _port(self, port: int) -> Json:
        board = self._board
        is_input = board.value(port, "Direction") == "input"
        configurable = board.value(port, "Configurable") == "yes"
        half, trigger = ("Input", "Input.Trig") if is_input else ("Output", "Output.Active")
        normal = _OTHER[board.value(port, trigger) or "closed"]
        state = ("closed" if board.closed(port) else "open") if is_input else normal
        return {
            "port": str(port),
            "state": state,
            "configurable": configurable,
            "readonly": is_input,
            "usage": self._params.get(f"IOPort.I{port}.Usage"),
            "direction": "input" if is_input else "output",
            "name": board.value(port, f"{half}.Name"),
            "normalState": normal,
        }

    def _set(self, given: Json) -> Json:
        done = []
        for each in items_of(given, "ports"):
            if "port" not in each:
                raise JsonError(MISSING, "Required parameter missing: port")
            with self._write("io.setPorts"):
                self._set_port(str(each["port"]), each)
            done.append(str(each["port"]))
        return {"ports": done}

    def _set_port(self, port: str, wanted: Json) -> None:
        number = whole_number(port)
        if number is None or number not in self._board.numbers():
            raise JsonError(BAD_VALUE, "Invalid parameter value", {"port": port, "propertyName": "port"})
        try:
            for key in ("direction", "name", "normalState"):
                if key in wanted:
                    self._set_property(number, key, str(wanted[key]))
        finally:
            self._changed([f"IOPort.I{port}"])

    def _set_property(self, port: int, key: str, wanted: str) -> None:
        half = "Input" if self._board.value(port, "Direction") == "input" else "Output"
        name, value = _parameter(port, half, key, wanted)
        try:
            if self._params.get(name) != value:
                self._params.set(name, value)
        except NotSet:
            details = {"port": str(port), "propertyName": key}
            raise JsonError(BAD_VALUE, "Invalid parameter value", details) from None


def _parameter(port: int, half: str, key: str, value: str) -> tuple[str, str]:
    """The parameter that stands for a property, and its value there."""
    group = f"IOPort.I{port}"
    if key == "direction":
        return f"{group}.Direction", value
    if key == "name":
        return f"{group}.{half}.Name", value
    last = "Input.Trig" if half == "Input" else "Output.Active"
    return f"{group}.{last}", _OTHER.get(value, value)
