"""The end of a run that was killed when nothing was left to be done but to write that down.

Its leases are given back and nothing on the targets tells of it, so that no later command would come upon it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Lock

from ivn_provision.errors import StateError
from ivn_provision.run.journal import Journal, Record
from ivn_provision.run.state import StateFolder
from ivn_provision.run.story import story_of

_ONE_BY_ONE = Lock()
"""The sites of one run share its journal, and end side by side."""


def note_late_end(
    state: StateFolder, run: str, site: str, clock: Callable[[], datetime], *, who: str
) -> bool:
    """Note that a run was applied on a site whose reading, just now, was as declared and without a lease of it.

    False where its journal says that more was left than the note, or cannot be written.
    """
    with _ONE_BY_ONE:
        try:
            journal = Journal.reopen(state, run, clock)
        except StateError:
            return False
        try:
            if not _is_all_done(journal.records, site):
                return False
            journal.append("resumed", site, who=who, way="finish")
            journal.append("site_end", site, standing="applied", error="")
        except StateError:
            return False
        finally:
            journal.close()
    return True


def _is_all_done(records: Sequence[Record], site: str) -> bool:
    """Was the site proven, and every target asked to give its lease back?"""
    story = story_of(records, site)
    released = {each.data.get("target") for each in records if each.site == site and each.event == "release"}
    return not story.standing and story.proven and not story.reverting and story.held <= released
