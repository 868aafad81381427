"""What a person does in the portal behind the tool's back, for `lab tamper` and `lab remove`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ivn_provision.errors import LabError
from ivn_provision.lab.portal.calls import Core
from ivn_provision.lab.portal.contract import body_schema
from ivn_provision.lab.portal.fire import fire_soft
from ivn_provision.lab.portal.problems import Problem
from ivn_provision.lab.portal.store import Json, Spot, Stored

# kind of `lab tamper` -> kind of the store and its schema; the key is a device, or `[DEVICE/]2H`
KINDS = {
    "site": ("site", "SiteInput"),
    "device": ("device", "DeviceInput"),
    "pin": ("alarm_input", "AlarmInputInput"),
}


def tamper(core: Core, site: str, kind: str, key: str, fields: Mapping[str, str]) -> None:
    """Change fields of a portal object as its web form would. `clip.pre_seconds` reaches into an object.

    Values are JSON where they can be read as such, else text. Raises LabError.
    """
    found = _find(core, site, kind, key)
    content: dict[str, Any] = json.loads(json.dumps(found.content))
    for name, text in fields.items():
        _set(content, name, _value(text))
    try:
        checked = body_schema(KINDS[kind][1]).check(content)
        puts = {
            "site": core.objects.put_site,
            "device": core.objects.put_device,
            "alarm_input": core.objects.put_alarm_input,
        }
        puts[found.path.kind](found.path, checked)
    except Problem as problem:
        raise LabError(f"the portal refuses that: {problem.detail}") from None


def remove(core: Core, site: str, kind: str, key: str) -> None:
    """Delete a portal object with what is below it. Raises LabError."""
    core.store.delete(_find(core, site, kind, key).path)


async def press_fire(core: Core, site: str, pin: int) -> Json:
    """The portal's fire button of a soft trigger. Raises LabError."""
    for found in core.store.all("alarm_input", site):
        if (found.path.source, found.path.pin) == ("soft", pin):
            try:
                return await fire_soft(core, found)
            except Problem as problem:
                raise LabError(f"soft trigger {pin} of {site} was not sent: {problem.detail}") from None
    raise LabError(f"the portal has no soft alarm input {pin} for {site}", next_step=_there_are(core, site))


def _find(core: Core, site: str, kind: str, key: str) -> Stored:
    if kind == "site":
        found = core.store.get(Spot("site", site))
        if found is None:
            raise LabError(f"the portal has no site {site!r}", next_step="apply it first")
        return found
    candidates = core.store.all(KINDS[kind][0], site)
    matches = [each for each in candidates if key in _names(each.path) or (not key and len(candidates) == 1)]
    if len(matches) != 1:
        raise LabError(
            f"the portal has {'no' if not matches else 'several'} {kind} {key!r} in {site}",
            next_step=_there_are(core, site),
        )
    return matches[0]


def _names(spot: Spot) -> tuple[str, ...]:
    if spot.kind == "device":
        return (spot.device,)
    pin = f"{spot.pin}{'H' if spot.source == 'hardware' else 'S'}"
    return (pin, f"{spot.device}/{pin}")


def _there_are(core: Core, site: str) -> str:
    spots = [each.path for kind in ("device", "alarm_input") for each in core.store.all(kind, site)]
    return f"there are: {', '.join(_names(each)[0] for each in spots) or 'none'}"


def _set(content: Json, name: str, value: Any) -> None:
    *outer, last = name.split(".")
    place: Any = content
    for part in outer:
        place = place.get(part) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        raise LabError(f"there is no field {name!r}", next_step=f"fields are: {', '.join(content)}")
    place[last] = value


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
