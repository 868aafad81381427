"""Debian's headless Chromium, by selenium. Its makers' services are asked for nothing: all ways out end here."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
MISSING = "chromium and chromedriver are not installed (Debian: chromium, chromium-driver)"
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--window-size=1200,1600",
)  # fmt: skip


@dataclass
class WayOut:
    """The only way out that the browser has: a proxy that answers nothing and keeps what was asked of it.

    Chromium asks for things of its own as well (its time, its accounts), in spite of all flags.
    """

    port: int
    asked: list[str] = field(default_factory=list)

    def asked_for(self, address: str) -> list[str]:
        """First lines of requests that name it."""
        return [each for each in self.asked if address in each]


@contextmanager
def way_out() -> Iterator[WayOut]:
    """Listens on loopback until the end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        out = WayOut(server.getsockname()[1])
        thread = threading.Thread(target=_listen, args=(server, out), daemon=True)
        thread.start()
        yield out
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _listen(server: socket.socket, out: WayOut) -> None:
    with suppress(OSError):
        while True:
            connection = server.accept()[0]
            with connection, suppress(OSError):
                connection.settimeout(5)
                out.asked.append(connection.recv(4096).decode("latin-1").partition("\r\n")[0])


@contextmanager
def browser(profile: Path, out: WayOut | None = None) -> Iterator[webdriver.Chrome]:
    """A new profile; what a page writes to the console is kept. All requests go to `out`, those to loopback too."""
    if out is None:
        with way_out() as nowhere, browser(profile, nowhere) as found:
            yield found
        return
    assert CHROMIUM
    assert DRIVER
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    proxy = (f"--proxy-server=http://127.0.0.1:{out.port}", "--proxy-bypass-list=<-loopback>")
    for flag in (*_FLAGS, *proxy, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def console(driver: webdriver.Chrome) -> list[Any]:
    """What the page wrote to the console, errors too."""
    return list(driver.get_log("browser"))  # type: ignore[no-untyped-call]


def requested(driver: webdriver.Chrome) -> set[str]:
    """The schemes of everything that was asked for; `chrome` is the browser's own first page."""
    found = set()
    for each in driver.get_log("performance"):  # type: ignore[no-untyped-call]
        message = json.loads(each["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            found.add(str(message["params"]["request"]["url"]).partition(":")[0])
    return found - {"chrome"}
