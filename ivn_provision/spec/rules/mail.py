"""The mail that carries every alarm: exact text, one recipient, the portal's account id on both ends."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ivn_provision.diagnostics import Severity
from ivn_provision.spec.rules.addresses import is_loopback
from ivn_provision.spec.rules.context import Context
from ivn_provision.spec.rules.registry import Finding, rule, show
from ivn_provision.spec.values import Computed

# facts/manual.md, part 8, R-40: the exact template
SUBJECT = "Milestone XProtect Professional Notification"
BODY = ("Trigger Event : $TriggerName$", "Camera is : $CameraName$", "Time: $TriggerTime$")

ACCOUNT_ID = "portal.smtp_account_id"
_REFERENCE = f"write !ref {ACCOUNT_ID}"
_VARIABLE = re.compile(r"\$(\w+)\$")
_VARIABLES = ("TriggerName", "CameraName", "TriggerTime")


@rule(
    "IVN044",
    "mail-template",
    Severity.ERROR,
    title="The mail's subject and body are the portal's template",
    requirements=("R-39", "R-40", "C-08", "C-14", "portal row 11", "portal check S8"),
)
def mail_template(context: Context) -> Iterator[Finding]:
    """The portal reads the mail by its exact lines; it does not work without them.

    Blank lines between the lines of the body are accepted, since the manual prints them and it is not
    known whether they belong to the template. The subject is the same for XProtect Enterprise.
    """
    message = context.mail.message
    if not message:
        return
    if message.subject != SUBJECT:
        yield Finding(
            f"{message.pointer}/subject",
            f"the subject {show(message.subject)} is not the one that the portal expects",
            f"leave subject out, or write: {SUBJECT}",
        )
    lines = tuple(line for line in message.body.replace("\r\n", "\n").split("\n") if line.strip())
    if lines != BODY:
        yield Finding(
            f"{message.pointer}/body", _body_message(lines), f"leave body out, or write: {' / '.join(BODY)}"
        )


@rule(
    "IVN045",
    "mail-one-recipient",
    Severity.ERROR,
    title="The mail has exactly one recipient",
    requirements=("R-41",),
)
def mail_one_recipient(context: Context) -> Iterator[Finding]:
    """The recorder has one set of recipients for all mails, and every mail is an alarm for the portal."""
    message = context.mail.message
    if message and len(message.recipients) != 1:
        yield Finding(
            f"{message.pointer}/recipients",
            f"there are {len(message.recipients)} recipients, not one",
            f"write recipients: [!ref {ACCOUNT_ID}]",
        )


@rule(
    "IVN046",
    "mail-recipient",
    Severity.ERROR,
    title="The mail's recipient is the portal's SMTP Account ID",
    requirements=("R-41", "C-07", "portal row 9"),
)
def mail_recipient(context: Context) -> Iterator[Finding]:
    """The portal generates the account id and finds the site by it: a reference, never typed by hand."""
    message = context.mail.message
    if not message:
        return
    for index, recipient in enumerate(message.recipients):
        if problem := _not_account(context, recipient):
            yield Finding(f"{message.pointer}/recipients/{index}", f"the recipient {problem}", _REFERENCE)


@rule(
    "IVN047",
    "mail-sender",
    Severity.ERROR,
    title="The mail's sender is the portal's SMTP Account ID",
    requirements=("R-42", "C-07", "portal row 9"),
)
def mail_sender(context: Context) -> Iterator[Finding]:
    """Sender and recipient are the same account id."""
    server = context.mail.server
    if server and (problem := _not_account(context, server.sender)):
        yield Finding(f"{server.pointer}/sender", f"the sender {problem}", _REFERENCE)


@rule(
    "IVN048",
    "mail-both-parts",
    Severity.ERROR,
    title="Mail message and mail server are declared together",
    requirements=("R-43", "portal row 8"),
)
def mail_both_parts(context: Context) -> Iterator[Finding]:
    """The recorder takes message settings without a server (with a warning), and then no mail goes out.

    A server without a message sends nothing either.
    """
    message, server = context.mail.message, context.mail.server
    if message and message.enabled and not server:
        yield Finding(
            message.pointer, "mail is enabled, but mail.server is not declared", "declare mail.server"
        )
    if server and not message:
        yield Finding(
            server.pointer,
            "mail.server is declared, but mail.message is not",
            f"declare mail.message: {{enabled: true, recipients: [!ref {ACCOUNT_ID}]}}",
        )


@rule(
    "IVN049",
    "mail-enabled",
    Severity.ERROR,
    title="Mail is enabled where events mail",
    requirements=("R-38", "R-51"),
)
def mail_enabled(context: Context) -> Iterator[Finding]:
    """An event's mail goes out only when mail is enabled for the whole recorder."""
    message = context.mail.message
    first = _first_mailing(context) if message and not message.enabled else None
    if message and first:
        yield Finding(
            f"{message.pointer}/enabled",
            "events mail the portal, but mail is switched off",
            "write enabled: true",
            (first,),
        )


@rule(
    "IVN050",
    "mail-declared",
    Severity.WARNING,
    title="The mail settings are declared where events mail",
    requirements=("R-38", "R-51", "portal row 10"),
)
def mail_declared(context: Context) -> Iterator[Finding]:
    """What is not declared is not managed: the tool would neither set nor compare the way out for alarms."""
    if context.mail.message or context.mail.server:
        return
    if first := _first_mailing(context):
        yield Finding(
            first[0],
            "events mail the portal, but mail is not declared",
            "declare mail.message and mail.server",
        )


@rule(
    "IVN051",
    "mail-login-in-clear",
    Severity.WARNING,
    title="The mail account's password does not travel in clear text",
    requirements=("portal row 12",),
)
def mail_login_in_clear(context: Context) -> Iterator[Finding]:
    """With `security: none` anyone on the way can read the login. Some old products have no TLS: so it warns."""
    server = context.mail.server
    if server and server.security == "none" and server.password and not is_loopback(server.host):
        yield Finding(
            f"{server.pointer}/security",
            f"the login to {show(server.host)} travels without encryption",
            "write security: starttls, if the worksheet and the product allow it",
        )


def _not_account(context: Context, value: str | Computed) -> str:
    """What is wrong with a sender or recipient; "" if it is the account id."""
    if not context.portal:
        return "cannot be the portal's account id: the site declares no portal"
    if isinstance(value, Computed):
        return "" if value.path == ACCOUNT_ID else f"is {show(value.path)}, not the portal's account id"
    if value == context.portal.smtp_account_id:
        return ""
    return f"{show(value)} is not the portal's account id"


def _first_mailing(context: Context) -> tuple[str, str] | None:
    for event in context.events:
        if event.enabled and event.email:
            return event.pointer, f"'{event.name}' mails"
    return None


def _body_message(lines: tuple[str, ...]) -> str:
    unknown = [name for line in lines for name in _VARIABLE.findall(line) if name not in _VARIABLES]
    if unknown:
        return f"the body uses {show(f'${unknown[0]}$')}, which the recorder does not fill in"
    for written, expected in zip(lines, BODY, strict=False):
        if written != expected:
            return f"the body has the line {show(written)} where the portal expects {show(expected)}"
    return f"the body has {len(lines)} lines of text, not the {len(BODY)} that the portal expects"
