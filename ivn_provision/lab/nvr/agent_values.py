"""Values of the agent protocol: canonical JSON, refusals, and strict reading of arguments."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Json: TypeAlias = "bool | int | str | Sequence[Json] | Mapping[str, Json] | None"
Object: TypeAlias = Mapping[str, Json]


class AgentRefusal(Exception):
    """A verb that answers `ok: false`."""

    def __init__(self, code: str, message: str, path: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.path = path

    def as_json(self) -> Object:
        """The `error` object of a reply."""
        shown: dict[str, Json] = {"code": self.code, "message": self.message}
        return shown if self.path is None else {**shown, "path": self.path}


def canonical(value: Json) -> bytes:
    """The one JSON text of a value: sorted keys, no white space, ASCII only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def bad_arguments() -> AgentRefusal:
    """The refusal of a missing or mistyped argument."""
    return AgentRefusal("bad_request", "bad arguments")


def text(arguments: Object, name: str) -> str:
    """A string argument."""
    value = arguments.get(name)
    if not isinstance(value, str):
        raise bad_arguments()
    return value


def whole(arguments: Object, name: str) -> int:
    """An integer argument; a boolean is none."""
    return whole_value(arguments.get(name))


def whole_value(value: Json) -> int:
    """An integer; a boolean is none."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise bad_arguments()
    return value


def items(arguments: Object, name: str) -> Sequence[Json]:
    """A list argument."""
    return items_value(arguments.get(name))


def items_value(value: Json) -> Sequence[Json]:
    """A list."""
    if not isinstance(value, list):
        raise bad_arguments()
    return value


def texts(arguments: Object, name: str) -> list[str]:
    """A list of strings."""
    found = [each for each in items(arguments, name) if isinstance(each, str)]
    if len(found) != len(items(arguments, name)):
        raise bad_arguments()
    return found


def objects(arguments: Object, name: str) -> list[Object]:
    """A list of objects."""
    found: list[Object] = [each for each in items(arguments, name) if isinstance(each, dict)]
    if len(found) != len(items(arguments, name)):
        raise bad_arguments()
    return found


def unbase64(value: Json) -> bytes:
    """Bytes from a base64 string."""
    if not isinstance(value, str):
        raise bad_arguments()
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_arguments() from error


def base64_text(content: bytes) -> str:
    """Bytes as a base64 string."""
    return base64.b64encode(content).decode("ascii")


def text_order(value: str) -> bytes:
    """Sorts as .NET's ordinal comparison does: by UTF-16 code unit."""
    return value.encode("utf-16-be", "surrogatepass")


def cut(value: str, length: int) -> str:
    """The first so many UTF-16 code units, as .NET counts."""
    return text_order(value)[: 2 * length].decode("utf-16-be", "surrogatepass")
