"""Keys of SSH: which host key is accepted, and the private key to log in with. Imported late."""

from __future__ import annotations

import hmac
from io import StringIO
from pathlib import Path
from typing import NoReturn

from paramiko import ECDSAKey, Ed25519Key, HostKeys, MissingHostKeyPolicy, PKey, RSAKey, SSHClient
from paramiko.ssh_exception import PasswordRequiredException, SSHException

from ivn_provision.errors import Refused, TlsFailed
from ivn_provision.secret import Secret
from ivn_provision.transports.ssh_settings import SshSettings


class HostKeyCheck(MissingHostKeyPolicy):
    """Asked for a host key that is in no file: only the pinned one passes, and nothing is ever added."""

    def __init__(self, settings: SshSettings) -> None:
        self._settings = settings

    def missing_host_key(self, client: SSHClient, hostname: str, key: PKey) -> None:
        """Raises TlsFailed, which shows the fingerprint and how to pin it."""
        del client, hostname
        if not self._settings.host_key:
            self._refuse(key, f"the host key of {self._settings.endpoint} is not known")
        if not hmac.compare_digest(key.fingerprint.encode(), self._settings.host_key.encode()):
            self._refuse(key, f"the host key of {self._settings.endpoint} is not the pinned one")

    def _refuse(self, key: PKey, what: str) -> NoReturn:
        raise TlsFailed(
            f"{what}: it shows {key.get_name()} {key.fingerprint}",
            endpoint=self._settings.endpoint,
            next_step="compare it on the recorder's own screen (ssh-keygen -lf, on each .pub file in "
            rf"%ProgramData%\ssh); if it is the same, write host_key: {key.fingerprint} under nvr.connect",
        )


def changed_host_key(settings: SshSettings, key: PKey) -> TlsFailed:
    """The error for a host that is in known_hosts with another key."""
    return TlsFailed(
        f"the host key of {settings.endpoint} is not the one in the file of known hosts: "
        f"it shows {key.get_name()} {key.fingerprint}",
        endpoint=settings.endpoint,
        where=settings.known_hosts,
        next_step="was the recorder set up anew? Compare the fingerprint on its own screen before anything else",
    )


def known_hosts(settings: SshSettings) -> HostKeys:
    """The host keys of the file; none if the host key is pinned. Raises TlsFailed."""
    if not settings.known_hosts:
        return HostKeys()
    try:
        return HostKeys(settings.known_hosts)
    except FileNotFoundError:
        return HostKeys()  # the error for the host then shows its fingerprint
    except (OSError, ValueError, SSHException) as error:
        raise TlsFailed(
            "the file of known host keys cannot be read",
            endpoint=settings.endpoint,
            where=settings.known_hosts,
            next_step="look at nvr.connect.known_hosts, or pin the key with host_key",
        ) from error


def private_key(settings: SshSettings) -> PKey | None:
    """The key of `key_file`. Raises Refused with what is wrong about it, never with what is in it."""
    if not settings.key_file:
        return None
    try:
        return _key(Path(settings.key_file).read_text(encoding="ascii"), settings.passphrase)
    except OSError as error:
        raise _unusable(settings, str(error.strerror), "check nvr.connect.key_file") from None
    except PasswordRequiredException:
        step = "give nvr.connect.key_passphrase a !secret reference"
        raise _unusable(settings, "it is encrypted", step) from None
    except (ValueError, SSHException):
        what = "it is no RSA, ECDSA or Ed25519 private key, or the passphrase is another"
        raise _unusable(settings, what, "check key_file and key_passphrase in nvr.connect") from None


def _key(text: str, passphrase: Secret | None) -> PKey:
    """Whichever of the three kinds it is: a file of OpenSSH does not say so in the open."""
    failure: Exception = ValueError("no key")
    for kind in (Ed25519Key, ECDSAKey, RSAKey):
        try:
            return kind.from_private_key(StringIO(text), passphrase.reveal() if passphrase else None)
        except PasswordRequiredException:
            raise
        except (SSHException, ValueError, UnicodeError, IndexError) as error:
            failure = error
    raise failure


def _unusable(settings: SshSettings, why: str, step: str) -> Refused:
    return Refused(
        f"the private key cannot be used: {why}",
        endpoint=settings.endpoint,
        where=settings.key_file,
        next_step=step,
    )
