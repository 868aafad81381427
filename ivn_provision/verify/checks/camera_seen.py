"""What an Axis camera that the site manages itself says of its inputs, its mail server, its firmware and its rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ivn_provision.drivers.axis.advisories import unjudged, version, weaknesses
from ivn_provision.drivers.axis.seen import CameraSeen
from ivn_provision.model.targets import camera_target
from ivn_provision.spec.axis import Axis
from ivn_provision.spec.site import Camera
from ivn_provision.verify.camera_inputs import named_inputs
from ivn_provision.verify.evidence import Evidence
from ivn_provision.verify.registry import check
from ivn_provision.verify.result import Found, failed, passed, skipped, unknown, warned

_NOT_READ = "the camera was not read"
_GOOD = re.compile(r"\W*(ok|success\w*|connected|connection (ok|succeeded|established))\b", re.IGNORECASE)
_BAD = re.compile(
    r"\b(not|error|fail\w*|refused|timed? ?out|unreachable|unable|could ?n[o']t|cannot|can't|invalid|no)\b",
    re.IGNORECASE,
)


@check("camera-inputs", title="The cameras' inputs are there and at rest", target="camera", refs=("R-68",))
def camera_inputs(evidence: Evidence) -> Iterator[Found]:
    """Each input that a hardware event, a rule or `io_ports` names, counted from 1. One that the camera does not have
    never trips. One that is active now is a contact that stands open, or a normal state that is the wrong way round.
    """
    yield from each_camera(evidence, lambda camera, seen: _inputs(evidence, camera, seen))


@check(
    "camera-mail-server",
    title="The cameras reach their mail server",
    target="camera",
    refs=("R-72",),
)
def camera_mail_server(evidence: Evidence) -> Iterator[Found]:
    """The camera itself tries to connect to `axis.smtp`; no mail is sent.

    How a camera words its answer is not published: it is shown, and judged only where it is plain. Firmware 5.50 and
    5.51 before 5.51.7.7 is not asked: there the request itself is a known hole (CVE-2023-5677).
    """
    yield from each_camera(evidence, _mail_server)


@check(
    "camera-firmware",
    title="No known hole is in the cameras' firmware",
    target="camera",
    refs=("R-26",),
)
def camera_firmware(evidence: Evidence) -> Iterator[Found]:
    """The version that the camera says, against the few vulnerabilities that this tool knows by version.

    That is not a list of all: only Axis has one. Which models an advisory concerns is not known of all of them.
    """
    yield from each_camera(evidence, _firmware)


@check(
    "camera-legacy-events",
    title="No event of the older kind fires in the cameras",
    target="camera",
    refs=("row 16",),
)
def camera_legacy_events(evidence: Evidence) -> Iterator[Found]:
    """`Event.E*`, made before firmware 5.40. They still fire, and the pages of newer firmware do not show them."""
    yield from each_camera(evidence, _legacy)


@check("camera-mails", title="No camera mails the portal by itself", target="camera", refs=("row 16",))
def camera_mails(evidence: Evidence) -> Iterator[Found]:
    """Rules that somebody made on the camera and that mail the portal: each alarm would come twice. Rules of the site
    file are `validate`'s to judge. What a camera that is not managed here does, `verify` shows: it counts mails.
    """
    yield from each_camera(evidence, lambda camera, seen: _mails(evidence, camera, seen))


def each_camera(
    evidence: Evidence, judge: Callable[[Camera, CameraSeen], Iterator[Found]]
) -> Iterator[Found]:
    """Cameras that the site manages itself; why others could not be judged."""
    cameras = [each for each in evidence.site.cameras or () if each.axis is not None]
    for camera in cameras:
        seen = evidence.cameras.get(camera.number)
        if seen is None:
            why = evidence.missing.get(camera_target(camera.number), _NOT_READ)
            yield unknown(f"not looked at: {why}", "", subject_of(camera))
        else:
            yield from judge(camera, seen)
    if not cameras:
        yield skipped("no camera of the site file declares axis")


def subject_of(camera: Camera) -> str:
    """`camera 10`."""
    return f"camera {camera.number}"


def _inputs(evidence: Evidence, camera: Camera, seen: CameraSeen) -> Iterator[Found]:
    named = named_inputs(evidence.site, camera)
    if not named:
        yield skipped("the site file names no input of it", subject_of(camera))
    for number, uses in named.items():
        yield _input(number, ", ".join(uses), seen, f"{subject_of(camera)} input {number}")


def _input(number: int, uses: str, seen: CameraSeen, subject: str) -> Found:
    if seen.inputs is None:
        return unknown("the camera does not say which inputs it has", "look at its own pages", subject)
    if number not in seen.inputs:
        what = "is an output there" if number in seen.outputs else f"is not there: it has {_ports(seen)}"
        remedy = "correct the number in the site file, or make the port an input: no alarm would come"
        return failed(f"{uses}: port {number} {what}", remedy, subject)
    active = seen.active.get(number)
    if active is None:
        why = seen.missing.get("inputs", "the camera did not say its state")
        return unknown(why, "look at the port on its own pages", subject)
    if active:
        remedy = "close the door, or look at the wiring; else io_ports.normal is the wrong way round"
        return warned(f"active now ({uses})", remedy, subject)
    return passed(f"inactive ({uses})", subject)


def _ports(seen: CameraSeen) -> str:
    return f"inputs {', '.join(map(str, sorted(seen.inputs)))}" if seen.inputs else "no input"


def _mail_server(camera: Camera, seen: CameraSeen) -> Iterator[Found]:
    smtp, subject = _axis(camera).smtp, subject_of(camera)
    if smtp is None:
        yield skipped("the site file declares no axis.smtp for it", subject)
        return
    if not seen.mail_server:
        why = seen.missing.get("mail_server", "the camera was not asked")
        yield unknown(why, "try the test of the camera's own mail page", subject)
        return
    text = f"{smtp.host}:{smtp.port}: the camera says {seen.mail_server!r}"
    good, bad = _GOOD.match(seen.mail_server), _BAD.search(seen.mail_server)
    if good and not bad:
        yield passed(text, subject)
    elif bad and not good:
        remedy = "check axis.smtp, and that the router lets the camera out to it (R-08)"
        yield failed(text, remedy, subject)
    else:
        yield unknown(f"{text}, which is not plain", "how it is worded is not published: judge it", subject)


def _firmware(camera: Camera, seen: CameraSeen) -> Iterator[Found]:
    subject, about = subject_of(camera), f"{seen.product}, firmware {seen.firmware or 'unknown'}"
    if not version(seen.firmware):
        yield unknown(f"{about}: no version that can be compared", "look at its own pages", subject)
        return
    found = weaknesses(seen.model, seen.firmware)
    for each in found:
        has = "may have" if each.perhaps else "has"
        text = f"{about} {has} {each.advisory.id}: {each.advisory.what}"
        yield warned(
            text, f"install firmware {each.fixed} or newer, as Axis offers it for the model", subject
        )
    if not found:
        open_ = unjudged(seen.model)
        rest = f"; whether {', '.join(open_)} concerns this model is not known here" if open_ else ""
        yield passed(f"{about}: in no advisory that this tool knows{rest}", subject)


def _legacy(camera: Camera, seen: CameraSeen) -> Iterator[Found]:
    if seen.legacy:
        names = ", ".join(seen.legacy[:5]) + (" and more" if len(seen.legacy) > 5 else "")
        yield warned(
            f"{len(seen.legacy)} event{'' if len(seen.legacy) == 1 else 's'} of the older kind still fire: {names}",
            "see /axis-cgi/param.cgi?action=list&group=Event in a browser; its pages do not show them",
            subject_of(camera),
        )
    else:
        yield passed("no Event.E* is in its parameters", subject_of(camera))


def _mails(evidence: Evidence, camera: Camera, seen: CameraSeen) -> Iterator[Found]:
    subject = subject_of(camera)
    if seen.mailers is None:
        yield unknown(
            seen.missing.get("mailers", "its rules are not shown"), "look at its own pages", subject
        )
        return
    account, blind = _account_id(evidence), []
    doubled = [each for each in seen.mailers if account and account in map(str.casefold, each.addresses)]
    for each in doubled:
        yield failed(
            f"its rule {each.rule!r} mails the portal, as the recorder does",
            "switch the rule off on the camera's own pages, or declare it: each alarm comes twice",
            subject,
        )
    blind = [each.rule for each in seen.mailers if not account or not each.addresses]
    if blind:
        names = ", ".join(map(repr, blind))
        why = "to whom is not shown" if account else "the portal's address is not known"
        yield unknown(f"its rules {names} mail: {why}", "look at them on its own pages", subject)
    if not doubled and not blind:
        yield passed(f"none of its {len(seen.mailers)} own mailing rules mails the portal", subject)


def _account_id(evidence: Evidence) -> str:
    """The address that the portal takes mails at; "" where it was not read."""
    found = (fields.get("smtp_account_id") for _, fields in evidence.live("device"))
    return next((each.casefold() for each in found if isinstance(each, str)), "")


def _axis(camera: Camera) -> Axis:
    assert camera.axis is not None
    return camera.axis
