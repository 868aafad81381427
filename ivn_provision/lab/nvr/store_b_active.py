"""What the Recording Server takes out of store B when it starts. Strict: a word it does not know keeps it down."""

from __future__ import annotations

from collections.abc import Mapping

from lxml import etree

from ivn_provision.lab.nvr.config_active import (
    ActiveConfiguration,
    GenericEvent,
    InputEvent,
    MailSettings,
    Unreadable,
    cameras_of,
    devices_of,
)
from ivn_provision.lab.nvr.recordings import recordings_of

_YN = {"Y": True, "N": False}
_WORDS = {"true": True, "false": False}


def load_b(config: etree._Element, events: etree._Element, mail: etree._Element) -> ActiveConfiguration:
    """Read the three roots. Raises Unreadable."""
    return ActiveConfiguration(
        devices=devices_of(config),
        cameras=cameras_of(config),
        inputs=tuple(_input(each) for each in events.iterfind("Inputs/Input")),
        generics=tuple(_generic(each) for each in events.iterfind("Generic/Event")),
        mail=_mail(mail),
        alert_port=_number(events, "Ports/@Alert"),
        recordings=recordings_of(config),
    )


def value(element: etree._Element, path: str) -> str:
    """The text of `A/B` or the attribute `A/@x`. Raises Unreadable if it is not there."""
    place, at, attribute = path.rpartition("@")
    found = element if at and not place else element.find(place.rstrip("/") if at else path)
    text = None if found is None else found.get(attribute) if at else found.text or ""
    if text is None:
        raise Unreadable(f"{element.tag}: {path} is missing")
    return str(text)


def plain_guid(text: str) -> str:
    """Without braces, lower case."""
    return text.strip("{}").lower()


def _choice(element: etree._Element, path: str, words: Mapping[str, object]) -> str:
    text = value(element, path)
    if text not in words:
        raise Unreadable(f"{element.tag}: {path} is {text[:20]!r}, not one of {', '.join(words)}")
    return text


def _generic(element: etree._Element) -> GenericEvent:
    for path, constant in {
        "@Class": "Generic",
        "Trigger/@Encoding": "1252",
        "Actions/Sms/@On": "false",
    }.items():
        _choice(element, path, {constant: None})
    _id(element, "@Id")
    rules, transports = {"0": "search", "1": "match"}, {"0": "any", "1": "tcp", "2": "udp"}
    return GenericEvent(
        name=value(element, "Label/@Text"),
        enabled=_YN[_choice(element, "@State", _YN)],
        substring=value(element, "Trigger"),
        rule=rules[_choice(element, "Trigger/@Rule", rules)],
        protocol=transports[_choice(element, "Trigger/@Transport", transports)],
        email=_WORDS[_choice(element, "Actions/EMail/@On", _WORDS)],
    )


def _input(element: etree._Element) -> InputEvent:
    _choice(element, "@Kind", {"External": None})
    _choice(element, "Reaction/Recording/@Scope", {"0": None, "1": None})
    _id(element, "@Key")
    levels = {"1": "rising", "2": "falling"}
    return InputEvent(
        name=value(element, "Title"),
        enabled=_YN[_choice(element, "@Enabled", _YN)],
        device=plain_guid(value(element, "Source/@Device")),
        number=_number(element, "Source/@Port"),
        edge=levels[_choice(element, "Source/@Level", levels)],
        email=_WORDS[_choice(element, "Reaction/EMail/@Send", _WORDS)],
        camera=plain_guid(value(element, "Reaction/EMail/@Image")),
    )


def _mail(root: etree._Element) -> MailSettings:
    security = {"0": "none", "1": "starttls", "2": "tls"}
    account = value(root, "smtp/login/@account")
    return MailSettings(
        enabled=_WORDS[_choice(root, "mail/@active", _WORDS)],
        recipients=tuple(each.strip() for each in value(root, "mail/to").split(",") if each.strip()),
        subject=value(root, "mail/template/@subject"),
        message=value(root, "mail/template/@text"),
        sender=value(root, "smtp/from"),
        host=value(root, "smtp/server"),
        port=_number(root, "smtp/@port"),
        security=security[_choice(root, "smtp/@security", security)],
        login=bool(account),
        username=account,
    )


def _id(element: etree._Element, path: str) -> None:
    text = value(element, path)
    if not (text.startswith("{") and text.endswith("}") and text == text.upper()):
        raise Unreadable(f"{element.tag}: {path} is not a GUID in braces: {text[:50]!r}")


def _number(element: etree._Element, path: str) -> int:
    text = value(element, path)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= 65_535:
        raise Unreadable(f"{element.tag}: {path} is not a number from 1 to 65535: {text[:20]!r}")
    return int(text)
