"""What the lab's recorder assumes about the product, said in one place: assumptions.yml."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True, slots=True)
class Assumption:
    """`mark` is `certain`, `inferred` or `assumed`."""

    mark: str
    topic: str
    text: str


def assumptions() -> tuple[Assumption, ...]:
    """All of them, in the order of the file."""
    import yaml

    text = resources.files("ivn_provision.lab.nvr").joinpath("assumptions.yml").read_text("utf-8")
    return tuple(Assumption(each["mark"], each["topic"], each["text"]) for each in yaml.safe_load(text))
