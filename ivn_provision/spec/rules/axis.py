"""Cameras that mail by themselves: what belongs together, and that no alarm arrives twice (R-67 to R-72)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ivn_provision.diagnostics import Severity
from ivn_provision.spec.axis import ActionRule, Axis, AxisRecipient, InputCondition
from ivn_provision.spec.rules.addresses import is_loopback, parse
from ivn_provision.spec.rules.context import Context
from ivn_provision.spec.rules.registry import Finding, rule, show
from ivn_provision.spec.site import Camera, HardwareEvent
from ivn_provision.spec.values import Computed


def managed(context: Context) -> Iterator[tuple[Camera, Axis]]:
    """The cameras that the site manages over VAPIX."""
    return ((each, each.axis) for each in context.cameras if each.axis is not None)


def _rules(context: Context) -> Iterator[tuple[Camera, Axis, ActionRule]]:
    for camera, axis in managed(context):
        for each in axis.action_rules or ():
            yield camera, axis, each


@rule(
    "IVN092",
    "axis-one-input",
    Severity.ERROR,
    title="A trigger or condition names one input",
    requirements=("R-68", "R-70"),
)
def axis_one_input(context: Context) -> Iterator[Finding]:
    """Either `input` or `virtual_input`: a condition must match exactly one state of the camera."""
    for _, _, each in _rules(context):
        for condition in dict.fromkeys((each.trigger, *each.conditions)):
            if (condition.input is None) == (condition.virtual_input is None):
                yield Finding(
                    condition.pointer,
                    "this names no input" if condition.input is None else "this names two inputs",
                    "write {input: 1} or {virtual_input: 1}",
                )


@rule(
    "IVN093",
    "axis-names-unique",
    Severity.ERROR,
    title="Rules, recipients, ports and accounts of a camera are declared once",
    requirements=("R-67", "R-71"),
)
def axis_names_unique(context: Context) -> Iterator[Finding]:
    """The tool recognises them by their names, and ports by their numbers."""
    for _, axis in managed(context):
        yield from _twice("rule", ((each.name, each.pointer) for each in axis.action_rules or ()))
        yield from _twice("recipient", ((each.name, each.pointer) for each in axis.recipients or ()))
        yield from _twice("port", ((str(each.port), each.pointer) for each in axis.io_ports or ()))
        yield from _twice("account", ((each.name, each.pointer) for each in axis.users or ()))


def _twice(what: str, items: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for name, pointer in items:
        if name in seen:
            yield Finding(
                pointer,
                f"the {what} {name if what == 'port' else show(name)} is declared twice",
                f"give one of them another {'number' if what == 'port' else 'name'}, or leave it out",
                ((seen[name], "here first"),),
            )
        seen.setdefault(name, pointer)


@rule(
    "IVN094",
    "axis-recipient-declared",
    Severity.ERROR,
    title="A rule mails one of the camera's recipients",
    requirements=("R-69", "R-71"),
)
def axis_recipient_declared(context: Context) -> Iterator[Finding]:
    """The recipient's address is copied into the rule when it is made (R-69)."""
    for _, axis, each in _rules(context):
        names = [recipient.name for recipient in axis.recipients or ()]
        if each.recipient not in names:
            yield Finding(
                f"{each.pointer}/send_mail/recipient",
                f"there is no recipient {show(each.recipient)}",
                f"declared are: {', '.join(map(show, names))}"
                if names
                else "declare it under axis.recipients",
            )


@rule(
    "IVN095",
    "axis-smtp-declared",
    Severity.ERROR,
    title="The mail server of a camera that mails is declared",
    requirements=("R-72",),
)
def axis_smtp_declared(context: Context) -> Iterator[Finding]:
    """Without one the camera has nowhere to send to, and says so nowhere. An account needs both name and password.

    What the portal generates needs a portal.
    """
    for _, axis in managed(context):
        if axis.smtp is None:
            pointers = [each.pointer for each in axis.recipients or ()]
            for pointer in (*pointers, *(each.pointer for each in axis.action_rules or ())):
                yield Finding(pointer, "axis.smtp is not declared", "declare the camera's mail server")
        elif axis.smtp.password is not None and not axis.smtp.username:
            yield Finding(
                f"{axis.smtp.pointer}/password", "there is a password, but no username", "declare username"
            )
        if not context.portal:
            yield from _without_portal(axis)


def _without_portal(axis: Axis) -> Iterator[Finding]:
    hint = "declare the portal, or write the address itself"
    if axis.smtp and isinstance(axis.smtp.sender, Computed):
        yield Finding(f"{axis.smtp.pointer}/sender", "the site declares no portal", hint)
    for each in axis.recipients or ():
        for index, address in enumerate(each.addresses):
            if isinstance(address, Computed):
                yield Finding(f"{each.pointer}/addresses/{index}", "the site declares no portal", hint)


