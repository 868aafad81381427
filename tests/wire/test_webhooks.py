"""Notices of a play, over real sockets: what is sent, what is tried again, and what no error says."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivn_provision.errors import DeadlineExceeded, IvnError, Refused, TlsFailed, Unreachable
from ivn_provision.lab.clock import system_clock
from ivn_provision.lab.tls import prepare_tls
from ivn_provision.transports.webhook import Webhook
from tests.support.scripted_crew import FakeTime
from tests.support.webhooks import Taken, webhook_server

PAYLOAD = {"text": "roll-out is done"}


@pytest.fixture
def taken() -> Iterator[Taken]:
    with webhook_server(Taken()) as server:
        yield server


def post(url: str, *, ca: str = "", words: str = "", seconds: float = 10) -> FakeTime:
    clock = FakeTime()
    Webhook(url, words, clock.sleep, ca).post(PAYLOAD, key="play/0/steps/1", seconds=seconds)
    return clock


def refused(
    url: str, error: type[IvnError], *, ca: str = "", words: str = "", seconds: float = 10
) -> IvnError:
    with pytest.raises(error) as raised:
        post(url, ca=ca, words=words, seconds=seconds)
    assert "hunter2" not in f"{raised.value.summary} {raised.value.where} {raised.value.next_step}"
    return raised.value


def test_a_notice_arrives_once(taken: Taken) -> None:
    post(taken.url)
    assert taken.bodies == [PAYLOAD]
    assert taken.headers[0]["content-type"] == "application/json"
    assert taken.headers[0]["idempotency-key"] == "play/0/steps/1"


def test_what_was_not_taken_is_sent_again_with_the_same_key(taken: Taken) -> None:
    taken.answers = [503, 429]
    assert post(taken.url).waited == 1 + 2
    assert len(taken.bodies) == 3
    assert len({each["idempotency-key"] for each in taken.headers}) == 1


def test_attempts_are_bounded(taken: Taken) -> None:
    taken.answers = [503] * 10
    refused(taken.url, Refused)
    assert len(taken.bodies) == 3


@pytest.mark.parametrize("status", [400, 401, 404, 500, 502])
def test_what_may_have_been_taken_is_not_sent_again(taken: Taken, status: int) -> None:
    taken.answers = [status]
    assert f"HTTP {status}" in refused(taken.url, Refused).summary
    assert len(taken.bodies) == 1


def test_a_redirect_is_not_followed(taken: Taken) -> None:
    with webhook_server(Taken()) as other:
        taken.answers, taken.location = [307], other.url
        refused(taken.url, Refused)
        assert other.bodies == []


def test_nobody_there(taken: Taken) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        refused(f"http://127.0.0.1:{closed.getsockname()[1]}/hunter2", Unreachable)


def test_a_server_that_says_nothing_costs_no_more_than_its_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/hunter2"
        refused(url, DeadlineExceeded, seconds=0.3)


def test_a_server_that_drips_its_answer_costs_no_more_either() -> None:
    """A read timeout begins anew with every byte; the deadline does not."""
    stop = threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
            while not stop.wait(0.02):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        try:
            refused(f"http://127.0.0.1:{server.getsockname()[1]}/hunter2", DeadlineExceeded, seconds=0.5)
        finally:
            stop.set()
            thread.join()


def test_a_certificate_is_verified(tmp_path: Path) -> None:
    tls = prepare_tls(tmp_path, ["127.0.0.1"], system_clock)
    with webhook_server(Taken(), (tls.certificate, tls.key)) as server:
        refused(server.url, TlsFailed)
        assert server.bodies == []
        post(server.url, ca=str(tls.ca_file))
        assert server.bodies == [PAYLOAD]


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1/hunter2", "https://me:hunter2@192.0.2.1/", "ftp://127.0.0.1/hunter2", "hunter2"]
)
def test_a_secret_that_is_no_url_to_trust(url: str) -> None:
    assert "env:WEBHOOK" in refused(url, Refused, words="!secret env:WEBHOOK").summary
