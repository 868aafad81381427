"""What the Recording Server takes out of configuration.xml when it starts."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from ivn_provision.lab.nvr.recordings import Recording, recordings_of

_LARGEST = 64 * 1024 * 1024


class Unreadable(Exception):
    """The service cannot start with this file."""


@dataclass(frozen=True, slots=True)
class Device:
    """One hardware device."""

    guid: str
    address: str
    mac: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class InputEvent:
    """One hardware input event; `edge` is `rising` or `falling`."""

    name: str
    enabled: bool
    device: str
    number: int
    edge: str
    email: bool
    camera: str


@dataclass(frozen=True, slots=True)
class GenericEvent:
    """One generic event; `rule` is `match` or `search`, `protocol` `any`, `tcp` or `udp`."""

    name: str
    enabled: bool
    substring: str
    rule: str
    protocol: str
    email: bool

    def hit_by(self, text: str, protocol: str) -> bool:
        """Whether a received text triggers it."""
        if not self.enabled or self.protocol not in {"any", protocol} or not self.substring:
            return False
        return text == self.substring if self.rule == "match" else self.substring in text


@dataclass(frozen=True, slots=True)
class MailSettings:
    """Message and server of the notification settings; `security` is `none`, `starttls` or `tls`."""

    enabled: bool = False
    recipients: tuple[str, ...] = ()
    subject: str = ""
    message: str = ""
    sender: str = ""
    host: str = ""
    port: int = 25
    security: str = "none"
    login: bool = False
    username: str = ""

    @property
    def usable(self) -> bool:
        """Whether the recorder would try at all."""
        return self.enabled and bool(self.recipients) and bool(self.host)


@dataclass(frozen=True, slots=True)
class ActiveConfiguration:
    """The configuration in force since the last start. `cameras` maps GUID to display name."""

    devices: tuple[Device, ...]
    cameras: dict[str, str]
    inputs: tuple[InputEvent, ...]
    generics: tuple[GenericEvent, ...]
    mail: MailSettings
    alert_port: int
    recordings: tuple[Recording, ...] = ()


def parse_document(content: bytes) -> etree._ElementTree:
    """The document, without entities, DTD or network. Raises Unreadable."""
    if len(content) > _LARGEST:
        raise Unreadable("the file is larger than 64 MiB")
    try:
        tree = etree.fromstring(
            content, etree.XMLParser(resolve_entities=False, no_network=True)
        ).getroottree()
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Unreadable(f"not well-formed: {error}") from error
    if tree.docinfo.internalDTD is not None:
        raise Unreadable("a document type definition is refused")
    return tree


def load(content: bytes) -> ActiveConfiguration:
    """Read the file. Raises Unreadable."""
    root = parse_document(content).getroot()
    if root.tag != "config":
        raise Unreadable("the root element is not `config`")
    return ActiveConfiguration(
        devices=devices_of(root),
        cameras=cameras_of(root),
        inputs=tuple(_input(each) for each in root.iterfind("Events/HardwareInputEvents/HardwareInputEvent")),
        generics=tuple(_generic(each) for each in root.iterfind("Events/GenericEvents/GenericEvent")),
        mail=_mail(root),
        alert_port=_number(root, "Events/Handling/AlertPort", 1, 65_535),
        recordings=recordings_of(root),
    )


def devices_of(root: etree._Element) -> tuple[Device, ...]:
    """Every hardware device of `config`."""
    return tuple(_device(each) for each in root.iterfind("Devices/*"))


def cameras_of(root: etree._Element) -> dict[str, str]:
    """GUID and display name of every camera of `config`."""
    return {
        _text(each, "Guid").lower(): _text(each, "DisplayName")
        for each in root.iterfind("Devices/*/Cameras/*")
    }


def _device(element: etree._Element) -> Device:
    address, mac = _text(element, "IPAddress"), _text(element, "MAC")
    return Device(_text(element, "Guid").lower(), address, mac.upper(), _text(element, "Disabled") != "1")


def _input(element: etree._Element) -> InputEvent:
    return InputEvent(
        name=_text(element, "Name"),
        enabled=_text(element, "Enabled") == "1",
        device=_text(element, "DeviceGuid").lower(),
        number=_number(element, "Input", 1, 64),
        edge=_text(element, "Edge").lower(),
        email=_text(element, "SendEmail") == "1",
        camera=_text(element, "EmailCamera").lower(),
    )


def _generic(element: etree._Element) -> GenericEvent:
    return GenericEvent(
        name=_text(element, "Name"),
        enabled=_text(element, "Enabled") == "1",
        substring=_text(element, "Substring"),
        rule=_text(element, "RuleType").lower(),
        protocol=_text(element, "Protocol").lower(),
        email=_text(element, "SendEmail") == "1",
    )


def _mail(root: etree._Element) -> MailSettings:
    recipients = _text(root, "Notifications/Email/Recipients").split(";")
    server = "Notifications/EmailServer/"
    return MailSettings(
        enabled=_text(root, "Notifications/Email/Enabled") == "1",
        recipients=tuple(each.strip() for each in recipients if each.strip()),
        subject=_text(root, "Notifications/Email/Subject"),
        message=root.findtext("Notifications/Email/Message") or "",
        sender=_text(root, f"{server}Sender"),
        host=_text(root, f"{server}Host"),
        port=_number(root, f"{server}Port", 1, 65_535),
        security=_text(root, f"{server}Security").lower(),
        login=_text(root, f"{server}Login") == "1",
        username=_text(root, f"{server}UserName"),
    )


def _text(element: etree._Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _number(element: etree._Element, path: str, least: int, most: int) -> int:
    text = _text(element, path)
    if not text.isascii() or not text.isdigit() or not least <= int(text[:6]) <= most:
        raise Unreadable(f"{path} is not a number from {least} to {most}: {text[:20]!r}")
    return int(text)
