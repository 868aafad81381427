"""An apply, or a resume, in a process of its own that ends itself by SIGKILL at a chosen record of its journal.

    python -m tests.support.crash_child FOLDER STATE SITE apply|resume RUN KILL_AT before|after|EVENT [CONFIRM_WITHIN [MOST_BYTES]]

KILL_AT counts records from 1; with 0 the first record of EVENT kills, if there is one. The product is not changed for this: the method that writes a
record is wrapped here.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from ivn_provision.run.engine import apply_sites
from ivn_provision.run.events import Event
from ivn_provision.run.guards import Guards
from ivn_provision.run.journal import Journal
from ivn_provision.run.resuming import resume_sites
from ivn_provision.run.state import StateFolder
from ivn_provision.run.targets import Opener
from ivn_provision.spec.fleet import find_site
from ivn_provision.spec.secrets import resolve
from tests.support.attested import everything
from tests.support.world import utc_now


class Silent:
    """An observer that says nothing."""

    def notify(self, event: Event) -> None:
        """Nobody listens."""


def kill_at(number: int, moment: str) -> None:
    """From now on, the record with this number, or of this event, is the last thing that happens."""
    write = Journal.append
    count = 0

    def append(self: Journal, event: str, site: str = "", **data: Any) -> None:
        nonlocal count
        count += 1
        if moment == "before" and count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        write(self, event, site, **data)
        if count == number or (number == 0 and event == moment):
            os.kill(os.getpid(), signal.SIGKILL)

    Journal.append = append  # type: ignore[method-assign]


def main() -> int:
    folder, state_path, name, what, run, number, moment = sys.argv[1:8]
    confirm_within = int(sys.argv[8]) if len(sys.argv) > 8 else 0
    if len(sys.argv) > 9 and int(sys.argv[9]):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[9]), int(sys.argv[9])))
    kill_at(int(number), moment)
    site = find_site(Path(folder), name)
    state = StateFolder(Path(state_path))
    opener = Opener(
        secret=lambda reference: resolve(reference, {}),
        run_id=run,
        deadline_seconds=10.0,
        attestations=lambda _: everything(site),
    )
    guards = Guards(state=state, owner="crash@test", confirm_within=confirm_within)
    if what == "apply":
        outcomes = apply_sites([site], opener, Silent(), guards=guards)
    else:
        journal = Journal.reopen(state, run, utc_now)
        try:
            outcomes = resume_sites([site], opener, Silent(), guards, journal)
        finally:
            journal.close()
    for each in outcomes:
        if each.error is not None:
            print(f"{type(each.error).__name__}: {each.error} ({each.error.where})", file=sys.stderr)
    return 1 if any(each.error is not None for each in outcomes) else 0


if __name__ == "__main__":
    raise SystemExit(main())
