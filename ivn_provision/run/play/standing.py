"""What a play knows of its sites: the results of steps, added up."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Result:
    """What a step did on a site.

    `changed`: live is another now, by run `run`. `differs`: something is not as declared. `needs_person`: something
    is left to a person. `back`: it was put back, and `stuck`: that did not succeed. `held`: the play had failed too
    often, and it was not begun. `applied`: an apply looked at it, whether there was something to change or not.
    """

    site: str
    failed: bool = False
    changed: bool = False
    differs: bool = False
    needs_person: bool = False
    back: bool = False
    held: bool = False
    stuck: bool = False
    applied: bool = False
    run: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class SiteStanding:
    """One site of a play. `runs` changed it, the oldest first. `text` is the last thing that is to say."""

    name: str
    wave: int
    failed: bool = False
    differs: bool = False
    needs_person: bool = False
    back: bool = False
    held: bool = False
    stuck: bool = False
    applied: bool = False
    begun: bool = False
    runs: tuple[str, ...] = ()
    text: str = ""

    @property
    def is_changed(self) -> bool:
        """Did the play change it, and not put it back?"""
        return bool(self.runs) and not self.back

    @property
    def word(self) -> str:
        """How it stands, in a word."""
        if self.stuck:
            return "failed, not put back"
        if self.failed:
            return "failed, put back" if self.back else "failed"
        if self.back:
            return "put back"
        if self.held or not self.begun:
            return "not begun"
        if self.runs:
            return "changed"
        return "different" if self.differs else "done"


def after(site: SiteStanding, result: Result) -> SiteStanding:
    """The standing with what another step did."""
    if result.held:
        return replace(site, held=True, text=result.text)
    return replace(
        site,
        begun=True,
        failed=site.failed or result.failed,
        differs=result.differs or (site.differs and not result.applied),
        needs_person=result.needs_person or (site.needs_person and not result.applied),
        stuck=site.stuck or result.stuck,
        applied=site.applied or result.applied,
        back=result.back or (site.back and not result.changed),
        runs=(*site.runs, result.run) if result.changed and result.run not in site.runs else site.runs,
        text=result.text or ("" if result.applied else site.text),
    )
