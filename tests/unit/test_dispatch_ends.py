"""Whoever takes results may leave, or be interrupted: then nothing more begins."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ivn_provision.run.fleet import dispatch
from ivn_provision.run.fleet.dispatch import dispatched
from ivn_provision.run.fleet.limits import FleetLimits


def test_what_has_not_begun_does_not_begin_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    both, over = threading.Barrier(3), threading.Event()

    class Noting(ThreadPoolExecutor):
        """Lets the work that has begun go on as soon as the pool is asked to end."""

        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            over.set()
            super().shutdown(wait=wait)

    def work(item: int) -> int:
        begun.append(item)
        if item in {1, 2}:
            both.wait(30)
            assert over.wait(30)
        return item

    monkeypatch.setattr(dispatch, "ThreadPoolExecutor", Noting)
    results = dispatched(work, range(40), FleetLimits(workers=2), lambda _: "")
    assert next(iter(results)) == (0, 0)
    both.wait(30)
    results.close()  # type: ignore[attr-defined]  # it is a generator: as an interrupted `for` ends it
    assert sorted(begun) == [0, 1, 2]
