"""Every server that the agent's cases speak to; a case's file names a value `@NAME@`."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.agent_mail import MailPlaces, mail_servers
from tests.support.agent_web import Ports, web_server
from tests.support.tcp_plays import PLAYS, served


@dataclass(frozen=True, slots=True)
class Places:
    """What the cases may name."""

    web: Ports
    mail: MailPlaces
    tcp: Mapping[str, int]

    def fill(self, text: str) -> str:
        """A case's text with its ports, certificates and hashes."""
        values = {**self.mail.values, **{name: str(port) for name, port in self.tcp.items()}}
        for name, value in values.items():
            if re.fullmatch("[0-9]{1,5}", value):
                text = text.replace(f'"@{name}@"', value)
            text = text.replace(f"@{name}@", value)
        return self.web.fill(text)


@contextlib.contextmanager
def case_servers() -> Iterator[Places]:
    """All of them for the length of a `with`."""
    with (
        tempfile.TemporaryDirectory() as directory,
        web_server() as web,
        mail_servers(Path(directory)) as mail,
        served(PLAYS) as tcp,
    ):
        yield Places(web, mail, tcp)
