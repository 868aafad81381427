"""An acceptance in a process of its own, which ends itself by SIGKILL at a chosen event of its observer.

    python -m tests.support.accept_child FOLDER SITE RUN OFF KILL_AT

OFF is what the lab's clock is ahead of this machine's, in seconds. KILL_AT counts events from 1; 0 kills nowhere.
Ctrl-C asks it to stop, as in the command.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from ivn_provision.cli.interrupts import interrupts
from ivn_provision.run.events import ENDS, Event, Step
from ivn_provision.run.targets import Opener
from ivn_provision.run.verifying import Verifying
from ivn_provision.run.watching import Time
from ivn_provision.spec.fleet import find_site
from ivn_provision.spec.secrets import resolve
from tests.support.acceptance import Clock


class KillsAt:
    """An observer that is the end."""

    def __init__(self, number: int) -> None:
        self.left = number

    def notify(self, event: Event) -> None:
        if event.step is Step.STARTED or event.step in ENDS:
            return  # a site's begin and end are no part of the test of its alarms
        print(event.step.value, event.text, flush=True)
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> int:
    folder, name, run, off, number = sys.argv[1:]
    opener = Opener(secret=lambda ref: resolve(ref, {}), run_id=run, deadline_seconds=10.0)
    clock = Time(Clock(float(off)).now, time.sleep)
    with interrupts() as stop:
        verifying = Verifying(opener, KillsAt(int(number)), clock, stopping=stop.stopping)
        (verified,) = verifying.sites([find_site(Path(folder), name)])
    if verified.error is not None:
        print(f"{type(verified.error).__name__}: {verified.error.summary}", file=sys.stderr)
        return 1
    assert verified.acceptance is not None
    for each in verified.acceptance.results:
        print(each.state.value, each.check, each.found.subject, each.found.evidence)
    return 130 if verified.acceptance.stopped else 0


if __name__ == "__main__":
    raise SystemExit(main())
