"""A reply as it came -> bytes that are one SOAP envelope with the answer to what was asked, or an error of ours."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from ivn_provision.errors import ProtocolFault

MAX_REPLY = 2 * 1024 * 1024
"""Bytes. The profiles of a device with many video sources are some 100 kB."""
ENVELOPES = (
    "{http://www.w3.org/2003/05/soap-envelope}",
    "{http://schemas.xmlsoap.org/soap/envelope/}",
)


def asked_in(envelope: etree._Element) -> str:
    """The name of the operation in a request."""
    return next(_contents(envelope), "")


def sound(raw: bytes, operation: str, endpoint: str) -> bytes:
    """`raw` where it is well-formed, has no DTD, and holds the answer to `operation` or a fault.

    The library reads what is broken as well as it can; a cut list would look like a short one. Raises ProtocolFault.
    """
    try:
        root = etree.fromstring(raw, _parser())
    except (etree.XMLSyntaxError, ValueError):
        raise off(f"the answer to {operation} is no XML", endpoint) from None
    if getattr(root.getroottree().docinfo, "doctype", ""):
        raise off(f"the answer to {operation} has a DTD, which SOAP forbids", endpoint)
    if next(_contents(root), "") not in {f"{operation}Response", "Fault"}:
        raise off(f"the answer to {operation} is another document", endpoint)
    return raw


def is_fault(raw: bytes) -> bool:
    """Does a sound reply hold a fault?"""
    return next(_contents(etree.fromstring(raw, _parser())), "") == "Fault"


def off(summary: str, endpoint: str) -> ProtocolFault:
    """An answer that is not what ONVIF says."""
    return ProtocolFault(
        summary,
        endpoint=endpoint,
        next_step="is it the camera that answers there, and is ONVIF switched on in it?",
    )


def _contents(root: etree._Element) -> Iterator[str]:
    """Local names of what is in the body."""
    for body in _bodies(root):
        yield from (str(etree.QName(each).localname) for each in body if isinstance(each.tag, str))


def _bodies(root: etree._Element) -> Iterator[etree._Element]:
    for space in ENVELOPES:
        if root.tag == f"{space}Envelope":
            yield from root.iterfind(f"{space}Body")


def _parser() -> etree.XMLParser:
    """A new one: parsers are not shared by threads."""
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
