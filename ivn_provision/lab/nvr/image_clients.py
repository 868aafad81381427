"""Who may log in at the Image Server, what they may see, and how many are connected."""

from __future__ import annotations

import hmac
from collections.abc import Container, Mapping

from ivn_provision.lab.nvr.access import Access
from ivn_provision.lab.nvr.image_wire import Call, Reason


class Clients:
    """`passwords` are those of the basic users, in clear; `faults` are those of the machine."""

    def __init__(self, access: Access, passwords: Mapping[str, str], faults: Container[str]) -> None:
        self.access = access
        self.connected = 0
        self._passwords, self._faults = passwords, faults

    @property
    def full(self) -> bool:
        """Whether there is no place for a further client."""
        most = self.access.max_clients
        return "clients-full" in self._faults or 0 < most <= self.connected

    def knows(self, name: str, password: str) -> bool:
        """Whether this is a basic user with his password."""
        known = self._passwords.get(name) if name in self.access.basic_users else None
        if known is None or "login-refused" in self._faults:
            return False
        return hmac.compare_digest(known.encode(), password.encode())

    def refusal(self, call: Call) -> Reason | None:
        """Why a `connect` is refused; None if it is not."""
        if not self.knows(call.username, call.password):
            return Reason.LOGIN
        if call.username in self.access.without_view:
            return Reason.NO_RIGHT
        if self.name_of(call.camera) is None:
            return Reason.UNKNOWN
        return Reason.FULL if self.full else None

    def name_of(self, camera: str) -> str | None:
        """The display name of a camera that is switched on; None for any other GUID."""
        return dict(self.access.cameras).get(camera)
