"""Whether declared accounts get in with their declared passwords: one login each, and only where it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ivn_provision.drivers.axis import accounts
from ivn_provision.plan.plan import Observation, Unverified
from ivn_provision.secret import Secret
from ivn_provision.transports.vapix import VapixLink


@dataclass(slots=True)
class Logins:
    """`passwords` are the declared ones, by account. One that was refused is never tried again."""

    link: VapixLink
    passwords: Mapping[str, Secret]
    _refused: dict[str, Secret] = field(default_factory=dict, init=False, repr=False)

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
        self._refused.pop(name, None)

    def _try(self, name: str, password: Secret) -> bool | None:
        """None where the camera does not say who logged in."""
        if self._refused.get(name) == password:
            return False
        reply = self.link.try_login(name, password, accounts.WHO)
        if reply.status == 401:
            self._refused[name] = password
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
