"""The peer of `plan` for cameras: httpx in a thread pool, the same six requests to each, judging nothing.

Run as a program of its own with a file of targets (a JSON list of `Target`s) and a word: `shared` for one TLS context
for all cameras, `own` for one each, as a script that makes a client for each camera has it.
"""

from __future__ import annotations

import json
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx

WORKERS = 32
"""As many as `ivn_provision.run.fleet.runners` has."""

_SOAP = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
    '<%s xmlns="http://www.axis.com/vapix/ws/action1"/></s:Body></s:Envelope>'
)
_OPERATIONS = ("GetActionRules", "GetActionConfigurations", "GetRecipientConfigurations")


@dataclass(frozen=True, slots=True)
class Target:
    """A camera of the lab."""

    url: str
    username: str
    password: str
    ca_file: str


@cache
def shared(ca_file: str) -> ssl.SSLContext:
    """One context for all that one authority signed."""
    return ssl.create_default_context(cafile=ca_file)


def look(target: Target, *, own: bool) -> int:
    """The bytes that a camera gave."""
    context = ssl.create_default_context(cafile=target.ca_file) if own else shared(target.ca_file)
    with httpx.Client(base_url=target.url, verify=context, trust_env=False, timeout=60) as client:
        client.auth = _login(client, target)
        answers = [
            client.post("/axis-cgi/apidiscovery.cgi", json={"apiVersion": "1.0", "method": "getApiList"}),
            client.get("/axis-cgi/param.cgi?action=list"),
            *(client.post("/vapix/services", content=_SOAP % each, headers=_XML) for each in _OPERATIONS),
            client.post("/axis-cgi/pwdgrp.cgi", data={"action": "get"}),
        ]
    for each in answers:
        each.raise_for_status()
    return sum(len(each.content) for each in answers)


_XML = {"Content-Type": "application/soap+xml; charset=utf-8"}


def _login(client: httpx.Client, target: Target) -> httpx.Auth:
    """What the camera asks for: one request without a login finds out."""
    offered = client.get("/axis-cgi/param.cgi?action=list&group=Brand").headers.get("WWW-Authenticate", "")
    scheme = httpx.BasicAuth if offered.startswith("Basic") else httpx.DigestAuth
    return scheme(target.username, target.password)


def main(file: Path, how: str) -> None:
    """Ask every camera; fails if one does."""
    targets = [Target(**each) for each in json.loads(file.read_text("utf-8"))]
    with ThreadPoolExecutor(max_workers=min(WORKERS, len(targets))) as pool:
        sizes = list(pool.map(lambda target: look(target, own=how == "own"), targets))
    if not all(sizes):
        sys.exit("a camera gave nothing")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
