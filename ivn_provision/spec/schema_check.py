"""Does plain data fit its schema? jsonschema-rs decides in microseconds; jsonschema words what is wrong."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Protocol

import jsonschema_rs

from ivn_provision.diagnostics import Diagnostic
from ivn_provision.spec.nodes import Node
from ivn_provision.spec.schema_files import strict_schema

if TYPE_CHECKING:
    from ivn_provision.spec.plain import Data

SITE = "site.schema.json"
FLEET = "fleet.schema.json"


class Fitting(Protocol):
    """Plain data of a document; `unknown` are the ids of nodes whose value is not known, of which nothing is said."""

    data: Data
    unknown: set[int]


@cache
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(strict_schema(name))


def check(name: str, plain: Fitting, root: Node) -> list[Diagnostic]:
    """Every way in which `plain`, made from `root`, does not fit the schema `name`."""
    if _validator(name).is_valid(plain.data):
        return []
    from ivn_provision.spec.schema_words import word_errors

    return word_errors(name, plain, root)
