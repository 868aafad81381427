"""Mails of a camera's rules: what the action's parameters say, else root.SMTP (facts/axis.md, 5.5), over real SMTP."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from pathlib import Path
from urllib.parse import unquote

from ivn_provision.lab.camera.calls import whole_number
from ivn_provision.lab.loopback import is_loopback

_TIMEOUT = 5.0  # seconds for each step of the dialogue
_DATES = re.compile(r"%([aAbBdDFHIjmMpSTuUwWyYZ%])|#([ns])")
TEMPLATE = "com.axis.action.fixed.notification.smtp"


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail to send; `security` is none, starttls or tls. `source` is the camera's own address."""

    recipients: tuple[str, ...]
    sender: str
    host: str
    port: int
    security: str
    login: str
    password: str = field(repr=False)
    checked: bool
    subject: str
    text: str
    at: datetime
    source: str


def letter(
    parameters: Mapping[str, str],
    legacy: Callable[[str], str],
    names: Mapping[str, str],
    at: datetime,
    source: str,
) -> Letter:
    """From an action's parameters; `legacy` looks up below root.SMTP, `names` are those of `#n` and `#s`."""
    host = parameters.get("host", "")
    if not host:
        settings = _legacy(legacy)
    else:
        encryption = parameters.get("encryption", "none") or "none"
        settings = {
            "host": host,
            "port": parameters.get("port", ""),
            "login": parameters.get("login", ""),
            "password": parameters.get("password", ""),
            "security": {"tls": "starttls", "ssl": "tls"}.get(encryption, "none"),
        }
    sender = parameters.get("email_from", "") or legacy("FromEmail")
    return Letter(
        tuple(each for each in re.split(r"[,;\s]+", parameters.get("email_to", "")) if each),
        sender,
        settings["host"],
        whole_number(settings["port"]) or 25,
        settings["security"],
        settings["login"],
        settings["password"],
        checked=parameters.get("validate_server_cert") == "1",
        subject=_filled(parameters.get("subject", ""), names, at),
        text=_filled(parameters.get("message", ""), names, at),
        at=at,
        source=source,
    )


def _legacy(look: Callable[[str], str]) -> dict[str, str]:
    enabled = look("Authentication.A1.Enabled") == "yes"
    port, wanted = look("MailServerPort1"), look("MailServerSSL1") == "yes"
    return {
        "host": look("MailServer1"),
        "port": port,
        "login": look("Authentication.A1.UserName") if enabled else "",
        "password": look("Authentication.A1.Password") if enabled else "",
        "security": ("tls" if port == "465" else "starttls") if wanted else "none",
    }


def deliver(mail: Letter, ca_file: Path) -> str:
    """Send one mail, blocking; the reason when it was not taken, else empty."""
    if not mail.host or not mail.recipients:
        return "no mail server" if not mail.host else "no recipient"
    if not is_loopback(mail.host):
        return f"{mail.host} is not a loopback address: the lab contacts no other host"
    try:
        message = _composed(mail)
        with _connected(mail, ca_file) as smtp:
            if mail.login:
                smtp.login(mail.login, mail.password)
            smtp.send_message(message, mail.sender, list(mail.recipients))
    except (OSError, smtplib.SMTPException, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _composed(mail: Letter) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = mail.sender
    message["To"] = ", ".join(mail.recipients)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(mail.at)
    message["Message-ID"] = make_msgid(domain="camera.invalid")
    message.set_content(mail.text)
    return message


def _connected(mail: Letter, ca_file: Path) -> smtplib.SMTP:
    # said here, because smtplib would ask the name service for the host's own name
    place = (mail.host, mail.port, f"[{mail.source}]")
    bound, context = (mail.source, 0), _context(ca_file if mail.checked else None)
    if mail.security == "tls":
        return smtplib.SMTP_SSL(*place, timeout=_TIMEOUT, source_address=bound, context=context)
    smtp = smtplib.SMTP(*place, timeout=_TIMEOUT, source_address=bound)
    if mail.security == "starttls":
        try:
            smtp.starttls(context=context)
        except (OSError, smtplib.SMTPException):
            smtp.close()
            raise
    return smtp


def _context(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca_file is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(ca_file)
    return context


def _filled(text: str, names: Mapping[str, str], at: datetime) -> str:
    def word(match: re.Match[str]) -> str:
        return at.strftime(f"%{match[1]}") if match[1] else names.get(match[2], "")

    return _DATES.sub(word, unquote(text))
