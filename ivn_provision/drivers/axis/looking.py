"""Looks at a camera for the checks: what its reading has already, and at most three requests more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from ivn_provision.drivers.axis import extra
from ivn_provision.drivers.axis.advisories import may_call
from ivn_provision.drivers.axis.firmware import product
from ivn_provision.drivers.axis.naming import owned
from ivn_provision.drivers.axis.params import Params
from ivn_provision.drivers.axis.reading import Reading
from ivn_provision.drivers.axis.rule_live import addresses
from ivn_provision.drivers.axis.seen import CameraClock, CameraSeen, Mailer
from ivn_provision.errors import IvnError
from ivn_provision.spec.axis import AxisSmtp
from ivn_provision.transports.vapix import Asked, VapixReply

MOST_REQUESTS = 3
"""The mail server, the inputs, the time: beyond the six of a reading."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of one camera. `inputs` are those that the site file names."""

    inputs: frozenset[int] = frozenset()
    smtp: AxisSmtp | None = None


@dataclass(slots=True)
class Looking:
    """`ask` sends one request; `clock` is ours. What is not answered is noted in `missing`."""

    reading: Reading
    ask: Callable[[Asked], VapixReply]
    clock: Callable[[], datetime]
    missing: dict[str, str] = field(default_factory=dict)

    def seen(self, wanted: Wanted) -> CameraSeen:
        """One thing after another: a camera is asked one thing at a time."""
        known = self.reading.params
        inputs, outputs = ports_of(known)
        there = wanted.inputs & (inputs or frozenset())
        return CameraSeen(
            model=known.text("Brand.ProdNbr"),
            product=product(self.reading),
            firmware=self.reading.firmware,
            inputs=inputs,
            outputs=outputs,
            active=self._try("inputs", lambda: self._active(there), {}) if there else {},
            clock=self._try("clock", self._clock, None),
            legacy=tuple(_legacy(known)),
            mail_server=self._try("mail_server", lambda: self._mail_server(wanted.smtp), ""),
            mailers=self._mailers(),
            missing=self.missing,
        )

    def _try(self, name: str, look: Callable[[], _T], otherwise: _T) -> _T:
        try:
            return look()
        except IvnError as error:
            self.missing[name] = error.summary
            return otherwise

    def _active(self, numbers: Iterable[int]) -> dict[int, bool]:
        return dict(extra.parse_inputs(self.ask(extra.inputs_asked(numbers))))

    def _clock(self) -> CameraClock:
        known = self.reading.params
        before = self.clock()
        reply = self.ask(extra.time_asked(self.reading.apis))
        saves = known.text("Time.DST.Enabled").lower() == "yes"
        return extra.parse_time(
            reply, before, self.clock(), zone=known.text("Time.POSIXTimeZone"), saves=saves
        )

    def _mail_server(self, smtp: AxisSmtp | None) -> str:
        if smtp is None:
            return ""
        why_not = may_call(self.reading.params.text("Brand.ProdNbr"), self.reading.firmware, "tcptest")
        if why_not:
            self.missing["mail_server"] = f"not asked (tcptest.cgi): {why_not}"
            return ""
        return extra.parse_mail_server_test(self.ask(extra.mail_server_test(smtp.host, smtp.port)))

    def _mailers(self) -> tuple[Mailer, ...] | None:
        if self.reading.no_rules:
            self.missing["mailers"] = self.reading.no_rules
            return None
        return tuple(_mailers(self.reading))


def ports_of(known: Params) -> tuple[frozenset[int] | None, frozenset[int]]:
    """Inputs and outputs, counted from 1; None for inputs where the camera does not say which it has.

    Fixed ports show only the half that they are (facts/axis.md, 3.3).
    """
    groups = known.groups("IOPort.I")
    if not groups:
        return (frozenset() if known.text("Input.NbrOfInputs") == "0" else None), frozenset()
    outputs = {index + 1 for index in groups if _is_output(known, f"IOPort.I{index}")}
    return frozenset(index + 1 for index in groups) - outputs, frozenset(outputs)


def _is_output(known: Params, group: str) -> bool:
    direction = known.text(f"{group}.Direction").lower()
    return direction == "output" or (not direction and known.get(f"{group}.Input.Name") is None)


def _legacy(known: Params) -> Iterator[str]:
    for index in known.groups("Event.E"):
        name = known.text(f"Event.E{index}.Name")
        yield f"Event.E{index} ({name})" if name else f"Event.E{index}"


def _mailers(reading: Reading) -> Iterator[Mailer]:
    """Whatever has an address to send to, or is named as a mail, in any of the templates."""
    for rule in reading.rules:
        configuration = reading.configuration(rule.action)
        if not rule.enabled or owned(rule.name) is not None or configuration is None:
            continue
        to = addresses(configuration.parameters.get("email_to", ""))
        if to or "smtp" in configuration.template.lower():
            yield Mailer(rule.name, to)
