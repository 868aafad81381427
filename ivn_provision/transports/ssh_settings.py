"""`nvr.connect` -> what an SSH connection needs, or why it cannot be."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ivn_provision.errors import Refused
from ivn_provision.secret import Secret
from ivn_provision.spec.site import Connect
from ivn_provision.transports.winrm_settings import host_name

KNOWN_HOSTS = "~/.ssh/known_hosts"


@dataclass(frozen=True, slots=True)
class SshSettings:
    """`host_key` is the only fingerprint accepted; without one `known_hosts` decides. Paths are absolute."""

    host: str
    port: int
    username: str
    password: Secret | None
    key_file: str = ""
    passphrase: Secret | None = None
    agent: bool = False
    host_key: str = ""
    known_hosts: str = ""

    @property
    def endpoint(self) -> str:
        """`host:port`, for people."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def means(self) -> str:
        """What proves the account besides a password."""
        return f"the key {self.key_file}" if self.key_file else "the ssh-agent"


def ssh_settings_of(
    connect: Connect, password: Secret | None, passphrase: Secret | None = None
) -> SshSettings:
    """Settings for a recorder. Raises Refused where there is nothing to log in with."""
    if password is None and not connect.key_file and not connect.agent:
        raise Refused(
            "nvr.connect has nothing to log in with",
            next_step="give it a key_file, agent: true, or a password as a !secret reference",
        )
    known_hosts = "" if connect.host_key else connect.known_hosts or os.path.expanduser(KNOWN_HOSTS)
    return SshSettings(
        host=host_name(connect.host),
        port=connect.port,
        username=connect.username,
        password=password,
        key_file=connect.key_file,
        passphrase=passphrase,
        agent=connect.agent,
        host_key=connect.host_key,
        known_hosts=known_hosts,
    )
