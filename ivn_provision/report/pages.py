"""What every HTML page of ours is made with: everything is escaped, and an unknown name is an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ivn_provision.report.paint import safe

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

MOST_CHARACTERS = 600
"""Of one piece of text: what is longer is cut, visibly; the JSON has all of it."""


def page_template(name: str, filters: Mapping[str, Callable[..., Any]]) -> Template:
    """A template of `report/templates`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ivn_provision.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters
    return environment.get_template(name)


def brief(text: str) -> str:
    """Text from outside, safe to read, and cut where it is very long."""
    if len(text) <= MOST_CHARACTERS:
        return safe(text)
    return f"{safe(text[:MOST_CHARACTERS])}… ({len(text) - MOST_CHARACTERS} more characters, see the JSON)"


def backquoted(text: str, tag: str) -> Markup:
    """Escaped text in which what stands between backquotes is an element `tag`; an odd backquote is a character."""
    from markupsafe import Markup, escape

    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    element = Markup(f"<{tag}>{{}}</{tag}>")  # noqa: S704 - the tag is a word of ours
    shown = [element.format(part) if at % 2 else escape(part) for at, part in enumerate(parts)]
    return Markup("").join(shown)
