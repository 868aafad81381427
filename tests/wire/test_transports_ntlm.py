"""NTLM that begins with the first request: one round trip less, and the long way where a host wants it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import requests

from ivn_provision.lab.nvr.counters import Counters
from ivn_provision.lab.nvr.gate import Gate, GateRules
from ivn_provision.lab.nvr.ntlm import Account
from ivn_provision.transports.winrm_ntlm import PromptNtlm
from tests.support.world import World

SITE = "lab-0001"
ACCOUNT = Account("ivn-provision", "Pässword: 日本", "IVN-LAB-1")


class Host(BaseHTTPRequestHandler):
    """Lets `ACCOUNT` in by the lab's gate. `offers` is the scheme; with `asks_first` nobody begins unasked."""

    protocol_version = "HTTP/1.1"
    offers, asks_first = "Negotiate", False
    seen: list[str]

    def setup(self) -> None:
        super().setup()
        self.gate = Gate(GateRules(ACCOUNT), Counters())

    def do_POST(self) -> None:  # the name that http.server wants
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        word = self.headers.get("Authorization", "")
        self.seen.append(word.partition(" ")[0])
        unasked = len(self.seen) == 1 and self.asks_first
        other = bool(word) and not word.startswith(self.offers)
        refusal, headers = self.gate.check("" if unasked or other else word)
        answers = [*(refusal.headers if refusal else []), *headers]
        self.send_response(refusal.status if refusal else 200)
        for name, value in answers:
            self.send_header(name, value.replace("Negotiate", self.offers))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server wants
        """Tests are quiet."""


@contextmanager
def serving(offered: str = "Negotiate", *, asked: bool = False) -> Iterator[tuple[str, list[str]]]:
    schemes: list[str] = []

    class This(Host):
        offers, asks_first, seen = offered, asked, schemes

    with ThreadingHTTPServer(("127.0.0.1", 0), This) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/", schemes
        finally:
            server.shutdown()


def post(session: requests.Session, url: str) -> int:
    return session.post(url, data=b"body", timeout=30).status_code


@contextmanager
def session(password: str = ACCOUNT.password) -> Iterator[requests.Session]:
    with requests.Session() as opened:
        opened.trust_env = False
        opened.auth = PromptNtlm(ACCOUNT.username, password)
        yield opened


def test_the_first_request_begins_and_later_ones_say_nothing() -> None:
    with serving() as (url, schemes), session() as client:
        assert [post(client, url) for _ in range(3)] == [200, 200, 200]
    assert schemes == ["Negotiate", "Negotiate", "", ""]


@pytest.mark.parametrize(("offers", "asked"), [("Negotiate", True), ("NTLM", False)])
def test_a_host_that_wants_it_otherwise_gets_the_long_way(offers: str, asked: bool) -> None:
    with serving(offers, asked=asked) as (url, schemes), session() as client:
        assert [post(client, url) for _ in range(2)] == [200, 200]
    assert schemes == ["Negotiate", offers, offers, ""]


def test_a_wrong_password_is_shown_once() -> None:
    with serving() as (url, schemes), session("wrong") as client:
        assert post(client, url) == 401
    assert schemes == ["Negotiate", "Negotiate"]


def test_a_read_is_six_requests_on_one_connection(world: World) -> None:
    counters = world.lab.nvr(SITE).counters
    before = (counters.connections, counters.requests, counters.posts)
    (planned,) = world.plan(SITE)
    assert planned.error is None, planned.error
    after = (counters.connections, counters.requests, counters.posts)
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 6, 5]
