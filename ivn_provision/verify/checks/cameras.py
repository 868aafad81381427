"""Cameras that the site manages itself: ports, pictures, rules and accounts as declared (R-67 to R-72)."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.verify.drift import Part, compared
from ivn_provision.verify.evidence import Evidence
from ivn_provision.verify.registry import check
from ivn_provision.verify.result import Found, State


@check("camera-ports", title="The cameras' ports are as declared", target="camera", refs=("R-68",))
def camera_ports(evidence: Evidence) -> Iterator[Found]:
    """Direction and normal state of each declared input and output: a wrong one is an alarm the wrong way round."""
    risk = "the input does not trip, or trips all the time"
    yield from compared(evidence, "port of a camera", Part("io_port", risk))


@check("camera-rules", title="The cameras' own rules are as declared", target="camera", refs=("R-67", "R-71"))
def camera_rules(evidence: Evidence) -> Iterator[Found]:
    """Recipients and action rules that mail by themselves, with the mail server in them (R-72)."""
    yield from compared(
        evidence,
        "rule of a camera",
        Part("action_rule", "the camera does not mail, or mails another one"),
        Part("recipient", "the next rule would mail another one"),
        Part("action_configuration", "what a broken run left behind", state=State.WARN),
    )


@check("camera-stream", title="The cameras' stream profiles are as declared", target="camera", refs=("R-28",))
def camera_stream(evidence: Evidence) -> Iterator[Found]:
    """Codec, resolution, compression and rate of the declared stream profile."""
    risk = "who asks for this profile gets another picture"
    yield from compared(
        evidence, "stream profile of a camera", Part("stream_profile", risk, state=State.WARN)
    )


@check("camera-accounts", title="The cameras' accounts are as declared", target="camera", refs=("R-72",))
def camera_accounts(evidence: Evidence) -> Iterator[Found]:
    """Roles of the declared accounts; whether a password is right is found out by a login."""
    yield from compared(
        evidence, "account of a camera", Part("axis_user", "a person or system cannot log in")
    )
