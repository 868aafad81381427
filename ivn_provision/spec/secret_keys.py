"""Which keys of a site file hold secrets, and what else in it may be one and is never quoted.

A misspelt `password` is an unknown key, and nobody can list all misspellings: so the value of every key that
the schema does not know is treated as a secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from ivn_provision.spec.schema_files import schema_text

MASKED = "********"
"""What reports show instead."""

SECRET_KEYS = frozenset({"password", "client_secret", "key_passphrase"})
"""Keys that want `!secret`, wherever they stand. A test compares them with the schema."""

SOUND_SECRET = frozenset({"host_key", "key_file"})
"""Keys that hold no secret but sound like it: a key itself may have been pasted there, so they are not quoted."""

FREE_MAPS = frozenset({"labels"})
"""Maps of scalars whose keys are the user's own. A test compares them with the schema."""

_LOOKS_SECRET = re.compile(r"pas|pw|phrase|psk|secret|token|key|cred|private", re.IGNORECASE)
_KEY_END = re.compile(r"[:=]")
_NAMED = re.compile(r"(\w[\w.-]*)[\"']?\s?[:=]")
_WORD = re.compile(r"\S+")
_SCHEME = re.compile(r"""["'(,\[{]*[A-Za-z][A-Za-z0-9.+-]*://""")


def looks_secret(key: str) -> bool:
    """Might the value of this key, known or not, be a password?"""
    return _LOOKS_SECRET.search(key) is not None


@cache
def known_keys() -> frozenset[str]:
    """Every name that the schema of a site has for a key, wherever."""
    return frozenset(_names(_site_schema()))


def may_be_quoted(key: str, parent: str = "") -> bool:
    """May a report show the value of `key` in the map `parent`? Not if it might be a password."""
    return not looks_secret(key) and (key in known_keys() or parent in FREE_MAPS)


def knows(parts: list[str]) -> bool:
    """Does the schema know the place at these parts of a JSON pointer?"""
    root = _site_schema()
    at = list(_choices(root, root))
    for part in parts:
        at = [each for schema in at for below in _below(schema, part) for each in _choices(below, root)]
    return bool(at)


def key_text(key: str) -> str:
    """A key as it may be shown: `pw:hunter2`, where the blank is missing, is one to YAML."""
    end = _KEY_END.search(key)
    return key if end is None else f"{key[: end.end()]}{MASKED}"


def names_secret(text: str) -> bool:
    """Does a value look like `password:hunter2`, or `password=hunter2`?"""
    return any(looks_secret(found[1]) for found in _NAMED.finditer(text[:1000]))


def without_user_information(text: str) -> str:
    """`https://user:password@host` -> `https://********@host`, whatever the password holds; also without a scheme."""
    return _WORD.sub(_without_user, text) if "@" in text else text


def _without_user(word: re.Match[str]) -> str:
    before, at, host = word[0].rpartition("@")
    if not at or ":" not in before:
        return word[0]
    scheme = _SCHEME.match(before)
    return f"{scheme[0] if scheme else ''}{MASKED}@{host}"


@cache
def _site_schema() -> Any:
    return json.loads(schema_text("site.schema.json"))


def _names(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        properties = schema.get("properties")
        yield from properties if isinstance(properties, dict) else ()
    parts = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    for part in parts:
        yield from _names(part)


def _choices(schema: Any, root: Any) -> Iterator[dict[str, Any]]:
    """A schema with its references followed, and each of its alternatives."""
    if not isinstance(schema, dict):
        return
    yield schema
    if "$ref" in schema:
        yield from _choices(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    for word in ("anyOf", "oneOf", "allOf"):
        for each in schema.get(word, ()):
            yield from _choices(each, root)


def _below(schema: dict[str, Any], part: str) -> Iterator[Any]:
    if "items" in schema and part.isdigit():
        yield schema["items"]
    elif part in schema.get("properties", {}):
        yield schema["properties"][part]
    elif schema.get("type") == "object" and schema.get("additionalProperties", True) is not False:
        more = schema.get("additionalProperties")
        yield more if isinstance(more, dict) else {}
