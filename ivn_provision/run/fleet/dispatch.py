"""Hands work to a pool of threads: a piece begins when a thread is free and its network has room.

A full network is passed over, not waited for: a gate inside of the work would hold a thread that others could use,
and the site's deadline would run.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from heapq import heappop, heappush
from typing import Generic, TypeVar

from ivn_provision.run.fleet.limits import FleetLimits

Item = TypeVar("Item")
T = TypeVar("T")
AHEAD = 2
"""Pieces for each worker that are handed out at most, so that results do not pile up before a slow taker."""


def dispatched(
    work: Callable[[Item], T],
    items: Sequence[Item],
    limits: FleetLimits,
    network: Callable[[Item], str],
) -> Iterator[tuple[int, T]]:
    """Results with the place of their item, each as soon as it is there. `work` and `network` raise nothing.

    `network` is asked shortly before an item's turn: its answer may cost reading a file. Where the taker is
    interrupted, or leaves, nothing more begins; what has begun is waited for.
    """
    waiting = _Waiting(items, network, limits.per_network)
    running: dict[Future[T], tuple[int, str]] = {}
    pool = ThreadPoolExecutor(max_workers=max(1, min(limits.workers, len(items))))
    try:
        while True:
            while len(running) < AHEAD * limits.workers and (found := waiting.next()) is not None:
                running[pool.submit(work, items[found[0]])] = found
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            ended = [(*running.pop(each), each.result()) for each in done]
            for _, name, _ in ended:
                waiting.left(name)
            yield from ((place, result) for place, _, result in ended)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Waiting(Generic[Item]):
    """The items that have not begun, in their order as far as their networks have room."""

    def __init__(self, items: Iterable[Item], network: Callable[[Item], str], most: int | None) -> None:
        self._rest = enumerate(items)
        self._network = network
        self._most = most
        self._inside: Counter[str] = Counter()
        self._aside: dict[str, deque[int]] = {}
        self._open: list[tuple[int, str]] = []  # a heap: first item put aside of each network that has room

    def next(self) -> tuple[int, str] | None:
        """The place of the next item that may begin, with its network; None if there is none now."""
        if self._open:
            _, name = heappop(self._open)
            place = self._aside[name].popleft()
            self._inside[name] += 1
            self._reopen(name)
            return place, name
        for place, item in self._rest:
            name = self._network(item)
            if self._has_room(name):
                self._inside[name] += 1
                return place, name
            self._aside.setdefault(name, deque()).append(place)
        return None

    def left(self, name: str) -> None:
        """An item of that network has ended."""
        was_full = not self._has_room(name)
        self._inside[name] -= 1
        if was_full:
            self._reopen(name)

    def _reopen(self, name: str) -> None:
        if self._has_room(name) and self._aside.get(name):
            heappush(self._open, (self._aside[name][0], name))

    def _has_room(self, name: str) -> bool:
        return not name or self._most is None or self._inside[name] < self._most
