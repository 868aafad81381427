"""Mail settings, and the dialogue that the recorder would have with the mail server."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.drivers.xprotect_e.smtp_probe import SmtpDialogue
from ivn_provision.verify.drift import Part, compared
from ivn_provision.verify.evidence import Evidence
from ivn_provision.verify.registry import check
from ivn_provision.verify.result import Found, failed, passed, skipped, unknown, warned

_WAY = ("host", "port", "security", "username", "password")
_STAGES = {
    "connect": "check host and port, and that the router lets the recorder out to it (R-08)",
    "banner": "is it a mail server, and is a firewall or virus scanner in between?",
    "ehlo": "is it a mail server, and is a firewall or virus scanner in between?",
    "starttls": "the server offers no STARTTLS there: compare security and port with the worksheet (R-45)",
    "tls": "the handshake failed: compare security and port with the worksheet (R-45)",
    "auth": "compare user name and password with the worksheet (R-45); try them in the portal",
    "mail": "the sender must be the SMTP Account ID (R-42)",
    "rcpt": "the recipient must be the SMTP Account ID (R-41)",
}


@check(
    "mail-template",
    title="The mail's text is the portal's template",
    target="nvr",
    refs=("R-40", "row 11"),
)
def mail_template(evidence: Evidence) -> Iterator[Found]:
    """Subject and body to the letter: the portal reads the mail by its lines."""
    part = Part("mail_message", "the portal could not read the mail", ("subject", "body"), whole=False)
    yield from compared(evidence, "template", part)


@check(
    "mail-addresses",
    title="Sender and recipient are the SMTP Account ID",
    target="nvr",
    refs=("R-41", "R-42", "row 8", "row 9"),
)
def mail_addresses(evidence: Evidence) -> Iterator[Found]:
    """The portal finds the site of a mail by its account id, and the mail server lets only that one pass."""
    risk = "the mail would not be taken as this site's"
    recipient, sender = Part("mail_message", risk, ("recipients",)), Part("mail_server", risk, ("sender",))
    yield from compared(evidence, "sender and recipient", recipient, sender)


@check(
    "mail-server",
    title="The recorder's mail server is the one of the worksheet",
    target="nvr",
    refs=("R-43", "R-44", "R-45", "row 8", "row 12"),
)
def mail_server(evidence: Evidence) -> Iterator[Found]:
    """Host, port, security and login as declared. Whether they work is `smtp-dialogue`'s to say."""
    yield from compared(
        evidence, "mail server", Part("mail_server", "no mail would go out", _WAY, whole=False)
    )


@check(
    "smtp-dialogue",
    title="The mail server takes the recorder's mail",
    target="network",
    refs=("R-46", "row 12"),
)
def smtp_dialogue(evidence: Evidence) -> Iterator[Found]:
    """From the recorder itself, with the declared settings, up to RCPT; nothing is ever sent.

    Where the mail server's certificate is not trusted by the recorder, no password is sent, and the rest is
    not known.
    """
    dialogue = evidence.smtp
    if dialogue is None:
        why = evidence.missing.get("smtp", "the site file declares no mail server")
        yield skipped(why) if "smtp" not in evidence.missing else unknown(why)
        return
    yield _judged(dialogue)


def _judged(dialogue: SmtpDialogue) -> Found:
    failure = dialogue.failed
    if failure is None:
        return passed(f"{dialogue.address} takes mail for the declared recipients")
    said = f"{failure.name}: {failure.code or ''} {failure.text}".replace("  ", " ")
    if failure.name == "auth" and not failure.code:
        # the agent itself would not send the password
        return warned(
            f"the login was not tried: {failure.text}",
            "whether XProtect checks the certificate is not known; `ivn-provision verify` shows whether mails come",
        )
    return failed(said, _STAGES.get(failure.name, "compare with the worksheet (R-45)"))
