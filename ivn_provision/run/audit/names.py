"""How findings are called: an id that is the same in every audit that finds the same thing."""

from __future__ import annotations

import hashlib
import re

from ivn_provision.run.audit.record import FindingKind

ID = re.compile(r"[0-9a-f]{16}(?:\.[0-9a-f]{6})?")


def finding_id(site: str, kind: FindingKind, what: str, about: str) -> str:
    """16 hex digits. `about` is the address, or what a check is about."""
    return hashlib.sha256("\0".join((site, kind, what, about)).encode("utf-8", "replace")).hexdigest()[:16]


def part_id(whole: str, fields: tuple[str, ...]) -> str:
    """Of a part of a finding that is judged apart: the id of the whole, and six digits more."""
    return f"{whole}.{hashlib.sha256(chr(0).join(sorted(fields)).encode()).hexdigest()[:6]}"


def whole_id(id_: str) -> str:
    """The id of the finding of which it may be a part."""
    return id_.partition(".")[0]
