"""SOAP 1.2 to the action and event services: envelopes out, elements in (facts/axis.md, 5).

Envelopes are built element by element, so that no value can end an element or an attribute. Replies are read by
namespace and local name: devices declare about fifty prefixes, differing by firmware.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lxml import etree

from ivn_provision.drivers.axis.replies import garbled
from ivn_provision.errors import ProtocolFault, Refused
from ivn_provision.transports.masking import said
from ivn_provision.transports.vapix import Asked, VapixReply

PATH = "/vapix/services"
ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
ACTION = "http://www.axis.com/vapix/ws/action1"
EVENT = "http://www.axis.com/vapix/ws/event1"
WSNT = "http://docs.oasis-open.org/wsn/b-2"
WSTOP = "http://docs.oasis-open.org/wsn/t-1"
TNS1 = "http://www.onvif.org/ver10/topics"
TNSAXIS = "http://www.axis.com/2009/event/topics"
_TYPE = "application/soap+xml; charset=utf-8"
_MAX_DEPTH = 100
# topics stand in text, so the prefixes that they use must be declared although no element has them
_DECLARED: dict[str | None, str] = {"wsnt": WSNT, "tns1": TNS1, "tnsaxis": TNSAXIS}


class SoapFault(Refused):
    """The device refused an operation (HTTP 400). `name` is the local name of the fault's detail."""

    def __init__(self, name: str, summary: str, *, endpoint: str, next_step: str) -> None:
        super().__init__(summary, endpoint=endpoint, where=PATH, next_step=next_step)
        self.name = name


def operation(name: str, space: str = ACTION) -> etree._Element:
    """The element of an operation, to be filled and given to `envelope`."""
    spaces: dict[str | None, str] = {**_DECLARED, None: space}
    return etree.Element(etree.QName(space, name), nsmap=spaces)  # type: ignore[arg-type] # the stubs forget None


def below(parent: etree._Element, name: str, text: str | None = None, space: str = ACTION) -> etree._Element:
    """A new child. Raises Refused for text that XML cannot hold."""
    child = etree.SubElement(parent, etree.QName(space, name))
    if text is not None:
        child.text = _xml_text(name, text)
    return child


def attribute(element: etree._Element, name: str, value: str) -> None:
    """Raises Refused for text that XML cannot hold."""
    element.set(name, _xml_text(name, value))


def _xml_text(name: str, text: str) -> str:
    try:
        etree.Element("x").text = text
    except ValueError:
        raise Refused(
            f"{name} has characters that XML cannot hold", where=name, next_step="remove control characters"
        ) from None
    return text


def envelope(asked: etree._Element, *, writes: bool = False) -> Asked:
    """The request for an operation."""
    root = etree.Element(etree.QName(ENVELOPE, "Envelope"), nsmap={"s": ENVELOPE})
    etree.SubElement(root, etree.QName(ENVELOPE, "Body")).append(asked)
    return Asked("POST", PATH, etree.tostring(root, xml_declaration=True, encoding="utf-8"), _TYPE, writes)


def parse_reply(reply: VapixReply, expected: str, secrets: Iterable[str] = ()) -> etree._Element:
    """The element `expected` (a local name) in the body. `secrets` were in the request: a fault may repeat them.
    Raises SoapFault, ProtocolFault."""
    root = parse_xml(reply)
    if root.tag != etree.QName(ENVELOPE, "Envelope").text:
        raise garbled(reply, "XML that is no SOAP 1.2")
    found = root.find(f"{{{ENVELOPE}}}Body/*")
    if found is None:
        raise garbled(reply, "an empty SOAP body")
    if local(found) == "Fault":
        raise _fault(reply, found, tuple(secrets))
    if reply.status != 200 or local(found) != expected:
        raise garbled(reply, f"HTTP {reply.status} and another element than {expected}")
    return found


def parse_xml(reply: VapixReply) -> etree._Element:
    """The root of an answer: no DTD, no entities, nothing fetched, at most 100 levels. Raises ProtocolFault."""
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(reply.body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise garbled(reply, f"HTTP {reply.status} and something that is no XML") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise garbled(reply, "XML with a DTD")
    if _too_deep(root):
        raise garbled(reply, f"XML of more than {_MAX_DEPTH} levels")
    return root


def _too_deep(root: etree._Element) -> bool:
    depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > _MAX_DEPTH:
            return True
    return False


def _fault(reply: VapixReply, fault: etree._Element, secrets: tuple[str, ...]) -> SoapFault:
    detail = fault.find(f"{{{ENVELOPE}}}Detail/*")
    name = said(local(detail), secrets) if detail is not None else ""
    reason = fault.find(f"{{{ENVELOPE}}}Reason/{{{ENVELOPE}}}Text")
    more = "".join(map(str, detail.itertext())) if detail is not None and name == "Text" else ""
    words = said(f"{full_text(reason)} {more}".strip(), secrets) or name or "no reason"
    return SoapFault(
        name,
        f"the camera refused: {words}"
        + (f" ({name})" if name and name != "Text" and name not in words else ""),
        endpoint=reply.endpoint,
        next_step="correct the value in the site file; `docs/reference/axis.md` lists the camera's refusals",
    )


def local(element: etree._Element) -> str:
    """The name without its namespace; "" for what is no element."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def named(parent: etree._Element, name: str) -> Iterator[etree._Element]:
    """Children by local name."""
    return (each for each in parent if local(each) == name)


def child(parent: etree._Element, name: str) -> etree._Element | None:
    """The first child by local name."""
    return next(named(parent, name), None)


def full_text(element: etree._Element | None) -> str:
    """All text in an element, "" for none."""
    return "" if element is None else "".join(map(str, element.itertext()))


def text_at(reply: VapixReply, parent: etree._Element, name: str) -> str:
    """The text of a child that must be there. Raises ProtocolFault."""
    found = child(parent, name)
    if found is None:
        raise missing(reply, parent, name)
    return full_text(found).strip()


def missing(reply: VapixReply, parent: etree._Element, name: str) -> ProtocolFault:
    return garbled(reply, f"an element {local(parent)} without {name}")
