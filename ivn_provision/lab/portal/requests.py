"""Reading a request: path keys, query, body. Every doubt is a Problem."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from starlette.requests import Request

from ivn_provision.lab.clock import parse_rfc3339, rfc3339
from ivn_provision.lab.portal.problems import Detail, Problem, not_found
from ivn_provision.lab.portal.store import Spot

MAX_BODY_BYTES = 1024 * 1024
_OF_SITE, _OF_LIST = ("devices", "alarm_inputs", "newest_mail"), ("vacant_leases",)
_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_PIN = re.compile(r"[1-9][0-9]{0,2}\Z")


def spot_of(params: Mapping[str, str], kind: str, *, creating: bool = False) -> Spot:
    """The object a path names. An impossible key is 404, or 422 where the object would be created."""
    source = params.get("source", "soft")
    good = {
        "site_key": bool(_KEY.match(params["site_key"])),
        "device_key": bool(_KEY.match(params.get("device_key", "x"))),
        "source": source in {"hardware", "soft"},
        "pin": bool(_PIN.match(params.get("pin", "1"))),
    }
    for name, fine in good.items():
        if not fine and creating:
            raise bad_parameter(name, f"{name} in the path is not possible")
        if not fine:
            raise not_found(f"{kind.replace('_', ' ')} with such a {name.replace('_', ' ')}")
    spot = Spot(kind, params["site_key"])
    if kind == "site":
        return spot
    spot = Spot(kind, spot.site, params["device_key"])
    return spot if kind == "device" else Spot(kind, spot.site, spot.device, source, int(params["pin"]))


def bad_parameter(name: str, message: str) -> Problem:
    """422 for a query, path or header parameter."""
    return Problem("validation", message + ".", errors=[Detail("", "parameter", message, parameter=name)])


async def read_body(request: Request, media_type: str) -> bytes:
    """At most 1 MiB of `media_type`. Raises Problem 413 or 415."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
        raise _too_large()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != media_type:
        raise Problem("unsupported-media-type", f"Send {media_type}.")
    return bytes(body)


def _too_large() -> Problem:
    return Problem(
        "too-large", f"A body has at most {MAX_BODY_BYTES} bytes.", headers={"Connection": "close"}
    )


async def read_json(request: Request) -> object:
    """The JSON body. Raises Problem 400 for what is not strict JSON: duplicate keys, NaN, lone surrogates."""
    raw = await read_body(request, "application/json")
    try:
        text = raw.decode("utf-8")
        parsed: object = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
        json.dumps(parsed, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        reason = type(error).__name__ if isinstance(error, UnicodeError | RecursionError) else str(error)
        raise Problem("malformed", f"The body is not JSON: {reason[:200]}") from None
    return parsed


async def read_form(request: Request) -> dict[str, str]:
    """A urlencoded form in which each field stands once. Raises Problem 400."""
    raw = await read_body(request, "application/x-www-form-urlencoded")
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError:
        raise Problem("malformed", "The form cannot be read.", extra={"error": "invalid_request"}) from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise Problem("malformed", "A field stands twice in the form.", extra={"error": "invalid_request"})
    return form


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in an object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def page_size(request: Request) -> int:
    """`page_size`, 1 to 200, default 50. Raises Problem 422."""
    text = request.query_params.get("page_size", "50")
    if not re.fullmatch(r"[0-9]{1,3}", text, re.ASCII) or not 1 <= int(text) <= 200:
        raise bad_parameter("page_size", "page_size is a number from 1 to 200")
    return int(text)


def whole_number(request: Request, name: str) -> int:
    """A parameter that is 0 or more, 0 if not given. Raises Problem 422."""
    text = request.query_params.get(name, "0")
    if not re.fullmatch(r"[0-9]{1,18}", text, re.ASCII):
        raise bad_parameter(name, f"{name} is a whole number of at most 18 digits")
    return int(text)


def since(request: Request, name: str) -> str:
    """A time parameter in the store's form; "" if not given. Raises Problem 422."""
    text = request.query_params.get(name)
    if text is None:
        return ""
    try:
        return rfc3339(parse_rfc3339(text))
    except (ValueError, OverflowError):
        raise bad_parameter(name, f"{name} is an RFC 3339 time with offset") from None


def include(request: Request, *, of_list: bool = False) -> frozenset[str]:
    """What to give beside a site itself. Raises Problem 422."""
    text = request.query_params.get("include")
    if text is None:
        return frozenset()
    asked = text.split(",")
    possible = [*_OF_SITE, *(_OF_LIST if of_list else ())]
    if not set(asked) <= set(possible) or len(set(asked)) != len(asked):
        raise bad_parameter("include", f"include is one or more of {', '.join(possible)}")
    return frozenset(asked) | ({"devices"} if "alarm_inputs" in asked else set())


def labels(request: Request) -> list[tuple[str, str]]:
    """`label=name=value`, repeated. Raises Problem 422."""
    found = []
    for text in request.query_params.getlist("label"):
        match = re.fullmatch(r"([a-z][a-z0-9_-]{0,62})=([^\x00-\x1f\x7f]{0,200})", text)
        if match is None:
            raise bad_parameter("label", "label is name=value")
        found.append((match[1], match[2]))
    if len(found) > 10:
        raise bad_parameter("label", "at most 10 labels")
    return found


def status(request: Request) -> str:
    """`status`; "" if not given. Raises Problem 422."""
    text = request.query_params.get("status")
    if text is not None and text not in {"draft", "active", "inactive"}:
        raise bad_parameter("status", "status is draft, active or inactive")
    return text or ""
