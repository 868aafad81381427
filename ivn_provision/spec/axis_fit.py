"""What an `axis:` section can hold, asked of the schema itself: nothing else decides what can be declared of a camera."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast

import jsonschema_rs

from ivn_provision.secret import SecretRef
from ivn_provision.spec.schema_check import SITE
from ivn_provision.spec.schema_files import Schema, strict_schema

_SECTION = "properties/cameras/items/properties/axis/properties"


def misfit(part: str, value: object) -> str:
    """Why `part` of a section cannot hold `value`, "" if it can: `name is longer than 48 characters`, or `is empty`
    of the value itself.

    `part` is a path in the section's schema: `smtp`, `recipients/items`, `time/properties/posix_zone`.
    """
    data = _asked(value)
    if _validator(part).is_valid(data):
        return ""
    from jsonschema import Draft202012Validator

    error = next(iter(Draft202012Validator(_schema(part)).iter_errors(data)), None)
    if error is None:  # only the other validator sees it: a line end after the last character
        return "has the wrong form"
    where = ".".join(str(each) for each in error.absolute_path)
    return f"{where} {_words(str(error.validator), error.validator_value, error.schema)}".lstrip()


def most(part: str) -> int:
    """How many items a list may have."""
    return cast("int", _schema(part)["maxItems"])


def _words(keyword: str, wanted: Any, schema: Any) -> str:
    found: Any = schema if isinstance(schema, Mapping) else {}
    expected = found.get("x-expected")
    said = {
        "minLength": "is empty",
        "minItems": "is empty",
        "maxLength": f"is longer than {wanted} characters",
        "maxItems": f"has more than {wanted} items",
        "minimum": f"is not {found.get('minimum')} to {found.get('maximum')}",
        "maximum": f"is not {found.get('minimum')} to {found.get('maximum')}",
        "enum": f"is none of {', '.join(map(str, wanted))}" if isinstance(wanted, list) else "",
        "type": "is no whole number" if wanted == "integer" else "",
    }
    return said.get(keyword) or (f"is not {expected}" if expected else "has the wrong form")


@cache
def _schema(part: str) -> Schema:
    whole = strict_schema(SITE)
    found: Any = whole
    for step in f"{_SECTION}/{part}".split("/"):
        found = found[step]
    return {"$defs": whole["$defs"], **found}


@cache
def _validator(part: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(_schema(part))


def _asked(value: object) -> Any:
    """As the schema sees it: of a secret the text of its reference."""
    if isinstance(value, SecretRef):
        return f"{value.scheme}:{value.name}"
    if isinstance(value, Mapping):
        return {key: _asked(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_asked(each) for each in value]
    return value
