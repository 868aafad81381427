"""What checks see of an Axis camera beside its declared objects: frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CameraClock:
    """`offset`: seconds that the camera's clock is ahead (behind: negative), as far as that is certain; None where it
    is not known. `said` is the time in the camera's own words, `how` which answer it is from."""

    offset: float | None
    said: str
    how: str


@dataclass(frozen=True, slots=True)
class Mailer:
    """A rule that is on, is not ours, and mails. `addresses` may be empty: not every template says them."""

    rule: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CameraSeen:
    """`model` is the product number (`M1034-W`). `inputs` and `outputs` are the ports that the camera has, from 1;
    None where it does not say. `active` says of inputs whether they are active now.
    `legacy` are events of the kind before firmware 5.40, as `Event.E0 (Name)`. `mail_server` is the camera's own
    word on the way to its mail server. `mailers` is None where its rules are not shown.
    `missing` says why something was not seen: `clock`, `inputs`, `mail_server`, `mailers`."""

    model: str
    product: str
    firmware: str
    inputs: frozenset[int] | None = None
    outputs: frozenset[int] = frozenset()
    active: Mapping[int, bool] = field(default_factory=dict)
    clock: CameraClock | None = None
    legacy: tuple[str, ...] = ()
    mail_server: str = ""
    mailers: tuple[Mailer, ...] | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
