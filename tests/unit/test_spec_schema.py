"""The schemas themselves, and that they say the same as the code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import jsonschema
import pytest

from ivn_provision.spec import shapes
from ivn_provision.spec.fleet_schema import fleet_schema
from ivn_provision.spec.scalars import resolve_plain
from ivn_provision.spec.schema_files import schema_text, strict_schema
from ivn_provision.spec.secret_keys import (
    FREE_MAPS,
    SECRET_KEYS,
    SOUND_SECRET,
    known_keys,
    knows,
    looks_secret,
)

SITE: dict[str, Any] = json.loads(schema_text("site.schema.json"))
EXAMPLE = Path(__file__).parents[2].parent / "shared" / "example-site.yml"


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, list):
        for each in schema:
            yield from parts(each)
    elif isinstance(schema, dict):
        yield schema
        for each in schema.values():
            yield from parts(each)


@pytest.mark.parametrize("name", ["site.schema.json", "fleet.schema.json"])
def test_is_json_schema(name: str) -> None:
    schema = json.loads(schema_text(name))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)


def test_fleet_schema_is_in_sync() -> None:
    assert json.loads(schema_text("fleet.schema.json")) == fleet_schema(SITE), "run scripts/make-fleet-schema"


def test_secret_keys_are_those_of_the_schema() -> None:
    found = {
        key
        for part in parts(SITE)
        for key, value in part.get("properties", {}).items()
        if isinstance(value, dict) and value.get("$ref") == "#/$defs/secret"
    }
    assert found == SECRET_KEYS
    assert {key for key in known_keys() if looks_secret(key)} == SECRET_KEYS | SOUND_SECRET


def test_known_keys_are_words_whether_quoted_or_not() -> None:
    assert all(resolve_plain(key) == key != "<<" for key in known_keys())


def test_free_maps_are_those_of_the_schema() -> None:
    found = {
        key
        for part in parts(SITE)
        for key, value in part.get("properties", {}).items()
        if isinstance(value, dict) and isinstance(value.get("additionalProperties"), dict)
    }
    assert found == FREE_MAPS


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("", True),
        ("cameras.0.label", True),
        ("nvr.connect.tls.ca", True),
        ("labels.anything", True),
        ("portal.pins.3.event_type", True),
        ("nvr.connect.label", False),
        ("cameras.label", False),
        ("cameras.0.label.x", False),
        ("cameras.0.axis.frob", False),
        ("cameras.0.axis.smtp.host", True),
    ],
)
def test_known_places(path: str, known: bool) -> None:
    assert knows(path.split(".") if path else []) is known


def test_every_map_is_closed_and_every_value_described() -> None:
    for part in parts(SITE):
        if "properties" in part and part.get("properties") is not SITE["$defs"]:
            if "connect" in part["properties"] and "product" not in part["properties"]:
                continue  # cameras[].axis: open until its driver exists
            assert part["additionalProperties"] is False
        for key, value in part.get("properties", {}).items():
            if isinstance(value, dict) and "type" not in part.get("properties", {}):
                assert "description" in value or "$ref" in value, key


def test_the_strict_schema_knows_no_references() -> None:
    assert {"$ref": "#/$defs/reference"} in SITE["properties"]["portal"]["properties"]["device"][
        "properties"
    ]["web_server_port"]["anyOf"]
    strict: Any = strict_schema("site.schema.json")
    port = strict["properties"]["portal"]["properties"]["device"]["properties"]["web_server_port"]
    assert port["$ref"] == "#/$defs/port"


@pytest.mark.parametrize(
    ("section", "shape"),
    [
        ("nvr", shapes.NvrData),
        ("mail", shapes.MailData),
        ("portal", shapes.PortalData),
        ("acceptance", shapes.AcceptanceData),
        ("", shapes.SiteData),
    ],
)
def test_shapes_have_the_schemas_keys(section: str, shape: type) -> None:
    schema = SITE["properties"][section] if section else SITE
    assert set(get_type_hints(shape)) == set(schema["properties"])


@pytest.mark.parametrize(
    ("section", "shape"),
    [
        ("cameras", shapes.CameraData),
        ("hardware_events", shapes.HardwareEventData),
        ("generic_events", shapes.GenericEventData),
        ("alarms", shapes.AlarmData),
    ],
)
def test_shapes_of_items_have_the_schemas_keys(section: str, shape: type) -> None:
    assert set(get_type_hints(shape)) == set(SITE["properties"][section]["items"]["properties"])


@pytest.mark.skipif(not EXAMPLE.exists(), reason="the shared example is not beside this checkout")
def test_an_editor_accepts_the_example() -> None:
    """An editor knows neither tag: it sees the text after it."""
    import yaml

    class Editor(yaml.SafeLoader):
        pass

    for tag in ("!secret", "!ref"):
        Editor.add_constructor(tag, lambda _loader, node: str(node.value))
    document = yaml.load(EXAMPLE.read_text(), Editor)
    assert list(jsonschema.Draft202012Validator(SITE).iter_errors(document)) == []
