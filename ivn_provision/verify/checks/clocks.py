"""Clocks: a clip is found by the time in the mail (R-03)."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.verify.drift import Part, compared, differences, moment
from ivn_provision.verify.evidence import Evidence
from ivn_provision.verify.registry import check
from ivn_provision.verify.result import Found, failed, passed, unknown, warned

PRE_SECONDS = 10
"""Before the alarm, where the site declares no clip: what is normal (R-04)."""
NOTED_SECONDS = 1
_RISK = "the clip would be of another time"
_CAMERA_RISK = "the time in the picture and in the camera's mails is another than the recorder's"
_REMEDY = "set the recorder's clock and its time source (w32tm /resync), then look again"


@check("recorder-clock", title="The recorder's clock is right", target="nvr", refs=("R-03", "row 18"))
def recorder_clock(evidence: Evidence) -> Iterator[Found]:
    """The offset from this machine's clock against the clip window: a whole pre-roll off, and the clip is empty.

    Half of the round trip is uncertain and does not count. This machine's own clock is taken to be right.
    """
    offset = evidence.windows.offset if evidence.windows else None
    declared = Part("windows", _RISK, ("clock_offset_seconds",), whole=False)
    if offset is None:
        yield unknown(f"the recorder's time was not read: {evidence.missing.get('nvr', 'it gave none')}")
    elif found := differences(evidence, declared):
        yield from found
    elif abs(offset) >= pre_seconds(evidence):
        yield failed(f"at least {offset:+g} s off; the clip begins {pre_seconds(evidence)} s before", _REMEDY)
    elif abs(offset) >= NOTED_SECONDS:
        yield warned(f"at least {offset:+g} s off", _REMEDY)
    else:
        yield passed(f"{offset:+g} s off, as far as the round trip shows")


@check("time-source", title="The recorder keeps its time by a time source", target="nvr", refs=("row 18",))
def time_source(evidence: Evidence) -> Iterator[Found]:
    """As declared in `nvr.windows.time_source`."""
    yield from compared(evidence, "time source", Part("windows", _RISK, ("time_source",), whole=False))


@check("mail-clock", title="Mails carry the right time", target="portal", refs=("row 18", "row 19"))
def mail_clock(evidence: Evidence) -> Iterator[Found]:
    """The newest mail that the portal understood: its own time against the time of its receipt."""
    event = next((each for each in evidence.events if each.offset_seconds is not None), None)
    if event is None or event.offset_seconds is None:
        yield unknown("no mail with a time is known yet", "`ivn-provision verify` makes some")
        return
    offset, text = (
        event.offset_seconds,
        f"the mail of {moment(event.received_at)} says {event.offset_seconds:+g} s",
    )
    if abs(offset) >= pre_seconds(evidence):
        yield failed(f"{text}: the clip is looked for at the wrong time", _REMEDY)
    else:
        yield passed(text)


@check("camera-clock", title="The cameras' clocks are right", target="camera", refs=("row 18",))
def camera_clock(evidence: Evidence) -> Iterator[Found]:
    """Time zone and time server, of cameras that the site manages itself (`cameras[].axis.time`)."""
    yield from compared(evidence, "clock of a camera", Part("camera_clock", _CAMERA_RISK))


def pre_seconds(evidence: Evidence) -> int:
    """How long before an alarm its clip begins."""
    clip = evidence.site.portal.clip if evidence.site.portal else None
    return clip.pre_seconds if clip else PRE_SECONDS
