"""Commands of the lab as the failure table writes them, done to a running lab of this process."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta

from ivn_provision.drivers.portal.testing import PortalTesting
from tests.support.world import World, utc_now

_MAIL_SECONDS = 20.0


@dataclass(slots=True)
class LabWords:
    """`tamper`, `remove`, `gui`, `fault` and `fire` are those of `ivn-provision lab`; `window` and `close` open and
    close a test session in the portal, `password` gives a user the declared password again. ACCOUNT stands for the
    address that the portal takes mails at."""

    world: World
    site: str
    window: str = ""

    def do(self, command: str) -> None:
        """One command. Raises LabError."""
        verb, place, *words = shlex.split(command)
        place = place.replace("SITE", self.site)
        words, fields = _parted(words)
        lab = self.world.lab
        match verb, words:
            case "tamper", [kind, *key]:
                if "ACCOUNT" in fields.values():
                    fields = {name: each.replace("ACCOUNT", self._account()) for name, each in fields.items()}
                lab.tamper(place, kind, " ".join(key), fields)
            case "remove", [kind, key]:
                lab.remove(place, kind, key)
            case "gui", [kind, action, key]:
                lab.gui(place, action, kind, key, fields)
            case "fault", [name]:
                lab.fault(place, name)
            case "fire", ["soft", pin]:
                self._fire(lambda: lab.fire_soft(place, int(pin)))
            case "fire", ["input", device, number]:
                self._fire(lambda: lab.fire_input(place, device, int(number)))
            case "window", []:
                self._open_window()
            case "close", []:
                self._close_window()
            case "password", [user]:
                lab.tamper(
                    place, "user", user, {"password": lab.secret_file(f"{place}-{user}").read_text().strip()}
                )
            case _:
                raise AssertionError(f"the lab has no such command: {command}")

    def undo(self, done: Sequence[str], undo: Sequence[str]) -> None:
        """Switch off the faults of `done`, close a window, then do what `undo` says."""
        for command in done:
            verb, place, *words = shlex.split(command)
            if verb == "fault":
                self.world.lab.fault(place.replace("SITE", self.site), words[0], on=False)
        self._close_window()
        for command in undo:
            self.do(command)

    def _fire(self, fire: Callable[[], object]) -> None:
        """Returns when the mail is an event of the portal, and its clip is fetched."""
        portal = self.world.lab.portal
        before = len(portal.events(self.site))
        fire()
        end = time.monotonic() + _MAIL_SECONDS
        while True:
            events = portal.events(self.site)
            if len(events) > before and not any(
                clip["status"] == "pending" for event in events for clip in event["clips"]
            ):
                return
            assert time.monotonic() < end, "the mail did not arrive, or its clip stays pending"
            time.sleep(0.02)

    def _account(self) -> str:
        with closing(self.world.opener().readers(self.world.site(self.site))["portal"]) as portal:
            return portal.read().computed["portal.smtp_account_id"]

    def _open_window(self) -> None:
        opener = self.world.opener()
        with closing(self._testing()) as testing:
            window = testing.open_window(
                opener.run_id, utc_now() + timedelta(minutes=5), "a test of the failure table"
            )
        self.window = window.id

    def _close_window(self) -> None:
        if self.window:
            with closing(self._testing()) as testing:
                testing.close_window(self.window)
        self.window = ""

    def _testing(self) -> PortalTesting:
        return self.world.opener().testing(self.world.site(self.site))


def _parted(words: list[str]) -> tuple[list[str], dict[str, str]]:
    """Words, and the fields of `--set`."""
    plain: list[str] = []
    fields: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if word == "--set":
            name, _, value = next(rest).partition("=")
            fields[name] = value
        else:
            plain.append(word)
    return plain, fields
