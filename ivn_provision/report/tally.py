"""How far a run is: sites by their ends, those that are worked on now, the wave. Fed by events, from any thread."""

from __future__ import annotations

from collections import Counter
from threading import Lock

from ivn_provision.report.site_ends import End, end_of
from ivn_provision.run.events import ENDS, Event, Step, Wave


class Tally:
    """Of the run, or of its present wave where it has waves. `total` counts sites."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.wave: Wave | None = None
        self.ends = _none()
        self.doing: dict[str, str] = {}
        self._lock = Lock()

    def notify(self, event: Event) -> None:
        """See Observer."""
        with self._lock:
            if isinstance(event.about, Wave):
                self._turn(event, event.about)
            elif event.step in ENDS:
                self.doing.pop(event.site, None)
                self.ends[end_of(event)] += 1
            elif event.site:
                count = f" {len(event.addresses)} objects" if event.addresses else ""
                self.doing[event.site] = f"{event.step} {event.target}{count}".strip()

    def _turn(self, event: Event, wave: Wave) -> None:
        if event.step is Step.WAVE_STARTED:
            self.wave, self.total, self.ends = wave, wave.sites, _none()
            self.doing.clear()

    @property
    def done(self) -> int:
        """Sites that have ended."""
        return self.ends.total()

    def now(self) -> tuple[str, str] | None:
        """The site that is worked on and what is done there, if it is only one."""
        with self._lock:
            return next(iter(self.doing.items())) if len(self.doing) == 1 else None


def _none() -> Counter[End]:
    """With every end in it: who reads while another thread counts must not see it grow."""
    return Counter(dict.fromkeys(End, 0))
