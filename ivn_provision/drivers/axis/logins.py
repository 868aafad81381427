"""Whether declared accounts get in with their declared passwords: one login each, and only where it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field

from ivn_provision.drivers.axis import accounts
from ivn_provision.plan.plan import Observation, Unverified
from ivn_provision.secret import Secret
from ivn_provision.transports.vapix import VapixLink

Refusals = MutableMapping[tuple[str, str], Secret]
"""Passwords that were refused, by endpoint and account."""


@dataclass(slots=True)
class Logins:
    """`passwords` are the declared ones, by account. One in `refused`, which all drivers of a run share, is not tried
    again: a camera may lock an account out."""

    link: VapixLink
    passwords: Mapping[str, Secret]
    refused: Refusals = field(default_factory=dict, repr=False)

    def observe(self, questions: Sequence[Unverified], there: frozenset[str]) -> Iterator[Observation]:
        """Of open questions about accounts in `there`. Raises TargetError."""
        for question in questions:
            name = question.address.key
            password = self.passwords.get(name)
            if question.is_open and name in there and password is not None and _is_sent(name, password):
                confirmed = self._try(name, password)
                if confirmed is not None:
                    evidence = _evidence(name, confirmed)
                    yield Observation(
                        question.address, question.name, confirmed, evidence, settable=not confirmed
                    )

    def forget(self, name: str) -> None:
        """Its password was just written."""
        self.refused.pop((self.link.endpoint, name), None)

    def _try(self, name: str, password: Secret) -> bool | None:
        """None where the camera does not say who logged in."""
        known = (self.link.endpoint, name)
        if self.refused.get(known) == password:
            return False
        reply = self.link.try_login(name, password, accounts.WHO)
        if reply.status == 401:
            self.refused[known] = password
            return False
        return True if reply.status == 200 and accounts.parse_who(reply) == name else None


def _is_sent(name: str, password: Secret) -> bool:
    """Is it known how the camera reads them?"""
    plain = password.reveal()
    return accounts.NAME.fullmatch(name) is not None and plain.isascii() and plain.isprintable()


def _evidence(name: str, confirmed: bool) -> str:
    if confirmed:
        return f"{name} logged in to the camera with the declared password"
    return f"the camera refuses {name} with the declared password (HTTP 401)"
