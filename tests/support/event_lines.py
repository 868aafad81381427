"""Lines of `--format jsonl`, each held against the schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from jsonschema import Draft202012Validator

from ivn_provision.spec.schema_files import schema_text

VALIDATOR = Draft202012Validator(json.loads(schema_text("events.schema.json")))


def messages(text: str) -> list[dict[str, Any]]:
    """Every line is one object, in ASCII, as the schema says; the first is the version, the last the end."""
    assert text.isascii()
    assert text.endswith("\n")
    found = [json.loads(line) for line in text.split("\n")[:-1]]
    for each in found:
        VALIDATOR.validate(each)
        assert each["@message"].isprintable()
    assert found[0]["type"] == "version"
    assert found[-1]["type"] == "run_complete"
    return found


def of_type(found: Sequence[dict[str, Any]], *types: str) -> list[dict[str, Any]]:
    return [each for each in found if each["type"] in types]


def each_site_ends_once(found: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Outcomes by site."""
    ends = [(each["ivn"]["site"], each["ivn"]["outcome"]) for each in of_type(found, "site_complete")]
    assert len(ends) == len(dict(ends))
    return dict(ends)
