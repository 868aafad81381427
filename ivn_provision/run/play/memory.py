"""The journal of a play: sealed like that of a run, in `.ivn/plays`. What it says is not done a second time.

`at` names a piece of work: `0/steps/2` is the third step of the first wave.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from threading import Lock

from ivn_provision.errors import StateError
from ivn_provision.run.journal import Journal
from ivn_provision.run.play.standing import Result
from ivn_provision.strict_json import Node, WrongShape

_FLAGS = ("failed", "changed", "differs", "needs_person", "back", "held", "stuck", "applied")


class Memory:
    """What a play has done so far. Thread-safe."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = Lock()
        self._results: dict[str, dict[str, Result]] = {}
        self._runs: dict[str, list[str]] = {}
        self._marks: dict[tuple[str, str], str] = {}
        self.play = journal.run
        try:
            for record in journal.records:
                self._take(record.event, record.site, Node(record.data))
        except WrongShape as error:
            raise StateError(
                f"the journal of play {journal.run} says what this tool does not understand: {error}",
                where=journal.run,
                next_step="use the version of the tool that made it",
            ) from error

    def results(self, at: str) -> Mapping[str, Result]:
        """By site."""
        with self._lock:
            return dict(self._results.get(at, {}))

    def keep(self, at: str, result: Result) -> None:
        """A site's result, on disk when this returns. Raises StateError."""
        data = asdict(result)
        del data["site"]
        self._note("result", result.site, {"at": at, **data})

    def runs(self, at: str) -> tuple[str, ...]:
        """The runs that were begun for a piece of work."""
        return tuple(self._runs.get(at, ()))

    def begun(self, at: str, run: str) -> None:
        """A run is about to begin. Raises StateError."""
        self._note("began", "", {"at": at, "run": run})

    def mark(self, event: str, at: str) -> str | None:
        """The text of a thing that happened once: `done`, `paused`, `approved`, `soak`; None if it did not."""
        return self._marks.get((event, at))

    def set_mark(self, event: str, at: str, text: str) -> None:
        """Raises StateError."""
        self._note(event, "", {"at": at, "text": text})

    def end(self, standing: str) -> None:
        """The play is over. Raises StateError."""
        self._journal.append("end", standing=standing)

    def close(self) -> None:
        """Lets others go on with it."""
        self._journal.close()

    def _note(self, event: str, site: str, data: Mapping[str, object]) -> None:
        with self._lock:
            self._journal.append(event, site, **data)
            self._take(event, site, Node(dict(data)))

    def _take(self, event: str, site: str, data: Node) -> None:
        if data.find("at") is None:
            return
        at = data["at"].text()
        if event == "result":
            flags = {name: data[name].flag() for name in _FLAGS}
            result = Result(site, **flags, run=data["run"].text(), text=data["text"].text())
            self._results.setdefault(at, {})[site] = result
        elif event == "began":
            self._runs.setdefault(at, []).append(data["run"].text())
        else:
            self._marks[event, at] = data["text"].text()


def moment(text: str) -> datetime:
    """RFC 3339 of a mark."""
    return datetime.fromisoformat(text)
