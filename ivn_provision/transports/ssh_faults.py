"""What went wrong on an SSH connection, in words and with a next step. Imported late."""

from __future__ import annotations

import socket

from paramiko.ssh_exception import (
    AuthenticationException,
    BadHostKeyException,
    ChannelException,
    IncompatiblePeer,
    SSHException,
)

from ivn_provision.errors import (
    AuthenticationFailed,
    DeadlineExceeded,
    IvnError,
    ProtocolFault,
    Refused,
    Unreachable,
)
from ivn_provision.transports.remote import ConnectionLost
from ivn_provision.transports.ssh_keys import changed_host_key
from ivn_provision.transports.ssh_settings import SshSettings


def classify(error: Exception, settings: SshSettings, *, doing: str) -> IvnError:
    """Any exception of paramiko or a socket -> one of our errors."""
    endpoint = settings.endpoint
    if isinstance(error, ConnectionLost | DeadlineExceeded):
        error.endpoint = endpoint
        return error
    if isinstance(error, IvnError):
        return error
    if isinstance(error, BadHostKeyException):
        return changed_host_key(settings, error.key)
    if isinstance(error, AuthenticationException):
        return _refused_account(settings)
    return _of_the_protocol(error, endpoint, doing)


def _of_the_protocol(error: Exception, endpoint: str, doing: str) -> IvnError:
    if isinstance(error, IncompatiblePeer):
        return ProtocolFault(
            f"{endpoint} and this machine have no way of encryption in common",
            endpoint=endpoint,
            next_step="update OpenSSH on the recorder: it is too old to be safe",
        )
    if isinstance(error, ChannelException):
        return Refused(
            f"{endpoint} opens no session for this account",
            endpoint=endpoint,
            next_step="look at MaxSessions and ForceCommand in sshd_config on the recorder",
        )
    return _of_the_line(error, endpoint, doing)


def _refused_account(settings: SshSettings) -> AuthenticationFailed:
    tried = [settings.means] if settings.key_file or settings.agent else []
    tried += ["its password"] if settings.password else []
    return AuthenticationFailed(
        f"the recorder refused the account {settings.username!r} with {' and '.join(tried)}",
        endpoint=settings.endpoint,
        next_step="check nvr.connect; the keys of administrators belong into "
        r"%ProgramData%\ssh\administrators_authorized_keys there",
    )


def _of_the_line(error: Exception, endpoint: str, doing: str) -> IvnError:
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(
            f"nothing listens on {endpoint}",
            endpoint=endpoint,
            next_step="start the service sshd on the recorder, and check host and port in nvr.connect",
        )
    if isinstance(error, socket.gaierror):
        return Unreachable(
            f"the name in {endpoint} is unknown",
            endpoint=endpoint,
            next_step="check nvr.connect.host; an IP address needs no DNS",
        )
    if isinstance(error, TimeoutError):
        return Unreachable(
            f"no answer from {endpoint}",
            endpoint=endpoint,
            next_step="is the machine on? A firewall (or a Public network profile) swallows SSH silently",
        )
    return _of_a_broken_line(error, endpoint, doing)


def _of_a_broken_line(error: Exception, endpoint: str, doing: str) -> IvnError:
    if isinstance(error, SSHException) and "banner" in str(error):
        return ConnectionLost(
            f"{endpoint} broke the connection before it said that it speaks SSH",
            endpoint=endpoint,
            next_step="see what listens on that port (SSH is 22), and whether sshd has too many logins under way",
        )
    if isinstance(error, ConnectionError | EOFError | SSHException):
        return ConnectionLost(
            f"{endpoint} broke the connection while {doing}",
            endpoint=endpoint,
            next_step="try again; if it stays, look at the recorder's OpenSSH event log",
        )
    if isinstance(error, OSError):
        return Unreachable(
            f"no connection to {endpoint}", endpoint=endpoint, next_step="check the route and the firewall"
        )
    return ProtocolFault(
        f"{endpoint} did not answer as SSH does while {doing} ({type(error).__name__})",
        endpoint=endpoint,
        next_step="see what listens on that port; SSH is 22",
    )
