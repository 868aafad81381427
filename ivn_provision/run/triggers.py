"""How pins are fired: a generic event on the recorder's own loopback, an input through its camera, or by a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ivn_provision.drivers.xprotect_e.agent_link import AgentLink
from ivn_provision.drivers.xprotect_e.exchange import Line, exchange_step, replies
from ivn_provision.errors import Refused, TargetError, Uncertain
from ivn_provision.run.cameras import CameraInputs
from ivn_provision.verify.acceptance.shots import Shot

SECONDS = 10
_NOT_CONNECTED = "connection refused"
"""The agent's words (docs/reference/agent-protocol.md)."""
Ask = Callable[[Shot], None]
"""Tells a person to trip an input now; returns at once, or when the person says so."""


@dataclass(frozen=True, slots=True)
class RecorderTrigger:
    """Soft triggers go to the event port at 127.0.0.1 of the recorder: the protocol is in clear and without a login,
    so it is never spoken across the network. Inputs are tripped by `cameras` as far as they can, and the rest by
    a person: `ask` is None where nobody is there."""

    link: AgentLink
    event_port: int
    ask: Ask | None = None
    hardware_seconds: float = 120.0
    cameras: CameraInputs | None = None

    def can(self, shot: Shot) -> str:
        """Why the pin cannot be fired; "" if it can."""
        if shot.source == "soft" or self.ask is not None or self._by_camera(shot):
            return ""
        if self.cameras is not None:
            return "its input is no camera's with an axis section: give --hardware cameras,ask"
        return "nobody is there to trip the input: give --hardware ask, wait or cameras"

    def by(self, shot: Shot) -> str:
        """Who fires an input, for people; "" for a soft trigger."""
        if shot.source == "soft":
            return ""
        return f"camera {shot.wired_to} itself, over VAPIX" if self._by_camera(shot) else "a person"

    def seconds_for(self, shot: Shot) -> float:
        """How long a person may take."""
        by_person = shot.source == "hardware" and not self._by_camera(shot)
        return self.hardware_seconds if by_person else 0.0

    def _by_camera(self, shot: Shot) -> bool:
        return self.cameras is not None and self.cameras.has(shot)

    def fire(self, *shots: Shot) -> None:
        """All soft ones in one remote process, one right after the other; never twice, whatever the line does.

        Raises Refused where the recorder does not listen or the camera will not, Uncertain where nobody knows whether
        it heard.
        """
        for shot in shots:
            if self.cameras is not None and self.cameras.has(shot):
                self.cameras.trip(shot)
            elif shot.source == "hardware":
                assert self.ask is not None
                self.ask(shot)
        if soft := [each for each in shots if each.source == "soft"]:
            self._send(soft)

    def _send(self, shots: Sequence[Shot]) -> None:
        lines = [(Line(f"{each.pin} S".encode("ascii")),) for each in shots]
        answer = self.link.call([exchange_step(self.event_port, lines, SECONDS)], writes=True).steps[0]
        for shot, outcome in zip(shots, replies(answer), strict=True):
            if not outcome.ok:
                raise self._not_taken(shot, outcome.error, is_sure=shot is shots[0])

    def _not_taken(self, shot: Shot, why: str, *, is_sure: bool) -> TargetError:
        """A connection that was refused took nothing; one that broke, or one after another, perhaps did."""
        kind = Refused if is_sure and why == _NOT_CONNECTED else Uncertain
        return kind(
            f"the recorder's event port {self.event_port} does not take {shot.name}: {why}",
            endpoint=self.link.endpoint,
            next_step="does the Recording Server run, and is it its event port (R-15)?",
        )
