"""The text of an HTML mail, line by line as a person would see it."""

from __future__ import annotations

import re
from collections.abc import Iterator

_BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "body", "br", "center", "dd", "div", "dl", "dt", "fieldset"}
    | {"footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p"}
    | {"pre", "section", "table", "tbody", "tfoot", "thead", "tr", "ul"}
)
_HIDDEN = frozenset({"script", "style", "head", "title", "template"})
_BLANKS = re.compile(r"[ \t\n\r\f]+")
_SPACES = re.compile(r" {2,}")


def html_text(html: str) -> str:
    """Lines without blank ones between them; blanks are as HTML shows them, and `&nbsp;` is a blank.

    Never raises. Comments, scripts and styles are left out, so are elements nested deeper than libxml2 allows.
    """
    from lxml import etree

    parser = etree.HTMLParser(
        encoding="utf-8", no_network=True, recover=True, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(html.replace("\0", "\ufffd").encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return ""
    if root is None:
        return ""
    text = "".join(_pieces(etree.iterwalk(root, events=("start", "end")))).replace("\u00a0", " ")
    lines = (_SPACES.sub(" ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _pieces(walk: Iterator[tuple[str, object]]) -> Iterator[str]:
    from lxml import etree

    hidden = kept = 0  # depths of elements that are not shown, and that keep their line breaks
    for event, element in walk:
        assert isinstance(element, etree._Element)  # noqa: SLF001 - lxml has no public name for the type
        tag = element.tag.lower() if isinstance(element.tag, str) else ""
        starts = event == "start"
        if not hidden:
            yield _around(tag, starts=starts)
        hidden += (tag in _HIDDEN) * (1 if starts else -1)
        kept += (tag == "pre") * (1 if starts else -1)
        shown = element.text if starts else element.tail
        if shown and not hidden:
            yield shown if kept else _BLANKS.sub(" ", shown)


def _around(tag: str, *, starts: bool) -> str:
    """What an element's beginning or end puts between texts."""
    if tag in _BLOCKS:
        return "\n"
    return " " if tag in {"td", "th"} and not starts else ""
