"""`cameras[].axis` of a site -> `Axis`, with the manual's example as its defaults (R-67 to R-72)."""

from __future__ import annotations

from ivn_provision.spec.axis import (
    ActionRule,
    Axis,
    AxisConnect,
    AxisImage,
    AxisRecipient,
    AxisSmtp,
    AxisTime,
    AxisUser,
    InputCondition,
    IoPort,
)
from ivn_provision.spec.build_tls import build_tls
from ivn_provision.spec.shapes_axis import (
    ActionRuleData,
    AxisConnectData,
    AxisData,
    AxisSmtpData,
    ConditionData,
    ImageData,
)
from ivn_provision.spec.site import Places

RULE_NAME = "Input 1"
PROFILE = "ivn-provision"
_MANUAL = ConditionData(input=1)


def build_axis(data: AxisData, pointer: str, places: Places) -> Axis:
    """`pointer` is that of the `axis` section."""
    return Axis(
        connect=_connect(data["connect"], f"{pointer}/connect", places),
        smtp=_smtp(data["smtp"], f"{pointer}/smtp") if "smtp" in data else None,
        recipients=tuple(
            AxisRecipient(each["name"], tuple(each["addresses"]), f"{pointer}/recipients/{index}")
            for index, each in enumerate(data["recipients"])
        )
        if "recipients" in data
        else None,
        action_rules=tuple(
            _rule(each, f"{pointer}/action_rules/{index}") for index, each in enumerate(data["action_rules"])
        )
        if "action_rules" in data
        else None,
        io_ports=tuple(
            IoPort(
                each["port"],
                each.get("name"),
                each.get("direction"),
                each.get("normal"),
                f"{pointer}/io_ports/{index}",
            )
            for index, each in enumerate(data["io_ports"])
        )
        if "io_ports" in data
        else None,
        image=_image(data["image"], f"{pointer}/image") if "image" in data else None,
        time=AxisTime(data["time"].get("posix_zone"), data["time"].get("ntp_server"), f"{pointer}/time")
        if "time" in data
        else None,
        users=tuple(
            AxisUser(
                each["name"],
                each["role"],
                each.get("ptz", False),
                each["password"],
                f"{pointer}/users/{index}",
            )
            for index, each in enumerate(data["users"])
        )
        if "users" in data
        else None,
        pointer=pointer,
    )


def _connect(data: AxisConnectData, pointer: str, places: Places) -> AxisConnect:
    tls = build_tls(data.get("tls", "verify"), f"{pointer}/tls", places)
    return AxisConnect(
        host=data["host"],
        port=data.get("port", 80 if tls.mode == "off" else 443),
        tls=tls,
        username=data["username"],
        password=data["password"],
        basic_over_http=data.get("basic_over_http", False),
        pointer=pointer,
    )


def _smtp(data: AxisSmtpData, pointer: str) -> AxisSmtp:
    return AxisSmtp(
        sender=data["sender"],
        host=data["host"],
        port=data.get("port", 25),
        security=data["security"],
        username=data.get("username", ""),
        password=data.get("password"),
        pointer=pointer,
    )


def _rule(data: ActionRuleData, pointer: str) -> ActionRule:
    """The condition repeats the trigger unless something else is said (C-17)."""
    trigger = _condition(data.get("trigger", _MANUAL), f"{pointer}/trigger")
    conditions = (
        tuple(
            _condition(each, f"{pointer}/conditions/{index}") for index, each in enumerate(data["conditions"])
        )
        if "conditions" in data
        else (trigger,)
    )
    return ActionRule(
        name=data.get("name", RULE_NAME),
        enabled=data.get("enabled", True),
        trigger=trigger,
        conditions=conditions,
        wait_seconds=data.get("wait_seconds", 0),
        recipient=data["send_mail"]["recipient"],
        subject=data["send_mail"]["subject"],
        message=data["send_mail"]["message"].rstrip("\n"),
        pointer=pointer,
    )


def _condition(data: ConditionData, pointer: str) -> InputCondition:
    return InputCondition(data.get("input"), data.get("virtual_input"), data.get("active", True), pointer)


def _image(data: ImageData, pointer: str) -> AxisImage:
    return AxisImage(
        profile=data.get("profile", PROFILE),
        codec=data.get("codec"),
        resolution=data.get("resolution"),
        compression=data.get("compression"),
        fps=data.get("fps"),
        pointer=pointer,
    )
