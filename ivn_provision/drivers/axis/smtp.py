"""The mail server: in the parameters of each recipient and action, or on one page of old firmware.

Firmware 5.x has `root.SMTP.*` (recorded), newer firmware has not. Which of the two its mail template uses there is
unknown (facts/axis.md, 5.5): what the template has a parameter for goes there, the rest into `root.SMTP`.
"""

from __future__ import annotations

from collections.abc import Mapping

from ivn_provision.drivers.axis.params import Params
from ivn_provision.errors import Refused
from ivn_provision.model.resource import UNSET, Value

SLOTS: Mapping[str, str] = {
    "smtp.sender": "email_from",
    "smtp.host": "host",
    "smtp.port": "port",
    "smtp.security": "encryption",
    "smtp.username": "login",
    "smtp.password": "password",
}
"""The parameter of the mail templates for each field."""
ENCRYPTION: Mapping[str, str] = {"none": "none", "starttls": "tls", "tls": "ssl"}
"""That `tls` is STARTTLS and `ssl` TLS from the start is inferred from what other products mean by the words."""
_PAGE: Mapping[str, str] = {
    "smtp.sender": "SMTP.FromEmail",
    "smtp.host": "SMTP.MailServer1",
    "smtp.port": "SMTP.MailServerPort1",
}
_SSL, _LOGIN = "SMTP.MailServerSSL1", "SMTP.Authentication.A1"
PASSWORD = f"{_LOGIN}.Password"
_TLS_PORT = 465


def has_page(params: Params) -> bool:
    """Does the firmware have `root.SMTP`?"""
    return params.get(_PAGE["smtp.host"]) is not None


def page_fields(params: Params) -> dict[str, Value]:
    """What `root.SMTP` says; nothing where it does not exist."""
    if not has_page(params):
        return {}
    fields: dict[str, Value] = {name: params.text(key) for name, key in _PAGE.items()}
    fields["smtp.port"] = number(params.text(_PAGE["smtp.port"]))
    encrypts = params.text(_SSL).lower() == "yes"
    fields["smtp.security"] = (
        ("tls" if fields["smtp.port"] == _TLS_PORT else "starttls") if encrypts else "none"
    )
    logs_in = params.text(f"{_LOGIN}.Enabled").lower() == "yes"
    fields["smtp.username"] = params.text(f"{_LOGIN}.UserName") if logs_in else ""
    return fields


def parameter_fields(given: Mapping[str, str], page: Mapping[str, Value]) -> dict[str, Value]:
    """What a mail configuration says, and for what it has no parameter, the page."""
    fields: dict[str, Value] = {}
    for name, slot in SLOTS.items():
        if name == "smtp.password":
            continue
        fields[name] = _read(name, given[slot]) if slot in given else page.get(name, UNSET)
    return fields


def _read(name: str, text: str) -> Value:
    if name == "smtp.port":
        return number(text)
    if name == "smtp.security":
        known = {word: field for field, word in ENCRYPTION.items()}
        return known.get(text.strip().lower() or "none", text)
    return text


def number(text: str) -> Value:
    """A whole number, or the text that is none; unset for none at all."""
    plain = text.strip()
    if not plain:
        return UNSET
    return int(plain) if plain.isascii() and plain.isdigit() and len(plain) < 10 else plain


def parameter_text(name: str, value: Value) -> str:
    """The value of a field as its parameter."""
    if value is None or value == UNSET:
        return ""
    return ENCRYPTION.get(str(value), str(value)) if name == "smtp.security" else str(value)


def page_pairs(fields: Mapping[str, Value]) -> dict[str, str]:
    """The parameters of `root.SMTP` for these fields, without the password. Raises Refused for what has no place."""
    security = fields.get("smtp.security")
    is_tls_port = fields.get("smtp.port") == _TLS_PORT
    if security is not None and security != "none" and (security == "tls") != is_tls_port:
        raise Refused(
            f"smtp.security: {security} at port {fields.get('smtp.port')} has no place on this firmware",
            where="smtp.security",
            next_step="its mail page has one switch for encryption: TLS from the start at port 465, else STARTTLS "
            "(inferred; not verified on firmware 5.x)",
        )
    pairs = {key: str(fields[name]) for name, key in _PAGE.items() if name in fields}
    if security is not None:
        pairs[_SSL] = "no" if security == "none" else "yes"
    if "smtp.username" in fields:
        username = str(fields["smtp.username"] or "")
        pairs[f"{_LOGIN}.Enabled"] = "yes" if username else "no"
        pairs[f"{_LOGIN}.UserName"] = username
    return pairs
