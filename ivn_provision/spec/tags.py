"""The two tags of site files: `!secret SCHEME:NAME` and `!ref a.b.c`."""

from __future__ import annotations

import re

from ivn_provision.secret import SCHEMES, SecretRef
from ivn_provision.spec.nodes import Reference
from ivn_provision.spec.scalars import Surprise

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_KEYRING = re.compile(r"[^/\x00-\x1f]+/[^\x00-\x1f]+\Z")
_FILE = re.compile(r"[^\x00-\x1f\x7f]+\Z")
_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*\Z")

_FORMS = {
    "env": (_ENV_NAME, "`!secret env:NAME`, where NAME has letters, digits and `_`"),
    "file": (_FILE, "`!secret file:PATH`, relative to this file or absolute"),
    "keyring": (_KEYRING, "`!secret keyring:SERVICE/USER`"),
}


def parse_secret(text: str, base: str) -> SecretRef | Surprise:
    """The reference after `!secret`; `base` is the folder of the file that says it.

    The text of a malformed one is not repeated: it may be the password itself.
    """
    scheme, colon, name = text.partition(":")
    if not colon or scheme not in SCHEMES:
        hint = "Write `!secret env:NAME`, `!secret file:PATH` or `!secret keyring:SERVICE/USER`."
        return Surprise("SCH022", "a secret reference begins with env:, file: or keyring:", hint)
    pattern, form = _FORMS[scheme]
    if not pattern.match(name):
        return Surprise("SCH022", f"this {scheme}: reference has the wrong form", f"Write {form}.")
    return SecretRef(scheme, name, base)


def parse_reference(text: str) -> Reference | Surprise:
    """The path after `!ref`."""
    if not _PATH.match(text) or len(text) > 500:
        hint = (
            "Write a path of keys, such as `!ref nvr.services.event_server_port` or `!ref cameras.10.label`."
        )
        return Surprise("SCH030", "a !ref holds a path of keys joined by dots", hint)
    return Reference(text)
