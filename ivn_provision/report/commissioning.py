"""The commissioning report of a site as a value: everything that was looked at and fired, and what was not.

Made from what `check` and `verify` found; the pages and documents are drawn from it alone. Nothing is left out:
what failed, warned, was skipped or could not be seen is a deviation, and what no test reaches is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from ivn_provision.plan.plan import TargetFacts
from ivn_provision.report.untested import untested_of
from ivn_provision.run.accepting import Acceptance
from ivn_provision.run.checking import Checked
from ivn_provision.run.verifying import Verified
from ivn_provision.spec.site import Site
from ivn_provision.verify.acceptance.record import Record
from ivn_provision.verify.mail.problem import caret
from ivn_provision.verify.result import Found, Result, State

MOST_PICTURE_BYTES = 512 * 1024
RUN_AGAIN = "see what is said of it, then run `ivn-provision verify` again"


class Verdict(StrEnum):
    """`deviations`: every alarm that was fired arrived and no check failed, but not all is as it should be or seen."""

    ACCEPTED = "accepted"
    DEVIATIONS = "accepted with deviations"
    REFUSED = "not accepted"


@dataclass(frozen=True, slots=True)
class About:
    """Who made the report, with what, and from which files. Times are aware; `in_lab`: the recorder is simulated.

    `revision` is the git commit of the site files, "" where they are in no repository; `dirty`: they differ from it.
    """

    run: str
    by: str
    tool: str
    began: datetime
    ended: datetime
    revision: str = ""
    dirty: bool = False
    in_lab: bool = False


@dataclass(frozen=True, slots=True)
class Waiver:
    """An exception that somebody stands for. It is shown beside the verdict and does not change it."""

    subject: str
    reason: str
    by: str
    until: str


@dataclass(frozen=True, slots=True)
class Picture:
    """What a camera showed during the checks; `reason` says why there is none."""

    number: int
    label: str
    jpeg: bytes = field(default=b"", repr=False)
    reason: str = ""


class Seen(Protocol):
    """A picture as the recorder's driver has it."""

    @property
    def jpeg(self) -> bytes: ...

    @property
    def reason(self) -> str: ...


@dataclass(frozen=True, slots=True)
class PinLine:
    """One pin: what was seen of it and what is to say of it. `mail` is `as it should be`, `faulty` or `none`."""

    record: Record
    results: tuple[Result, ...]
    mail: str

    @property
    def state(self) -> State:
        """The gravest of its results."""
        states = [each.state for each in self.results]
        gravest = (State.FAIL, State.INCONCLUSIVE, State.WARN, State.SKIPPED)
        return next(
            (each for each in gravest if each in states), State.PASS if states else State.INCONCLUSIVE
        )


@dataclass(frozen=True, slots=True)
class Commissioning:
    """The report. `extra` are acceptance results of the site as a whole (two at once, the window)."""

    site: Site
    about: About
    verdict: Verdict
    facts: tuple[TargetFacts, ...]
    pins: tuple[PinLine, ...]
    extra: tuple[Result, ...]
    checks: tuple[Result, ...]
    pictures: tuple[Picture, ...]
    untested: tuple[str, ...]
    window_until: str = ""
    waivers: tuple[Waiver, ...] = ()

    @property
    def acceptance_results(self) -> tuple[Result, ...]:
        return (*(one for pin in self.pins for one in pin.results), *self.extra)

    @property
    def deviations(self) -> tuple[Result, ...]:
        """Everything that did not pass, the worst first."""
        order = (State.FAIL, State.WARN, State.INCONCLUSIVE, State.SKIPPED)
        found = [each for each in (*self.acceptance_results, *self.checks) if each.state is not State.PASS]
        return tuple(sorted(found, key=lambda each: order.index(each.state)))

    @property
    def targets(self) -> tuple[str, ...]:
        """Of the checks, in their order."""
        return tuple(dict.fromkeys(each.target for each in self.checks))


def commissioning(
    site: Site, about: About, checked: Checked, verified: Verified, waivers: tuple[Waiver, ...] = ()
) -> Commissioning:
    """The report of what was found; also where nothing could be looked at or fired."""
    acceptance = verified.acceptance
    pins = _pins(acceptance) if acceptance else ()
    extra = [each for each in acceptance.results if each.check != "pin"] if acceptance else []
    if verified.error is not None:
        extra.append(_not_done(site, "acceptance", "Nothing was fired", verified.error.summary))
    checks = list(checked.results)
    if checked.error is not None:
        title = "A target did not answer" if checks else "Nothing was looked at"
        checks.append(_not_done(site, "checks", title, checked.error.summary))
    images: Mapping[int, Seen] = checked.images or {}
    return Commissioning(
        site=site,
        about=about,
        verdict=_verdict(acceptance, tuple(checks)),
        facts=checked.facts,
        pins=pins,
        extra=tuple(extra),
        checks=tuple(checks),
        pictures=tuple(_pictures(site, images)),
        untested=untested_of(site, acceptance.records if acceptance else (), in_lab=about.in_lab),
        window_until=acceptance.window_until if acceptance else "",
        waivers=waivers,
    )


def drawn(record: Record) -> tuple[tuple[str, str], ...]:
    """What is wrong with the grammar of the pin's mail, and the line of it with a caret below the character."""
    problems = [(each.message, each.problem) for each in record.findings if each.problem is not None]
    return tuple((message, lines) for message, problem in problems if (lines := caret(problem)))


def _verdict(acceptance: Acceptance | None, checks: tuple[Result, ...]) -> Verdict:
    if acceptance is None or not acceptance.passed or any(each.state is State.FAIL for each in checks):
        return Verdict.REFUSED
    every = (*acceptance.results, *checks)
    return Verdict.ACCEPTED if all(each.state is State.PASS for each in every) else Verdict.DEVIATIONS


def _pins(acceptance: Acceptance) -> tuple[PinLine, ...]:
    def line(record: Record) -> PinLine:
        mine = [
            one for one in acceptance.results if one.check == "pin" and one.found.subject == record.shot.name
        ]
        return PinLine(record, tuple(mine), _mail(record))

    return tuple(line(each) for each in acceptance.records)


def _mail(record: Record) -> str:
    if record.mail is None:
        return "none"
    return "faulty" if record.findings else "as it should be"


def _not_done(site: Site, check: str, title: str, why: str) -> Result:
    return Result(site.name, check, title, (), "site", Found(State.FAIL, f"{title}: {why}", RUN_AGAIN))


def _pictures(site: Site, images: Mapping[int, Seen]) -> Iterator[Picture]:
    """One for each declared camera."""
    for camera in site.cameras or ():
        seen = images.get(camera.number)
        if camera.enabled is False:
            yield Picture(camera.number, camera.label, reason="the camera is declared disabled")
        elif seen is None:
            yield Picture(camera.number, camera.label, reason="the image server showed no such camera")
        else:
            yield _picture(camera.number, camera.label, seen)


def _picture(number: int, label: str, seen: Seen) -> Picture:
    """The bytes only if they are a whole JPEG of a bearable size: they come from outside, and end in a page."""
    jpeg = seen.jpeg.rstrip(b"\x00")
    if len(jpeg) > MOST_PICTURE_BYTES:
        return Picture(number, label, reason=f"it is larger than {MOST_PICTURE_BYTES // 1024} KiB")
    if not (jpeg.startswith(b"\xff\xd8") and jpeg.endswith(b"\xff\xd9")):
        return Picture(number, label, reason=seen.reason or "what came is no whole JPEG")
    return Picture(number, label, jpeg)
