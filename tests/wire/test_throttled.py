"""Servers that say when to come back: what is asked again, how often, and what is said in the end."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from ivn_provision.errors import DeadlineExceeded, ProtocolFault
from ivn_provision.spec.values import Tls
from ivn_provision.transports.deadline import Deadline
from ivn_provision.transports.http import MOST_REFUSALS, JsonClient
from ivn_provision.transports.throttle import Throttle
from tests.wire.raw_server import RawServer, read_request, serving

GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def refusal(status: int, *headers: str) -> bytes:
    body = b'{"type":"urn:ivn-provision:problem:rate-limited","title":"Too many","status":429}'
    lines = [f"HTTP/1.1 {status} No", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


SOON = "Retry-After: 0"


@dataclass
class Script:
    """Answers in turn, the last one for ever; an empty one is none at all."""

    answers: list[bytes]
    heard: list[bytes] = field(default_factory=list)

    def __call__(self, connection: socket.socket) -> None:
        while True:
            self.heard.append(read_request(connection).partition(b"\r\n")[0])
            answer = self.answers[min(len(self.heard), len(self.answers)) - 1]
            if not answer:
                connection.recv(1)
            connection.sendall(answer)


@pytest.fixture
def script() -> Script:
    return Script([])


@pytest.fixture
def server(script: Script) -> Iterator[RawServer]:
    with serving(script) as running:
        yield running


Asking = Callable[[JsonClient], object]
ASKING: dict[str, Asking] = {
    "read": lambda client: client.request("GET", "/x"),
    "token": lambda client: client.request("POST", "/oauth/token", form={"a": "b"}),
    "write": lambda client: client.request("PUT", "/x", json={"a": 1}),
    "delete": lambda client: client.request("DELETE", "/x"),
}


def asked(server: RawServer, how: str, seconds: float = 20.0, throttle: Throttle | None = None) -> None:
    client = JsonClient(server.url, Tls(), lambda: Deadline(seconds), throttle or Throttle())
    try:
        ASKING[how](client)
    finally:
        client.close()


@pytest.mark.parametrize("how", ASKING)
def test_a_429_is_before_any_work_and_everything_is_sent_again(
    server: RawServer, script: Script, how: str
) -> None:
    script.answers = [refusal(429, SOON), refusal(429, SOON), GOOD]
    asked(server, how)
    assert len(script.heard) == 3
    assert server.connections == 1, "on the same connection"


@pytest.mark.parametrize(("how", "times"), [("read", 2), ("token", 2), ("write", 1), ("delete", 1)])
def test_a_503_lets_only_what_reads_come_again(
    server: RawServer, script: Script, how: str, times: int
) -> None:
    script.answers = [refusal(503, SOON), GOOD]
    if times == 1:
        with pytest.raises(ProtocolFault):
            asked(server, how)
    else:
        asked(server, how)
    assert len(script.heard) == times


def test_a_503_that_names_no_time_stands(server: RawServer, script: Script) -> None:
    script.answers = [refusal(503), GOOD]
    with pytest.raises(ProtocolFault):
        asked(server, "read")
    assert len(script.heard) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (["Retry-After: 3"], 3.0),
        (
            ["Date: Wed, 21 Oct 2026 07:28:00 GMT", "Retry-After: Wed, 21 Oct 2026 07:28:02 GMT"],
            2.0,
        ),
        ([], 1.0),
    ],
)
def test_it_waits_as_long_as_it_was_told(
    server: RawServer, script: Script, headers: list[str], seconds: float
) -> None:
    script.answers = [refusal(429, *headers), GOOD]
    now, slept = 0.0, list[float]()

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        slept.append(seconds)

    asked(server, "read", throttle=Throttle(clock=lambda: now, sleep=sleep))
    assert slept == [seconds]


def test_the_end_says_how_often_it_was_refused(server: RawServer, script: Script) -> None:
    script.answers = [refusal(429, SOON)] * 3 + [refusal(429, "Retry-After: 60")]
    with pytest.raises(ProtocolFault) as caught:
        asked(server, "read", 5.0)
    assert "HTTP 429, 4 times within the deadline" in caught.value.summary
    assert "Too many" in caught.value.summary
    assert len(script.heard) == 4, "a wait past the deadline is not begun"


def test_refusals_are_bounded(server: RawServer, script: Script) -> None:
    script.answers = [refusal(429, SOON)]
    with pytest.raises(ProtocolFault):
        asked(server, "read", throttle=Throttle(sleep=lambda _: None, clock=iter(range(10_000)).__next__))
    assert len(script.heard) == MOST_REFUSALS + 1


def test_a_write_that_got_no_answer_after_a_refusal_is_not_called_refused(
    server: RawServer, script: Script
) -> None:
    script.answers = [refusal(429, SOON), b""]
    with pytest.raises(DeadlineExceeded):
        asked(server, "write", 1.0)
    assert len(script.heard) == 2


def test_the_refusal_of_one_makes_the_others_wait(server: RawServer, script: Script) -> None:
    script.answers = [refusal(429, "Retry-After: 60"), GOOD]
    throttle = Throttle()
    with pytest.raises(ProtocolFault):
        asked(server, "read", 2.0, throttle)
    with pytest.raises(DeadlineExceeded) as caught:
        asked(server, "read", 2.0, throttle)
    assert len(script.heard) == 1, "the second was not even sent"
    assert "no turn" in caught.value.summary
