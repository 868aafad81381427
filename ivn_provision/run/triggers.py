"""How pins are fired: a generic event on the recorder's own loopback, or a person who trips an input."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

from ivn_provision.drivers.xprotect_e.agent_link import AgentLink, Step, failure
from ivn_provision.errors import Refused
from ivn_provision.verify.acceptance.shots import Shot

SECONDS = 10
Ask = Callable[[Shot], None]
"""Tells a person to trip an input now; returns at once, or when the person says so."""


@dataclass(frozen=True, slots=True)
class RecorderTrigger:
    """Soft triggers go to the event port at 127.0.0.1 of the recorder: the protocol is in clear and without a login,
    so it is never spoken across the network. `ask` is None where nobody is there to trip an input."""

    link: AgentLink
    event_port: int
    ask: Ask | None = None
    hardware_seconds: float = 120.0

    def can(self, shot: Shot) -> str:
        """Why the pin cannot be fired; "" if it can."""
        if shot.source == "soft" or self.ask is not None:
            return ""
        return "nobody is there to trip the input: give --hardware ask, or --hardware wait"

    def seconds_for(self, shot: Shot) -> float:
        """How long a person may take."""
        return self.hardware_seconds if shot.source == "hardware" else 0.0

    def fire(self, shot: Shot) -> None:
        """Raises TargetError where the recorder does not listen."""
        if shot.source == "hardware":
            assert self.ask is not None
            self.ask(shot)
            return
        reply = self.link.call([_sent(self.event_port, f"{shot.pin} S")])
        if error := failure(reply.steps):
            raise error
        outcome = reply.steps[0]["connections"][0]
        if not outcome["ok"]:
            raise Refused(
                f"the recorder's event port {self.event_port} does not take {shot.name}: {outcome['error']}",
                endpoint=self.link.endpoint,
                next_step="does the Recording Server run, and is it its event port (R-15)?",
            )


def _sent(port: int, text: str) -> Step:
    """Connect, send, close (facts/xprotect-e.md, 4.6)."""
    send = base64.b64encode(text.encode("ascii")).decode("ascii")
    connection = [{"send": send, "until": "", "max_bytes": 0}]
    return {"verb": "exchange", "port": port, "timeout_seconds": SECONDS, "connections": [connection]}
