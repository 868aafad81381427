"""Which way leads to a recorder: `nvr.connect` with its secrets resolved."""

from __future__ import annotations

from collections.abc import Callable

from ivn_provision.secret import Secret, SecretRef
from ivn_provision.spec.site import Connect
from ivn_provision.transports.breaker import Account
from ivn_provision.transports.remote import Way


def way_of(connect: Connect, secret: Callable[[SecretRef], Secret]) -> Way:
    """The way that `connect` declares. Raises Refused for what cannot be, SecretError for a missing secret."""
    return _ssh(connect, secret) if connect.transport == "ssh" else _winrm(connect, secret)


def _winrm(connect: Connect, secret: Callable[[SecretRef], Secret]) -> Way:
    from ivn_provision.transports.winrm import WinRm
    from ivn_provision.transports.winrm_settings import PASSWORDLESS, settings_of

    asks = connect.auth not in PASSWORDLESS
    password = secret(connect.password) if asks and connect.password else None
    passphrase = secret(connect.key_passphrase) if connect.certificate and connect.key_passphrase else None
    settings = settings_of(connect, password, passphrase)
    means = {"kerberos": "its Kerberos ticket", "certificate": "its certificate"}.get(connect.auth, "")
    account = Account(f"account {settings.username}", password, means, settings.endpoint)
    return Way(settings.endpoint, account, lambda deadline: WinRm(settings, deadline))


def _ssh(connect: Connect, secret: Callable[[SecretRef], Secret]) -> Way:
    from ivn_provision.transports.ssh import Ssh
    from ivn_provision.transports.ssh_settings import ssh_settings_of

    password = secret(connect.password) if connect.password else None
    passphrase = secret(connect.key_passphrase) if connect.key_file and connect.key_passphrase else None
    settings = ssh_settings_of(connect, password, passphrase)
    account = Account(f"account {settings.username}", password, settings.means, settings.endpoint)
    return Way(settings.endpoint, account, lambda deadline: Ssh(settings, deadline))
