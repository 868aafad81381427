"""Takes secrets out of what a server says: some repeat the request in their error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html import escape, unescape
from urllib.parse import quote, quote_plus, unquote_plus

from ivn_provision.secret import MASK

LIMIT = 300
LONGEST = 20_000
_WITHHELD = "(withheld: it repeats a secret)"
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)


def said(value: object, secrets: Iterable[str]) -> str:
    """`value` if it is text: in one line of at most 300 characters, with every form of a secret masked."""
    if not isinstance(value, str) or len(value) > LONGEST:
        return ""
    known = [each for each in secrets if each]
    text = _masked(value, known)
    if any(secret in view for secret in known for view in _views(text.replace(MASK, ""))):
        return _WITHHELD
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= LIMIT else f"{text[:LIMIT]}..."  # cut last: half a secret is not masked


def _masked(text: str, secrets: Iterable[str]) -> str:
    forms = sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)
    if not forms:
        return text
    return re.sub("|".join(map(re.escape, forms)), MASK, text, flags=re.IGNORECASE)


def _forms(secret: str) -> Iterable[str]:
    """As it is, quoted for a URL or form, escaped for JSON, for HTML, and as Python shows it."""
    raw = secret.encode("utf-8", "surrogatepass")
    yield from (secret, quote(raw, safe=""), quote(raw), quote_plus(raw), escape(secret), repr(secret)[1:-1])
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])


def _views(text: str) -> set[str]:
    """What a reader could still make of it: quoting for URLs, JSON and HTML undone, in any order, thrice."""
    views = {text}
    for _ in range(3):
        views |= {undo(view) for view in views for undo in (unquote_plus, unescape, _unescaped)}
    return views


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)) if not found[3] else found[3], text)
