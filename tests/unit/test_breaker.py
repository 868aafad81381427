"""The breaker: as long as an account is unproven, one site at a time tries it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from ivn_provision.errors import AuthenticationFailed, DeadlineExceeded, Unreachable
from ivn_provision.secret import Secret, SecretRef
from ivn_provision.transports.breaker import Account, Breaker
from ivn_provision.transports.deadline import Deadline

SITES = 12


def account(value: str = "the-value", name: str = "account operator", reference: str = "A") -> Account:
    return Account(name, Secret(value, SecretRef("env", reference)))


@dataclass
class Host:
    """Answers a logon after a while and remembers how many there were, and how many at once."""

    answer: Callable[[int], Exception | None] = lambda _: None
    seconds: float = 0.05
    tried: list[int] = field(default_factory=list)
    at_once: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def logon(self, site: int) -> None:
        with self.lock:
            self.tried.append(site)
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        time.sleep(self.seconds)
        with self.lock:
            self.at_once -= 1
        failure = self.answer(site)
        if failure:
            raise failure


def use(breaker: Breaker, who: Account, host: Host, site: int, seconds: float = 20) -> str:
    try:
        with breaker.guard(who, f"site-{site}") as attempt:
            attempt.begin(Deadline(seconds))
            host.logon(site)
            attempt.proven()
            time.sleep(0.05)
    except (AuthenticationFailed, DeadlineExceeded, Unreachable) as error:
        return f"{type(error).__name__}: {error}"
    return "ok"


def use_all(
    breaker: Breaker, host: Host, who: Callable[[int], Account] = lambda _: account(), seconds: float = 20
) -> list[str]:
    with ThreadPoolExecutor(SITES) as workers:
        return list(workers.map(lambda site: use(breaker, who(site), host, site, seconds), range(SITES)))


def refusal(_: int) -> Exception:
    return AuthenticationFailed("refused")


def test_a_wrong_account_is_tried_once_by_any_number_of_sites() -> None:
    host = Host(refusal)
    results = use_all(Breaker(), host)
    assert len(host.tried) == 1
    assert sum("not tried" in each for each in results) == SITES - 1


def test_a_right_account_is_proven_once_and_then_used_side_by_side() -> None:
    host = Host(seconds=0.2)
    began = time.monotonic()
    assert use_all(Breaker(), host) == ["ok"] * SITES
    assert time.monotonic() - began < 1.5
    assert host.most == SITES - 1, "the first was alone"


def test_accounts_of_their_own_do_not_wait_for_each_other() -> None:
    host = Host(seconds=0.2)
    assert use_all(Breaker(), host, lambda site: account(f"value-{site}")) == ["ok"] * SITES
    assert host.most == SITES


def test_two_references_to_one_value_are_one_account() -> None:
    host = Host(refusal)
    use_all(
        Breaker(),
        host,
        lambda site: account(
            name="account Operator" if site % 2 else "account operator", reference=f"R{site}"
        ),
    )
    assert len(host.tried) == 1


def test_an_unreachable_host_proves_nothing() -> None:
    host = Host(lambda site: Unreachable("gone") if site % 3 else refusal(site))
    results = use_all(Breaker(), host)
    assert sum("AuthenticationFailed: refused" in each for each in results) == 1
    assert len(host.tried) == 1 + sum("Unreachable" in each for each in results)
    assert host.most == 1


def test_a_host_that_hangs_gives_its_turn_away() -> None:
    breaker, released = Breaker(), threading.Event()

    def hang() -> None:
        with breaker.guard(account(), "hanging") as attempt:
            attempt.begin(Deadline(1.5))
            released.wait(10)

    thread = threading.Thread(target=hang)
    thread.start()
    time.sleep(0.05)
    began = time.monotonic()
    assert use(breaker, account(), Host(), 1, seconds=1.5) == "ok"
    assert time.monotonic() - began < 1.0
    released.set()
    thread.join()


def test_waiting_ends() -> None:
    breaker = Breaker()
    with breaker.guard(account(), "slow") as slow:
        slow.begin(Deadline(30))
        result = use(breaker, account(), Host(), 1, seconds=0.2)
    assert "DeadlineExceeded" in result
    assert "not tried" in result


def test_who_refuses_a_proven_account_does_not_stop_the_others() -> None:
    """Local accounts of one name and one password on most recorders."""
    breaker, odd = Breaker(), Host(lambda site: refusal(site) if site == 1 else None)
    assert use(breaker, account(), odd, 0) == "ok"
    assert "refused" in use(breaker, account(), odd, 1)
    assert "not tried" in use(breaker, account(), odd, 1), "never twice at one endpoint"
    assert use(breaker, account(), odd, 2) == "ok"


def test_a_proven_account_that_many_refuse_is_given_up() -> None:
    breaker, host = Breaker(), Host(lambda site: refusal(site) if site else None)
    use(breaker, account(), host, 0)
    for site in range(1, 10):
        use(breaker, account(), host, site)
    assert host.tried == [0, 1, 2, 3]


def test_the_text_names_the_account_and_its_reference_and_no_value() -> None:
    breaker, host = Breaker(), Host(refusal)
    use(breaker, account(), host, 0)
    text = use(breaker, account(), host, 1)
    assert "account operator with !secret env:A" in text
    shown = f"{text} {breaker} {breaker!r} {account()} {account()!r} {vars(Host(refusal))}"
    assert "the-value" not in shown


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_turn_ends_with_any_error(error: type[BaseException]) -> None:
    breaker = Breaker()

    def fail() -> None:
        with breaker.guard(account(), "one") as attempt:
            attempt.begin(Deadline(20))
            raise error

    with pytest.raises(error):
        fail()
    assert use(breaker, account(), Host(), 2) == "ok"
