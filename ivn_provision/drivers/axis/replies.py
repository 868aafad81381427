"""What every answer of a camera is read with: its text, and an error with its place where it is something else."""

from __future__ import annotations

import re

from ivn_provision.errors import ProtocolFault, Refused
from ivn_provision.secret import MASK
from ivn_provision.transports.masking import said
from ivn_provision.transports.vapix import VapixReply

CHARSET = "iso-8859-1"
"""Of all that is no XML or JSON: definitions declare it (facts/axis.md, 2). What other letters become is unknown."""
_CHARSET = re.compile(r"charset=[\"']?([\w-]+)", re.IGNORECASE)
_SECRET = re.compile(r"pass|pwd|privatekey|secret", re.IGNORECASE)


def garbled(reply: VapixReply, what: str) -> ProtocolFault:
    """The answer to a request is not what VAPIX promises."""
    return ProtocolFault(
        f"{reply.endpoint} answered {reply.path} with {what}",
        endpoint=reply.endpoint,
        where=reply.path,
        next_step="see whether it is an Axis camera, without a proxy; else report the firmware and this answer",
    )


def refused(reply: VapixReply, reason: str, secrets: tuple[str, ...] = ()) -> Refused:
    """The camera understood and will not: `reason` are its own words."""
    words = said(reason, secrets) or "no reason"
    return Refused(
        f"the camera refused {reply.path}: {words}",
        endpoint=reply.endpoint,
        where=reply.path,
        next_step="correct the value in the site file, or look at the camera's own pages",
    )


def text_of(reply: VapixReply) -> str:
    """The text of a good answer. Raises ProtocolFault for another status, HTML, or control characters."""
    if reply.status != 200:
        raise garbled(reply, f"HTTP {reply.status}")
    if "html" in reply.content_type.lower() or reply.body.lstrip()[:1] == b"<":
        raise garbled(reply, "a page instead of its values")
    return _decoded(reply)


def page_of(reply: VapixReply) -> str:
    """The text of an answer that is HTML by nature. Raises ProtocolFault."""
    if reply.status != 200:
        raise garbled(reply, f"HTTP {reply.status}")
    return _decoded(reply)


def _decoded(reply: VapixReply) -> str:
    named = _CHARSET.search(reply.content_type)
    charset = "utf-8" if named and named[1].lower() in {"utf-8", "utf8"} else CHARSET
    text = reply.body.decode(charset, "replace")
    if "\0" in text:
        raise garbled(reply, "bytes that are no text")
    return text


def is_secret(name: str) -> bool:
    """Does a parameter of this name hold a password or a key? Its value is never kept."""
    return _SECRET.search(name.rpartition(".")[2]) is not None


def without_secret(name: str, value: str) -> str:
    """The value, or only that there is one."""
    return MASK if value and is_secret(name) else value
