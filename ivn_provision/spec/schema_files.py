"""The JSON Schemas: package data of the wheel, or the checkout's `schemas/`."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import cast

Schema = dict[str, object]

REFERENCE = {"$ref": "#/$defs/reference"}


def schema_file(name: str) -> Traversable:
    """The file of a schema such as `site.schema.json`."""
    packaged = files("ivn_provision") / "_schemas" / name
    if packaged.is_file():
        return packaged
    return Path(__file__).resolve().parents[2] / "schemas" / name


@cache
def schema_text(name: str) -> str:
    """The text of a schema file."""
    return schema_file(name).read_text(encoding="utf-8")


@cache
def strict_schema(name: str) -> Schema:
    """The schema as the tool asks it: after references were followed, so `reference` is no alternative.

    Editors see the same file, where a place may also hold the text of a `!ref`.
    """
    return cast("Schema", _without_references(json.loads(schema_text(name))))


def _without_references(schema: object) -> object:
    if isinstance(schema, list):
        return [_without_references(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    choices = schema.get("anyOf")
    if isinstance(choices, list) and REFERENCE in choices and len(choices) == 2:
        (other,) = (each for each in choices if each != REFERENCE)
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        return {**rest, **_without_references(other)}  # type: ignore[dict-item] # a schema is a map
    return {key: _without_references(value) for key, value in schema.items()}
