"""The OpenAPI document: the portal validates bodies with the very schemas that it publishes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

from ivn_provision.errors import LabError
from ivn_provision.lab.portal.problems import Detail, Problem

_NAME = "portal.openapi.yaml"
_PACKAGE = Path(__file__).resolve().parents[2]


def contract_file() -> Path:
    """`schemas/portal.openapi.yaml`: in the wheel, or next to the package in a checkout."""
    for folder in (_PACKAGE / "_schemas", _PACKAGE.parent / "schemas"):
        if (folder / _NAME).is_file():
            return folder / _NAME
    raise LabError(
        f"{_NAME} is not installed", next_step="reinstall ivn-provision: its data files are missing"
    )


@dataclass(frozen=True, slots=True)
class BodySchema:
    """The compiled schema of a request body with its defaults."""

    validator: Any
    defaults: dict[str, Any]
    allowed: tuple[str, ...]

    def check(self, body: object) -> dict[str, Any]:
        """The body with defaults filled in. Raises Problem `validation` that names every place, never a value."""
        errors = [_detail(each, self.allowed) for each in self.validator.iter_errors(body)]
        if errors:
            summary = "; ".join(f"{each.pointer or 'body'}: {each.message}" for each in errors[:3])
            raise Problem("validation", summary, errors=errors)
        assert isinstance(body, dict)
        filled: dict[str, Any] = _plain_numbers(json.loads(json.dumps(self.defaults)) | body)
        return filled


@cache
def body_schema(name: str) -> BodySchema:
    """The schema `#/components/schemas/NAME`."""
    components = _document()["components"]
    schema = {"$ref": f"#/components/schemas/{name}", "components": components}
    properties: dict[str, Any] = components["schemas"][name]["properties"]
    defaults = {key: default for key, each in properties.items() for default in _default(each)}
    # masked: an error must not repeat a password
    return BodySchema(
        jsonschema_rs.Draft202012Validator(schema, mask="the value"), defaults, tuple(sorted(properties))
    )


@cache
def _document() -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loaded: dict[str, Any] = yaml.load(contract_file().read_text("utf-8"), loader)  # noqa: S506 - a safe loader
    return loaded


def _default(schema: dict[str, Any]) -> Iterator[Any]:
    if "default" in schema:
        yield schema["default"]
    elif "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        yield from _default(_document()["components"]["schemas"][name])


def _detail(error: Any, allowed: tuple[str, ...]) -> Detail:
    pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in error.instance_path)
    code = type(error.kind).__name__
    message = str(error.message)
    if code == "AdditionalProperties" and not pointer:
        message += f"; writable are: {', '.join(allowed)}"
    return Detail(pointer, code, message)


def _plain_numbers(value: Any) -> Any:
    """`10.0` is an integer for JSON Schema: stored as 10, so that equal content has one text."""
    if isinstance(value, dict):
        return {key: _plain_numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain_numbers(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
