"""Hands work to a pool of threads: a site begins when a thread is free and its network has room."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from ivn_provision.run.fleet.limits import NetworkGate

Item = TypeVar("Item")
T = TypeVar("T")
AHEAD = 2


def dispatched(
    work: Callable[[Item], T],
    items: Sequence[Item],
    *,
    workers: int,
    network: Callable[[Item], str],
    gate: NetworkGate,
) -> Iterator[tuple[int, T]]:
    """Results with the place of their item, each as soon as it is there. `work` raises nothing.

    A full network is passed over, not waited for. At most `AHEAD` items a worker are handed out, so that a slow
    taker of results does not make results pile up.
    """
    waiting = _Waiting(items, network)
    running: dict[Future[T], tuple[int, str]] = {}
    with ThreadPoolExecutor(max_workers=max(1, min(workers, len(items)))) as pool:
        while True:
            while len(running) < AHEAD * workers and (found := waiting.next(gate)) is not None:
                running[pool.submit(work, items[found[0]])] = found
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            ended = [(running.pop(each), each) for each in done]
            for (_, name), _ in ended:
                gate.leave(name)
            for (place, _), each in ended:
                yield place, each.result()


class _Waiting:
    """The places of the items that have not begun, by network; networks in the order of their first item."""

    def __init__(self, items: Sequence[Item], network: Callable[[Item], str]) -> None:
        self._lanes: dict[str, deque[int]] = {}
        for place, each in enumerate(items):
            self._lanes.setdefault(network(each), deque()).append(place)

    def next(self, gate: NetworkGate) -> tuple[int, str] | None:
        """The first item whose network has room, with its network; None if there is none."""
        lanes = sorted(self._lanes, key=lambda name: self._lanes[name][0])
        name = gate.try_enter(lanes)
        if name is None:
            return None
        place = self._lanes[name].popleft()
        if not self._lanes[name]:
            del self._lanes[name]
        return place, name
