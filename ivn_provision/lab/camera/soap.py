"""SOAP 1.2 as a camera reads and writes it: requests by namespace, replies with prefixes of the firmware's choice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from ivn_provision.lab.nvr.config_active import Unreadable, parse_document
from ivn_provision.lab.nvr.http_wire import HttpResponse

ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
ACTION = "http://www.axis.com/vapix/ws/action1"
EVENT = "http://www.axis.com/vapix/ws/event1"
WSNT = "http://docs.oasis-open.org/wsn/b-2"
WSTOP = "http://docs.oasis-open.org/wsn/t-1"
WSRFBF = "http://docs.oasis-open.org/wsrf/bf-2"
TNS1 = "http://www.onvif.org/ver10/topics"
TNSAXIS = "http://www.axis.com/2009/event/topics"
TER = "http://www.onvif.org/ver10/error"
_XSD = "http://www.w3.org/2001/XMLSchema"
_TYPE = ("Content-Type", "application/soap+xml; charset=utf-8")
_ALSO = {
    "SOAP-ENC": "http://www.w3.org/2003/05/soap-encoding",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "wsa5": "http://www.w3.org/2005/08/addressing",
    "tt": "http://www.onvif.org/ver10/schema",
    "tds": "http://www.onvif.org/ver10/device/wsdl",
}


class Fault(Exception):
    """A refusal: HTTP 400. Its detail is one element of a namespace around XML."""

    def __init__(self, space: str, name: str, reason: str, content: str = "", subcode: str = "") -> None:
        super().__init__(reason)
        self.space, self.name, self.reason = space, name, reason
        self.content, self.subcode = content, subcode


class Writer:
    """Writes replies. `name(action1, "X")` is `aa:X` with the prefix of this firmware."""

    def __init__(self, prefixes: Mapping[str, str], attributes: tuple[str, ...]) -> None:
        self.action, self.event, self.envelope = prefixes["action"], prefixes["event"], prefixes["envelope"]
        self._attributes = attributes

    def attributes(self, **values: str) -> str:
        """` Name=".." Value=".."`, in the firmware's order; names that it has no order for come last."""
        order = [*(each for each in self._attributes if each in values), *values]
        return "".join(f" {name}={quoteattr(values[name])}" for name in dict.fromkeys(order))

    def element(self, name: str, content: str = "") -> str:
        """An element of action1 around XML."""
        return f"<{self.action}:{name}>{content}</{self.action}:{name}>"

    def text(self, name: str, text: str) -> str:
        """An element of action1 around text."""
        return self.element(name, escape(text))

    def filter(self, topic: str, topic_dialect: str, content: str, content_dialect: str) -> str:
        """The inside of a StartEvent or a Condition; no MessageContent where there is no content."""
        said = f'<wsnt:TopicExpression Dialect="{topic_dialect}">{escape(topic)}</wsnt:TopicExpression>'
        if content:
            said += (
                f'<wsnt:MessageContent Dialect="{content_dialect}">{escape(content)}</wsnt:MessageContent>'
            )
        return said

    def reply(self, body: str) -> HttpResponse:
        """HTTP 200."""
        return HttpResponse(200, [_TYPE], self._message(body))

    def fault(self, fault: Fault) -> HttpResponse:
        """HTTP 400."""
        env = self.envelope
        sub = f"<{env}:Subcode><{env}:Value>{fault.subcode}</{env}:Value></{env}:Subcode>"
        code = f"<{env}:Value>{env}:Sender</{env}:Value>" + (sub if fault.subcode else "")
        prefixes = {ACTION: self.action, WSNT: "wsnt", ENVELOPE: env}
        tag = f"{prefixes[fault.space]}:{fault.name}"
        detail = f"<{tag}>{fault.content}</{tag}>"
        body = (
            f"<{env}:Fault><{env}:Code>{code}</{env}:Code><{env}:Reason>"
            f'<{env}:Text xml:lang="en">{escape(fault.reason)}</{env}:Text></{env}:Reason>'
            f"<{env}:Detail>{detail}</{env}:Detail></{env}:Fault>"
        )
        return HttpResponse(400, [_TYPE], self._message(body))

    def _message(self, body: str) -> bytes:
        spaces = {
            self.envelope: ENVELOPE,
            self.action: ACTION,
            self.event: EVENT,
            "wsnt": WSNT,
            "wstop": WSTOP,
        }
        spaces |= {"wsrfbf": WSRFBF, "tns1": TNS1, "tnsaxis": TNSAXIS, "ter": TER, "xsd": _XSD, **_ALSO}
        declared = "".join(f' xmlns:{prefix}="{space}"' for prefix, space in spaces.items())
        env = self.envelope
        text = f"<{env}:Envelope{declared}><{env}:Body>{body}</{env}:Body></{env}:Envelope>"
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()


def operation_of(body: bytes) -> etree._Element:
    """The element that a request asks with. Raises Fault."""
    try:
        root = parse_document(body).getroot()
    except Unreadable as error:
        raise invalid(f"Not a SOAP message: {error}") from None
    found = root.find(f"{{{ENVELOPE}}}Body/*") if root.tag == f"{{{ENVELOPE}}}Envelope" else None
    if found is None:
        raise invalid("No SOAP 1.2 body")
    return found


def children(parent: etree._Element, space: str = ACTION) -> Iterator[tuple[str, etree._Element]]:
    """Local names and elements of a namespace; others are passed over."""
    for each in parent.iterchildren(f"{{{space}}}*"):
        yield etree.QName(each).localname, each


def child(parent: etree._Element, name: str) -> etree._Element:
    """The one child of action1. Raises Fault: it is missing."""
    found = parent.find(f"{{{ACTION}}}{name}")
    if found is None:
        raise occurrence(name)
    return found


def text_of(parent: etree._Element, name: str, default: str | None = None) -> str:
    """The text of a child of action1. Raises Fault if it is missing and there is no default."""
    found = parent.find(f"{{{ACTION}}}{name}")
    if found is None and default is not None:
        return default
    return "".join(str(each) for each in child(parent, name).itertext()).strip()


def occurrence(name: str) -> Fault:
    """An element is missing, empty or not at its place."""
    text = f"Validation constraint violation: occurrence violation in element {name}"
    return invalid(text)


def invalid(text: str) -> Fault:
    """`ter:InvalidArgs`"""
    return Fault(ENVELOPE, "Text", "Invalid argument", escape(text), "ter:InvalidArgs")


def named(name: str, reason: str, content: str = "") -> Fault:
    """A fault of action1."""
    return Fault(ACTION, name, reason, content)


def subscription(name: str, reason: str, at: str) -> Fault:
    """A fault of WS-Notification with its time."""
    return Fault(WSNT, name, reason, f"<wsrfbf:Timestamp>{at}</wsrfbf:Timestamp>")
