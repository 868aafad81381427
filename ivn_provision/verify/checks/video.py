"""Video: names, recording, a login as the portal's, and one whole picture from every camera."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ivn_provision.drivers.xprotect_e.camera_images import CameraImage
from ivn_provision.model.resource import Address
from ivn_provision.spec.site import Camera
from ivn_provision.verify.drift import Part, compared, differences, moment
from ivn_provision.verify.evidence import Evidence
from ivn_provision.verify.registry import check
from ivn_provision.verify.result import Found, State, failed, passed, skipped, unknown, warned

_RECORDING = ("enabled", "recording.mode", "recording.pre_buffer_seconds", "recording.post_buffer_seconds")
_PICTURE = ("video.codec", "video.resolution", "video.fps")


@check("camera-names", title="Cameras carry their numbers", target="nvr", refs=("R-27", "row 1", "row 2"))
def camera_names(evidence: Evidence) -> Iterator[Found]:
    """A number, a blank, a text: the portal knows a camera by the number."""
    names = ("name", "hardware.address", "hardware.mac", "hardware.channel")
    yield from compared(
        evidence, "cameras", Part("camera", "the portal could not tell which camera it is", names)
    )


@check(
    "recording", title="Every camera records around an alarm", target="nvr", refs=("R-29", "R-31", "row 17")
)
def recording(evidence: Evidence) -> Iterator[Found]:
    """Enabled, and recording always, or by event with a pre-buffer as long as the clip's beginning."""
    part = Part("camera", "the clip would be empty or short", _RECORDING, whole=False)
    yield from compared(evidence, "recording", part)


@check("codec", title="Video is in the form that the portal wants", target="nvr", refs=("R-28", "row 20"))
def codec(evidence: Evidence) -> Iterator[Found]:
    """MJPEG by the manual, which gives no reason: so a difference warns."""
    part = Part("camera", "the portal may not show it", _PICTURE, whole=False, state=State.WARN)
    yield from compared(evidence, "video settings", part)


@check(
    "portal-login",
    title="The portal's account logs in at the recorder",
    target="nvr",
    refs=("R-33", "R-37", "row 21"),
)
def portal_login(evidence: Evidence) -> Iterator[Found]:
    """On the recorder itself (the protocol is in clear), with the declared password; and as the portal tried it."""
    device = evidence.site.portal.device if evidence.site.portal else None
    name = device.username if device else None
    status = evidence.logins.get(name or "", 0)
    if not name:
        yield skipped("the site file declares no account for the portal")
    elif status == 401:
        refused = failed(f"the image server refuses {name} with the declared password", _SAME)
        yield replace(refused, differs=str(Address(evidence.site.name, "nvr", "user", name)))
    elif status == 200:
        yield passed(f"{name} logs in at the image server")
    elif status:
        yield failed(f"the image server answers {name} with HTTP {status}", "look at the Image Server's log")
    else:
        yield unknown(evidence.missing.get("nvr", f"the image server did not answer for {name}"))
    for each in differences(evidence, Part("user", _RISK, ("password",), whole=False)):
        if status != 401 or not each.subject.endswith(f"/user/{name}"):
            yield each
    seen = evidence.connectivity
    if seen is not None and seen.login in {"ok", "refused"} and name:
        yield (
            passed("the portal itself logs in", "portal")
            if seen.login == "ok"
            else failed("the recorder refuses the portal's own login", _SAME, "portal")
        )


_RISK = "nobody could log in with the declared password"
_SAME = "user and password must be the same on the recorder, in the portal and in the site file (R-36, R-37)"


@check(
    "user-rights",
    title="The portal's account may do what it must",
    target="nvr",
    refs=("R-35", "R-37", "row 22"),
)
def user_rights(evidence: Evidence) -> Iterator[Found]:
    """Live, Events, Playback, AVI/JPEG export: the manual says an administrator account."""
    part = Part("user", "the portal could not fetch video", ("kind", "administrator"))
    yield from compared(evidence, "users", part)


@check(
    "camera-picture",
    title="Every camera shows a whole picture",
    target="nvr",
    refs=("R-05", "row 17", "row 22"),
)
def camera_picture(evidence: Evidence) -> Iterator[Found]:
    """Logged in as the portal's account at the image server, one JPEG from its beginning to its end."""
    if not evidence.site.cameras:
        yield skipped("the site file declares no cameras")
        return
    if evidence.images is None:
        yield unknown(evidence.missing.get("images", "no picture was asked for"))
        return
    for camera in evidence.site.cameras:
        yield _picture(camera, evidence.images.get(camera.number))


def _picture(camera: Camera, image: CameraImage | None) -> Found:
    subject = f"camera {camera.number}"
    if camera.enabled is False:
        return skipped("switched off, as declared", subject)
    if image is None:
        return failed(f"{camera.name} is not shown to the portal's account", _SEEN, subject)
    if image.is_whole:
        return passed(f"a JPEG of {image.size} bytes", subject)
    return _no_picture(image, subject)


def _no_picture(image: CameraImage, subject: str) -> Found:
    if not image.is_tried:
        return unknown("the time was over before it was asked", "see the cameras that do not answer", subject)
    if image.is_full:
        return unknown("the image server had no place for another client", "see clients", subject)
    if not image.connected:
        return failed(f"refused: {image.reason}", _SEEN, subject)
    return failed(f"logged in, but no whole picture: {image.reason}", _ON_LINE, subject)


_ON_LINE = "is the camera on line, and inside of its online schedule? Look at it in the Smart Client"


_SEEN = "is the camera enabled and named as declared, and may the account see it (R-35)?"


@check("live-view", title="The portal sees a picture of its own", target="portal", refs=("R-05", "row 17"))
def live_view(evidence: Evidence) -> Iterator[Found]:
    """The newest clip that the portal fetched."""
    event = next((each for each in evidence.events if each.clips), None)
    if event is None:
        yield unknown("no clip is known yet", "`ivn-provision verify` makes some")
        return
    status = event.clips[0].status
    text = f"the clip of {moment(event.received_at)} is {status.replace('_', ' ')}"
    if status == "ready":
        yield passed(text)
    elif status == "pending":
        yield unknown(text)
    elif status == "short":
        yield warned(text, "declare a longer pre-buffer for the camera")
    else:
        yield failed(text, "see web-port, portal-login and recording")
