"""Notification mails of a lab recorder: real SMTP, to loopback only, never retried."""

from __future__ import annotations

import ipaddress
import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from ivn_provision.lab.nvr.config_active import MailSettings

_TIMEOUT = 5.0  # seconds for each step of the dialogue


@dataclass(frozen=True, slots=True)
class Notification:
    """One mail to send; `at` is local time with its zone.

    `source` is the recorder's own address: the mail server sees it. `mailer` is the program that sends, if it
    says so.
    """

    settings: MailSettings
    password: str = field(repr=False)
    event: str
    camera: str
    at: datetime
    source: str = "127.0.0.1"
    mailer: str = ""


def deliver(notification: Notification) -> str:
    """Send one mail, blocking; the reason when it was not taken, else empty."""
    settings = notification.settings
    if not is_loopback(settings.host):
        return f"{settings.host} is not a loopback address: the lab contacts no other host"
    try:
        message = compose(notification)
        with _connected(settings, notification.source) as smtp:
            if settings.login:
                smtp.login(settings.username, notification.password)
            smtp.send_message(message, settings.sender, list(settings.recipients))
    except (OSError, smtplib.SMTPException, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def compose(notification: Notification) -> EmailMessage:
    """The message with its variables filled in. Raises ValueError for line breaks in a header."""
    settings = notification.settings
    message = EmailMessage(policy=SMTP)
    message["From"] = settings.sender
    message["To"] = ", ".join(settings.recipients)
    message["Subject"] = _filled(settings.subject, notification)
    message["Date"] = format_datetime(notification.at)
    if notification.mailer:
        message["X-Mailer"] = notification.mailer
    message["Message-ID"] = make_msgid(domain="recorder.invalid")
    message.set_content(_filled(settings.message, notification))
    return message


def is_loopback(host: str) -> bool:
    """Whether a host is `localhost` or a loopback literal; names are not resolved."""
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _filled(text: str, notification: Notification) -> str:
    stamp = notification.at.strftime("%m/%d/%Y %H:%M:%S")
    known = {"$TriggerName$": notification.event, "$CameraName$": notification.camera, "$TriggerTime$": stamp}
    for variable, value in known.items():
        text = text.replace(variable, value)
    return text


def _connected(settings: MailSettings, source: str) -> smtplib.SMTP:
    # said here, because smtplib would ask the name service for the host's own name
    ehlo, bound = f"[{source}]", (source, 0)
    place = (settings.host, settings.port, ehlo)
    if settings.security == "tls":
        return smtplib.SMTP_SSL(*place, timeout=_TIMEOUT, source_address=bound, context=_unchecked())
    smtp = smtplib.SMTP(*place, timeout=_TIMEOUT, source_address=bound)
    if settings.security == "starttls":
        try:
            smtp.starttls(context=_unchecked())
        except (OSError, smtplib.SMTPException):
            smtp.close()
            raise
    return smtp


def _unchecked() -> ssl.SSLContext:
    # A product of 2014 is assumed not to check the mail server's certificate (assumptions.yml).
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the default one would read all roots of this machine
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
