"""The profiles of the lab's cameras: what a firmware has and how it answers, read from `profiles/*.yml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from ivn_provision.errors import LabError
from ivn_provision.lab.camera.definitions import Definition, definition

PROFILES = ("5.50", "10.12", "11.11", "12.9")
"""As `lab up --axis` and `LabCamera.axis` name them; the file of `5.50` is `axis-5.50.yml`."""


@dataclass(frozen=True, slots=True)
class Api:
    """A JSON API; without `path` it is only listed. `says_method` tells whether replies repeat the method."""

    id: str
    version: str
    path: str
    says_method: bool
    state: str


@dataclass(frozen=True, slots=True)
class ConfigApi:
    """An entry of `/config/discover`."""

    id: str
    major: str
    version: str
    state: str


@dataclass(frozen=True, slots=True)
class GroupTemplate:
    """Groups that `param.cgi?action=add` makes: `StreamProfile.S7`."""

    name: str
    group: str
    letter: str
    most: int
    parameters: Mapping[str, Definition]


@dataclass(frozen=True, slots=True)
class Template:
    """An action's template; `recipient` is empty where none is needed. `slots` are its own, without the recipient's."""

    token: str
    slots: tuple[str, ...]
    recipient: str = ""


@dataclass(frozen=True, slots=True)
class FactoryRule:
    """A rule that is there from the start."""

    name: str
    enabled: bool
    action: str
    topic: str
    content: str


@dataclass(frozen=True, slots=True)
class Ports:
    """Physical ports: inputs first, then outputs. `both_halves` shows Input and Output of each port."""

    configurable: bool
    outputs: int
    name: str
    both_halves: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """What the profile knows (`certain`), infers or assumes."""

    mark: str
    topic: str
    text: str


@dataclass(frozen=True, slots=True)
class Profile:
    """One firmware of one product. Texts of parameters may hold `{serial}`, `{firmware}`, `{product}`, `{number}`."""

    name: str
    firmware: str
    product: str
    number: str
    charset: str
    nonce_seconds: float
    service_seconds: float
    one_connection: bool
    topic_suffix: str
    random_lists: bool
    attributes: tuple[str, ...]
    prefixes: Mapping[str, str]
    virtual_inputs: int
    manual_triggers: int
    systemready: str
    ports: Ports
    apis: Mapping[str, Api]
    config_apis: tuple[ConfigApi, ...]
    parameters: Mapping[str, Definition]
    groups: Mapping[str, GroupTemplate]
    actions: Mapping[str, Template]
    recipients: Mapping[str, Template]
    rules: tuple[FactoryRule, ...]
    marks: tuple[Mark, ...]


@cache
def profile(name: str) -> Profile:
    """By its name. Raises LabError for one that does not exist."""
    if name not in PROFILES:
        raise LabError(f"the lab has no Axis profile {name!r}", next_step=f"profiles: {', '.join(PROFILES)}")
    own = _read(f"axis-{name}")
    base = _read(own["based_on"])
    return _profile(name, _merged(base, own))


def _read(stem: str) -> dict[str, Any]:
    import yaml

    text = resources.files("ivn_provision.lab.camera").joinpath(f"profiles/{stem}.yml").read_text("utf-8")
    # every scalar stays the text that it is: `no` is a value of parameters
    found: dict[str, Any] = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - the safest of its loaders
    return found


def _merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    joined = {name: {**base[name], **own.get(name, {})} for name in ("parameters", "actions", "recipients")}
    return {**base, **own, **joined, "marks": [*base["marks"], *own["marks"]]}


def _profile(name: str, data: dict[str, Any]) -> Profile:
    slots = {token: _slots(data, found) for token, found in data["recipients"].items()}
    return Profile(
        name=name,
        firmware=data["firmware"],
        product=data["product"],
        number=data["number"],
        charset=data["charset"],
        nonce_seconds=float(data["nonce_seconds"]),
        service_seconds=int(data["service_milliseconds"]) / 1000,
        one_connection=data["one_connection"] == "yes",
        topic_suffix=data["topic_suffix"],
        random_lists=data["random_lists"] == "yes",
        attributes=tuple(data["attributes"]),
        prefixes=data["prefixes"],
        virtual_inputs=int(data["virtual_inputs"]),
        manual_triggers=int(data["manual_triggers"]),
        systemready=data.get("systemready", ""),
        ports=_ports(data["io"]),
        apis={key: _api(key, each) for key, each in data["apis"].items()},
        config_apis=tuple(ConfigApi(key, **each) for key, each in data["config_apis"].items()),
        parameters=dict(sorted((key, definition(row)) for key, row in data["parameters"].items())),
        groups={key: _group(key, each) for key, each in data["groups"].items()},
        actions={
            key: Template(key, tuple(each["slots"]), each.get("recipient", ""))
            for key, each in data["actions"].items()
        },
        recipients={token: Template(token, found) for token, found in slots.items()},
        rules=tuple(
            FactoryRule(e["name"], e["enabled"] == "true", e["action"], e["topic"], e["content"])
            for e in data["rules"]
        ),
        marks=tuple(Mark(each["mark"], each["topic"], each["text"]) for each in data["marks"]),
    )


def _slots(data: dict[str, Any], found: object) -> tuple[str, ...]:
    """Slots in place, or the name of the list that has them."""
    return tuple(data[found] if isinstance(found, str) else found)  # type: ignore[arg-type]


def _ports(data: Mapping[str, str]) -> Ports:
    return Ports(data["configurable"] == "yes", int(data["outputs"]), data["name"], data["halves"] == "both")


def _api(key: str, data: Mapping[str, str]) -> Api:
    return Api(key, data["version"], data.get("path", ""), data.get("method") != "no", data.get("state", ""))


def _group(key: str, data: Mapping[str, Any]) -> GroupTemplate:
    parameters = {name: definition(row) for name, row in data["parameters"].items()}
    return GroupTemplate(key, data["group"], data["letter"], int(data["most"]), parameters)