@rule(
    "IVN096",
    "axis-duplicate-mail",
    Severity.ERROR,
    title="Camera and recorder do not both mail the portal for one input",
    requirements=("C-17", "portal row 16"),
)
def axis_duplicate_mail(context: Context) -> Iterator[Finding]:
    """Each trip would make two alarms; and the camera's mail is not the one that the portal reads (R-40)."""
    for camera, axis, each in _rules(context):
        recipient = next((one for one in axis.recipients or () if one.name == each.recipient), None)
        if not each.enabled or recipient is None or not _mails_portal(context, recipient):
            continue
        for event in context.hardware:
            if event.enabled and event.email and _is_on(context, camera, event, each.trigger):
                yield Finding(
                    f"{each.pointer}/send_mail/recipient",
                    f"this rule mails the portal for {each.trigger}, and so does the recorder",
                    "leave one of the two out: mail another recipient here, or write email: false there",
                    ((event.pointer, f"'{event.name}' mails the portal too"),),
                )


def _mails_portal(context: Context, recipient: AxisRecipient) -> bool:
    known: set[str | Computed | None] = {context.portal.smtp_account_id} if context.portal else set()
    known.update(context.mail.message.recipients if context.mail.message else ())
    return any(isinstance(each, Computed) or each in known for each in recipient.addresses)


def _is_on(context: Context, camera: Camera, event: HardwareEvent, trigger: InputCondition) -> bool:
    other = context.camera_by_number.get(event.camera)
    same = other is not None and other.hardware.address.casefold() == camera.hardware.address.casefold()
    return same and trigger.input == event.input


@rule(
    "IVN097",
    "axis-in-clear",
    Severity.WARNING,
    title="The connection to a camera is encrypted",
    requirements=("axis part 2",),
)
def axis_in_clear(context: Context) -> Iterator[Finding]:
    """Over plain HTTP passwords that are set travel readable. Old firmware may speak no TLS that is still safe."""
    for _, axis in managed(context):
        connect = axis.connect
        if connect.tls.mode != "off" or is_loopback(connect.host):
            continue
        if connect.basic_over_http:
            text = f"the login to {show(connect.host)} may travel readable"
            yield Finding(f"{connect.pointer}/basic_over_http", text, "write tls: verify if the camera can")
        else:
            text = f"what is sent to {show(connect.host)} is not encrypted"
            yield Finding(f"{connect.pointer}/tls", text, "write tls: verify if the camera can")


@rule(
    "IVN098",
    "axis-same-device",
    Severity.WARNING,
    title="The camera that is managed is the one on the recorder",
    requirements=("R-26", "axis part 14"),
)
def axis_same_device(context: Context) -> Iterator[Finding]:
    """Two addresses are usually a typing mistake, and the wrong camera would be configured."""
    for camera, axis in managed(context):
        one, other = parse(camera.hardware.address), parse(axis.connect.host)
        if one and other and one != other and not other.is_loopback:
            yield Finding(
                f"{axis.connect.pointer}/host",
                f"{show(axis.connect.host)} is not the hardware's address {show(camera.hardware.address)}",
                "write the address under which the recorder knows the camera",
            )


@rule(
    "IVN099",
    "axis-mail-login-in-clear",
    Severity.WARNING,
    title="The mail account of a camera does not travel in clear text",
    requirements=("R-72", "portal row 12"),
)
def axis_mail_login_in_clear(context: Context) -> Iterator[Finding]:
    """With `security: none` anyone on the way can read the login. Some old firmware has no TLS: so it warns."""
    for _, axis in managed(context):
        smtp = axis.smtp
        if smtp and smtp.security == "none" and smtp.password and not is_loopback(smtp.host):
            yield Finding(
                f"{smtp.pointer}/security",
                f"the login to {show(smtp.host)} travels without encryption",
                "write security: starttls, if server and camera allow it",
            )


@rule(
    "IVN100",
    "axis-own-account",
    Severity.ERROR,
    title="The account that the tool logs in with is not one of the camera's declared accounts",
    requirements=("axis part 7",),
)
def axis_own_account(context: Context) -> Iterator[Finding]:
    """The tool would change the password that it is logged in with, and lock itself out halfway."""
    for _, axis in managed(context):
        for each in axis.users or ():
            if each.name == axis.connect.username:
                yield Finding(
                    f"{each.pointer}/name",
                    f"{show(each.name)} is the account of axis.connect",
                    "leave it out, and change its password by hand",
                )
