"""Message filters: XPath over the simple items of an event, evaluated for real."""

from __future__ import annotations

from collections.abc import Mapping

from lxml import etree

ITEM_FILTER = "http://www.onvif.org/ver10/tev/messageContentFilter/ItemFilter"
_LONGEST = 4096


class BadFilter(Exception):
    """It is no XPath, or too long."""


def checked(content: str) -> str:
    """The filter as it stands, when it can be evaluated. Raises BadFilter."""
    holds(content, {})
    return content


def holds(content: str, items: Mapping[str, str]) -> bool:
    """Whether an event with these items passes; an empty filter lets all pass. Raises BadFilter."""
    if not content.strip():
        return True
    if len(content) > _LONGEST:
        raise BadFilter("too long")
    message = etree.Element("Message")
    for name, value in items.items():
        etree.SubElement(message, "SimpleItem", Name=name, Value=value)
    try:
        found = etree.XPath(content, regexp=False)(etree.ElementTree(message))
    except (etree.XPathError, ValueError) as error:
        raise BadFilter(str(error)) from None
    return bool(found)
