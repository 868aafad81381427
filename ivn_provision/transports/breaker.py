"""Stops a run from trying a refused account again: a fleet would lock it out in seconds.

As long as nobody knows whether an account is right, one site at a time logs on with it and the others
wait. Its success lets them all go on, side by side; its refusal refuses them without a try.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition

from ivn_provision.errors import AuthenticationFailed, DeadlineExceeded
from ivn_provision.secret import Secret
from ivn_provision.transports.deadline import Deadline

TURN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Account:
    """Who logs on: `name` for people, with what it is (`account operator`), and the secret.

    Without one, `means` says what proves it (`the key FILE`); nothing locks that, so each `at` is for itself.
    """

    name: str
    secret: Secret | None
    means: str = ""
    at: str = ""

    def __str__(self) -> str:
        return f"{self.name} with {self.secret.reference if self.secret else self.means}"


@dataclass(slots=True)
class _State:
    proven: bool = False
    refused_by: set[str] = field(default_factory=set)
    turn: Attempt | None = None
    turn_ends: float = 0.0


@dataclass(slots=True)
class Breaker:
    """Remembers what became of accounts, by name and a keyed hash of the value. Thread-safe.

    A proven account may still be refused by `limit` endpoints, each once: local accounts differ.
    """

    limit: int = 3
    clock: Callable[[], float] = time.monotonic
    _states: dict[bytes, _State] = field(default_factory=dict, init=False, repr=False)
    _changed: Condition = field(default_factory=Condition, init=False, repr=False)
    _salt: bytes = field(default_factory=lambda: secrets.token_bytes(32), init=False, repr=False)

    @contextmanager
    def guard(self, account: Account, endpoint: str) -> Iterator[Attempt]:
        """Around a use of `account`; the use itself calls `begin` and `proven`."""
        attempt = Attempt(self, account, endpoint)
        try:
            yield attempt
        except AuthenticationFailed:
            self.end(attempt, refused=attempt.begun)
            raise
        finally:
            self.end(attempt)

    def begin(self, attempt: Attempt, deadline: Deadline) -> None:
        """For `Attempt.begin`."""
        seconds = deadline.left()
        state = self._state(attempt.account)
        last = self.clock() + seconds
        with self._changed:
            while True:
                self._check(state, attempt)
                now = self.clock()
                if state.proven:
                    return
                if state.turn_ends <= now:
                    # bounded, so that a host that never answers does not use up the others' deadlines
                    state.turn, state.turn_ends = attempt, now + min(TURN_SECONDS, seconds / 3)
                    return
                if now >= last:
                    raise _unproven(attempt, seconds)
                self._changed.wait(min(state.turn_ends, last) - now)

    def _check(self, state: _State, attempt: Attempt) -> None:
        count = len(state.refused_by)
        if attempt.endpoint in state.refused_by or count >= (self.limit if state.proven else 1):
            raise AuthenticationFailed(
                f"not tried: {attempt.account} was refused before in this run",
                endpoint=attempt.endpoint,
                next_step="correct the account or its secret, then run again",
            )

    def end(self, attempt: Attempt, *, proven: bool = False, refused: bool = False) -> None:
        """For `Attempt.proven`, and the end of a guard."""
        state = self._state(attempt.account)
        with self._changed:
            state.proven |= proven
            if refused:
                state.refused_by.add(attempt.endpoint)
            if state.turn is attempt:
                state.turn, state.turn_ends = None, 0.0
            self._changed.notify_all()

    def _state(self, account: Account) -> _State:
        """Two references to one value are one account; Windows does not tell upper from lower case."""
        value = account.secret.reveal() if account.secret else (account.means, account.at)
        text = repr((account.name.casefold(), value))
        key = hmac.digest(self._salt, text.encode(), "sha256")
        with self._changed:
            return self._states.setdefault(key, _State())


@dataclass(eq=False, slots=True)
class Attempt:
    """One use of an account at one endpoint."""

    breaker: Breaker = field(repr=False)
    account: Account
    endpoint: str
    begun: bool = False

    def begin(self, deadline: Deadline) -> None:
        """Before the account is shown to the endpoint: waits while another site tries it.

        Raises AuthenticationFailed when it was refused, DeadlineExceeded when nobody could prove it in time.
        """
        if not self.begun:
            self.breaker.begin(self, deadline)
            self.begun = True

    def proven(self) -> None:
        """The endpoint let the account in."""
        self.breaker.end(self, proven=True)


def _unproven(attempt: Attempt, seconds: float) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"not tried: {attempt.account} was tried elsewhere first, without an answer within {seconds:g} s",
        endpoint=attempt.endpoint,
        next_step="look at the sites that did not answer; one at a time keeps the account from being locked",
    )
