"""The schema of `fleet.yml` and `groups/*.yml`, made from the site's: see scripts/make-fleet-schema."""

from __future__ import annotations

from typing import Any

from ivn_provision.spec.merge import KEYED, PLAIN, Shape

_SITE_ONLY = ("site", "groups")
_COMPLETED_LATER = ("required", "minProperties", "minItems")


def fleet_schema(site: dict[str, Any]) -> dict[str, Any]:
    """Same sections, nothing required but the keys of list items."""
    made: dict[str, Any] = _loosen(site, KEYED)
    made["$id"] = str(site["$id"]).replace("site.schema.json", "fleet.schema.json")
    made["title"] = "ivn-provision fleet or group defaults"
    made["description"] = (
        "fleet.yml and groups/NAME.yml: the sections of a site file, to be completed by the sites. "
        "Made from site.schema.json by scripts/make-fleet-schema; do not edit."
    )
    made["properties"] = {key: value for key, value in made["properties"].items() if key not in _SITE_ONLY}
    made["$defs"] = site["$defs"]
    return made


def _loosen(schema: dict[str, Any], shape: Shape) -> dict[str, Any]:
    out = {key: value for key, value in schema.items() if key not in _COMPLETED_LATER}
    if "properties" in schema:
        children = shape.children or {}
        out["properties"] = {
            key: _loosen(value, children.get(key, PLAIN)) for key, value in schema["properties"].items()
        }
    if isinstance(schema.get("items"), dict):
        out["items"] = _loosen(schema["items"], PLAIN)
        if shape.identity:
            out["items"]["required"] = list(shape.identity)
    return out
