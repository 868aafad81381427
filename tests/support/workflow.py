"""The reusable workflow as data: its jobs, their steps, and the commands of the tool in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).resolve().parents[2] / ".github" / "workflows" / "fleet.yml"
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


@dataclass(frozen=True, slots=True)
class WorkflowStep:
    """A step; `run` is "" for one that uses an action. `env` is that of its job and its own, with expressions."""

    job: str
    name: str
    run: str
    uses: str
    env: Mapping[str, str]
    given: Mapping[str, Any]


def workflow() -> dict[Any, Any]:
    """All of it. YAML 1.1 reads the key `on` as true."""
    found = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def steps() -> Iterator[WorkflowStep]:
    for job, about in workflow()["jobs"].items():
        for each in about["steps"]:
            env = {**about.get("env", {}), **each.get("env", {})}
            name = each.get("name") or each["uses"]
            yield WorkflowStep(
                job, name, each.get("run", ""), each.get("uses", ""), env, each.get("with", {})
            )


def step(job: str, name: str) -> WorkflowStep:
    (found,) = (each for each in steps() if (each.job, each.name) == (job, name))
    return found


def calls(run: str) -> Iterator[list[str]]:
    """The arguments of every `ivn-provision` in a script, without what the shell takes for itself."""
    for line in run.splitlines():
        words = shlex.split(line)
        if "ivn-provision" in words[:1]:
            ends = [index for index, word in enumerate(words) if word in {">", ">>", "||", "|"}]
            yield words[1 : min(ends, default=len(words))]
