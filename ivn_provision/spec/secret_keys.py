"""Which keys of a site file hold secrets, and which look as if they did."""

from __future__ import annotations

import re

SECRET_KEYS = frozenset({"password", "client_secret"})
"""Keys that want `!secret`, wherever they stand. A test compares them with the schema."""

_LOOKS_SECRET = re.compile(r"pass|secret|token|pwd|credential|private_key", re.IGNORECASE)


def looks_secret(key: str) -> bool:
    """Might the value of this key, known or not, be a password?"""
    return _LOOKS_SECRET.search(key) is not None
