"""Debian's headless Chromium, by selenium; None of its background services runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def browser(profile: Path) -> Iterator[webdriver.Chrome]:
    """A new profile; what a page writes to the console is kept."""
    assert CHROMIUM
    assert DRIVER
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
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
