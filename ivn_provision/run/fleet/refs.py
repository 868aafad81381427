"""A site of a fleet by its file: what is handed around instead of the site itself, which is large."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SiteRef:
    """A site file, and what it is selected by. The site is loaded where it is worked on, and then dropped.

    `root` is the folder of its fleet. `groups`, `labels` and `network` are empty where nobody asked for them:
    they are known only after reading the file over its levels.
    """

    name: str
    path: str
    root: str
    groups: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    network: str = ""
