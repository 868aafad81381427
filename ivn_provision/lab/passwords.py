"""The lab's random passwords: made once, kept as files that only their owner can read."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ivn_provision.errors import LabError
from ivn_provision.lab.scenario import LabSite, numbered
from ivn_provision.lab.tls import write_private

PORTAL_CLIENT = "northside"
_LENGTH = 24  # of letters and digits: fits every form, URL and XML (facts/portal.md, row 23)
_ALPHABET = string.ascii_letters + string.digits


class Passwords:
    """Files below `directory`, by name: `SITE-nvr`, `SITE-ivnview`, `SITE-smtp`, `SITE-camera-N`, `portal-client`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def file(self, name: str) -> Path:
        """Where the secret is. Raises LabError if there is none of this name."""
        file = self.directory / name
        if file.parent != self.directory or not file.is_file():
            known = ", ".join(sorted(each.name for each in self.directory.iterdir()))
            raise LabError(f"the lab has no secret {name!r}", next_step=f"secrets are: {known[:500]}")
        return file

    def get(self, name: str) -> str:
        """The value; made and written if it is not there yet."""
        file = self.directory / name
        if not file.is_file():
            value = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
            write_private(file, f"{value}\n".encode())
        return file.read_text("utf-8").strip()


def with_passwords(sites: Iterable[LabSite], passwords: Passwords) -> tuple[LabSite, ...]:
    """The sites with real passwords instead of placeholders, and a mail login each."""
    return tuple(_with_passwords(site, passwords) for site in sites)


def _with_passwords(site: LabSite, passwords: Passwords) -> LabSite:
    viewer = passwords.get(f"{site.key}-ivnview")
    return replace(
        site,
        password=passwords.get(f"{site.key}-nvr"),
        users=tuple((name, viewer, administrator) for name, _, administrator in site.users),
        mail_username=site.mail_username or site.key,
        mail_password=passwords.get(f"{site.key}-smtp"),
        cameras=tuple(
            replace(camera, axis_password=passwords.get(f"{site.key}-camera-{number}"))
            if camera.axis
            else camera
            for number, camera in numbered(site)
        ),
    )
