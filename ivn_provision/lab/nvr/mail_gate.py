"""What the faults of a recorder make of a mail that an event should send: none, one, or two."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

from ivn_provision.lab.fault_list import MAIL_INTERVAL_SECONDS
from ivn_provision.lab.nvr.config_active import ActiveConfiguration
from ivn_provision.lab.nvr.mailer import Notification


class MailGate:
    """`faults` are those of the machine."""

    def __init__(self, faults: Container[str]) -> None:
        self._faults = faults
        self._untied: set[str] = set()
        self._last: float | None = None

    def faults_changed(self) -> None:
        """Forget what was remembered for a fault that is off now."""
        if "mail-swallowed" not in self._faults:
            self._untied.clear()
        if "mail-interval" not in self._faults:
            self._last = None

    def loaded(self, active: ActiveConfiguration) -> None:
        """A configuration came into force: an event without its tick is cured of R-54 (R-55)."""
        if "mail-swallowed" in self._faults:
            self._untied |= {each.name for each in active.inputs if not each.email}
            self._untied |= {each.name for each in active.generics if not each.email}

    def passed(self, mail: Notification, kind: str, now: float) -> tuple[Notification, ...]:
        """The mails that really go; `now` in seconds of any clock that does not jump."""
        if "mail-swallowed" in self._faults and mail.event not in self._untied:
            return ()
        if "mail-interval" in self._faults:
            if self._last is not None and now - self._last < MAIL_INTERVAL_SECONDS:
                return ()
            self._last = now
        if "mail-twice" in self._faults and kind == "input":
            return (mail, replace(mail, mailer="camera"))
        return (mail,)
