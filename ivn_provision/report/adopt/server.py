"""The mail server that a rule or recipient of a camera has, as `smtp` of an `axis:` section. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ivn_provision.model.resource import Resource, Unset, Value
from ivn_provision.spec.axis_fit import misfit
from ivn_provision.spec.values import Computed

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Server:
    """The fields of a mail server as a camera has them; `sender` may be what only the portal knows."""

    sender: Value
    host: Value
    port: Value
    security: Value
    username: Value

    @classmethod
    def of(cls, resource: Resource) -> Server:
        """Of a rule or recipient. No user name is the same as an empty one."""
        sender, host, port, security, username = (
            resource.fields.get(f"smtp.{name}") for name in ("sender", "host", "port", "security", "username")
        )
        return cls(sender, host, port, security, "" if isinstance(username, Unset | None) else username)

    def problem(self) -> str:
        """Why a section cannot say it, or ""."""
        if isinstance(self.host, Unset | None) or self.host == "":
            return "it has no mail server"
        if isinstance(self.port, Unset | None):
            return "its mail server has no port"
        found = misfit("smtp", self.said())
        return f"its mail server cannot be said: {found}" if found else ""

    def said(self) -> Json:
        said: Json = {"sender": self.sender, "host": self.host, "port": self.port, "security": self.security}
        if self.username:
            said["username"] = self.username
        return {name: str(value) if isinstance(value, Unset) else value for name, value in said.items()}

    def is_same(self, other: Server) -> bool:
        sender = other.sender if isinstance(self.sender, Computed) else self.sender
        return (sender, self.host, self.port, self.security, self.username) == (
            *(other.sender, other.host, other.port),
            *(other.security, other.username),
        )
