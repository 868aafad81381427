"""Names of ours on a camera, and what they say of the password that was written (the keyed fingerprint).

A camera shows no password. So the name of what holds one ends with ` #FP`: an HMAC of the mail password, keyed
by the password of the camera account and the serial number. Whoever can log in computes the same, without a state
file; whoever only reads names cannot even try passwords.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

from ivn_provision.secret import Fingerprint, Secret

PREFIX = "ivn-provision: "
_DIGITS = 32
_NAME = re.compile(rf"{re.escape(PREFIX)}(?P<key>.+?)(?: #(?P<print>[0-9a-f]{{{_DIGITS}}}))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Owned:
    """What a name of ours says: the key, and the fingerprint of the password, "" for none."""

    key: str
    print: str = ""


def owned(name: str) -> Owned | None:
    """None for a name that is not ours."""
    found = _NAME.fullmatch(name)
    return Owned(found["key"], found["print"] or "") if found else None


def rule_name(key: str) -> str:
    return f"{PREFIX}{key}"


def keyed_name(key: str, salt: str, password: Secret | None) -> str:
    """The name of a recipient or an action configuration that holds this password."""
    return f"{PREFIX}{key} #{_digest(salt, password)}" if password is not None else f"{PREFIX}{key}"


def salt_of(account: Secret, serial: str) -> str:
    """The salt of one camera, known to whoever knows its account's password."""
    return hmac.digest(account.reveal().encode(), f"ivn-provision smtp {serial}".encode(), "sha256").hex()


def fingerprint(salt: str, print_: str) -> Fingerprint:
    """As the diff compares it with the declared password."""
    return Fingerprint(salt, print_)


def _digest(salt: str, password: Secret) -> str:
    return hmac.new(salt.encode(), password.reveal().encode(), hashlib.sha256).hexdigest()[:_DIGITS]
