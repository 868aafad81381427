"""Passwords of devices for the portal's own logins: encrypted in its database, the key in a private file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from ivn_provision.lab.portal.store import Store
from ivn_provision.lab.tls import write_private


@dataclass(frozen=True, slots=True)
class Vault:
    """A portal that fetches video has to know the recorder's password (R-37); it is never shown."""

    store: Store
    key_file: Path

    def keep(self, site: str, device: str, password: str) -> None:
        """Remember the password of a device."""
        sealed = Fernet(self._key()).encrypt(password.encode())
        self.store.execute("INSERT OR REPLACE INTO sealed VALUES (?,?,?)", (site, device, sealed))

    def password(self, site: str, device: str) -> str:
        """The password; "" where none is known, or the key is another one."""
        sql = "SELECT password FROM sealed WHERE site=? AND device=?"
        rows = self.store.rows(sql, (site, device))
        try:
            return Fernet(self._key()).decrypt(rows[0][0]).decode() if rows else ""
        except InvalidToken:
            return ""

    def _key(self) -> bytes:
        if not self.key_file.exists():
            write_private(self.key_file, Fernet.generate_key())
        return self.key_file.read_bytes()
