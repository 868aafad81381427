"""Many sites of one portal by one paged read, instead of one request for each of them."""

from __future__ import annotations

import json
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from ivn_provision.drivers.portal.objects import KEY
from ivn_provision.errors import Refused, TargetError
from ivn_provision.strict_json import Node, WrongShape
from ivn_provision.transports.deadline import exceeded
from ivn_provision.transports.http import JsonClient, Reply

FEW = 3
"""From so many sites of a run on the list may be cheaper than single requests."""
PAGE_SIZE = 100
MOST_PAGES = 10_000
FRESH_SECONDS = 300.0
"""What the list said longer ago is asked for again, by a request for the one site."""
TRIES = 3
_INCLUDE = "devices,alarm_inputs,newest_mail,vacant_leases"

Ask = Callable[[Mapping[str, str]], Reply]
"""Asks `GET /sites` with these parameters. Raises TargetError."""


def is_worth_it(expected: int, total: int) -> bool:
    """Are all pages of a portal with `total` sites no more requests than one for each of the `expected` sites?"""
    return expected >= FEW and -(-total // PAGE_SIZE) <= expected


@dataclass(frozen=True, slots=True)
class Listed:
    """What the list says of a site: its JSON, None for one that does not exist; and for that its lease, if any."""

    site: Mapping[str, Any] | None
    lease: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Kept:
    packed: bytes
    at: float


@dataclass(slots=True)
class PortalFleet:
    """The sites of a portal, each kept packed until it is taken, once. Thread-safe.

    Pages are read in the order of their keys, by the site that needs the next one, so that none waits for more
    of the list than up to itself. Others wait meanwhile, and share a failure: each asking anew would add up the
    deadlines. `expected` is how many sites the run is over.

    A list that is not as it has to be is read no further: what it did not say soundly is asked for site by site.
    """

    expected: int
    clock: Callable[[], float] = time.monotonic
    _alone: bool = field(default=False, init=False)
    _kept: dict[str, _Kept] = field(default_factory=dict, init=False, repr=False)
    _taken: set[str] = field(default_factory=set, init=False, repr=False)
    _vacant: Mapping[str, Any] | None = field(default=None, init=False, repr=False)
    _pages: int = field(default=0, init=False)
    _last: str = field(default="", init=False)
    _token: str | None = field(default="", init=False)
    _unsound: bool = field(default=False, init=False)
    _read_at: float = field(default=0.0, init=False)
    _began_at: float = field(default=0.0, init=False)
    _failure: TargetError | None = field(default=None, init=False)
    _failures: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        self._alone = self.expected < FEW

    def take(self, account: str, client: JsonClient, ask: Ask) -> Listed | None:
        """What the list says of a site; None for one that is to be read by itself: it was taken before, or the
        list is not worth it. Raises TargetError, DeadlineExceeded if the list comes no further.
        """
        if self._alone:
            return None
        failures = self._failures
        with self._turn(client):
            if self._alone or account in self._taken:
                return None
            if self._failure is not None and (self._failures > failures or self._failures >= TRIES):
                raise copy(self._failure)
            while self._token is not None and account > self._last and not self._alone:
                began = self.clock()
                self._read_page(ask)
                client.waited(self.clock() - began)
            return None if self._alone else self._given(account)

    @contextmanager
    def _turn(self, client: JsonClient) -> Iterator[None]:
        """The lock, waited for as long as pages come. The wait is none of the site's operations."""
        began, seconds, seen = self.clock(), 2 * client.new_deadline().seconds, self._pages
        while not self._lock.acquire(timeout=seconds):
            if self._pages == seen:
                raise exceeded(
                    seconds, endpoint=client.endpoint, doing="waiting for the portal's list of sites"
                )
            seen = self._pages
        try:
            client.waited(self.clock() - began)
            yield
        finally:
            self._lock.release()

    def _read_page(self, ask: Ask) -> None:
        token = {"page_token": self._token} if self._token else {}
        try:
            reply = ask({"include": _INCLUDE, "page_size": str(PAGE_SIZE), **token})
            self._keep(Node(reply.body))
        except Refused:
            self._read_alone()  # a portal without this list
        except WrongShape:
            self._unsound = True
        except TargetError as error:
            self._failure, self._failures = copy(error), self._failures + 1
            raise
        if self._unsound:
            self._token = None

    def _read_alone(self) -> None:
        self._alone = True
        self._kept.clear()

    def _keep(self, page: Node) -> None:
        if not self._pages:
            vacant = page.find("vacant_leases")
            self._vacant = dict(vacant.members()) if vacant is not None else None
            if not is_worth_it(self.expected, page["total_size"].integer(0, 2**53)):
                self._read_alone()
                return
        self._read_at = self.clock()
        self._began_at = self._began_at if self._pages else self._read_at
        sites = page["results"].items()
        for each in sites:
            self._keep_site(each)
        token = page["next_page_token"]
        if not token.is_null and (not sites or self._pages >= MOST_PAGES):
            token.wrong("leads nowhere")
        self._pages += 1
        self._token = None if token.is_null else token.text()

    def _keep_site(self, site: Node) -> None:
        """A record that is off costs its own site a request, and none of the others."""
        try:
            key = site["key"].text(KEY, "a key")
            if key <= self._last:
                self._kept.pop(key, None)  # said twice: which is right?
                site["key"].wrong("does not come behind the key before it")
            self._last = key
            if key not in self._taken:
                self._kept[key] = _Kept(_packed(site), self._read_at)
        except WrongShape:
            self._unsound = True

    def _given(self, account: str) -> Listed | None:
        self._taken.add(account)
        kept = self._kept.pop(account, None)
        now = self.clock()
        if kept is not None:
            fresh = now - kept.at <= FRESH_SECONDS
            return Listed(json.loads(zlib.decompress(kept.packed))) if fresh else None
        if self._unsound or self._vacant is None or now - self._began_at > FRESH_SECONDS:
            return None
        lease = self._vacant.get(account)
        return Listed(None, lease.value if lease is not None else None)


def _packed(site: Node) -> bytes:
    """A tenth of the memory of the parsed site."""
    try:
        return zlib.compress(json.dumps(site.value, separators=(",", ":")).encode(), 1)
    except RecursionError:
        site.wrong("is nested too deeply")
