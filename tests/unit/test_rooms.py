"""Which room may import which (DESIGN: rooms), read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "ivn_provision"
FORBIDDEN = {
    "spec": ("drivers", "run", "cli", "lab", "plan", "model", "transports"),
    "model": ("drivers", "run", "cli", "lab", "plan", "transports", "report"),
    "plan": ("drivers", "run", "cli", "lab", "transports", "report"),
    "drivers": ("run", "cli", "lab", "report"),
    "transports": ("run", "cli", "lab", "report", "drivers", "plan", "model"),
    "run": ("cli", "lab", "report"),
    "report": ("cli", "lab", "drivers", "transports"),
    "verify": ("run", "cli", "report", "lab"),
    "lab": ("spec", "model", "plan", "drivers", "transports", "run", "report", "cli", "secret"),
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_keeps_to_its_neighbours(room: str) -> None:
    files = list((PACKAGE / room).rglob("*.py"))
    assert files
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in files
        for name in imports(path)
        for other in FORBIDDEN[room]
        if name == f"ivn_provision.{other}" or name.startswith(f"ivn_provision.{other}.")
    ]
    assert wrong == []


def test_only_the_commands_know_the_lab() -> None:
    outside = [path for path in PACKAGE.rglob("*.py") if "lab" not in path.relative_to(PACKAGE).parts]
    wrong = [
        str(path.relative_to(PACKAGE))
        for path in outside
        if not path.name.startswith("lab")
        and any(name.startswith("ivn_provision.lab") for name in imports(path))
    ]
    assert wrong == []


def test_the_core_does_not_print_or_sleep() -> None:
    files = [
        path
        for room in ("spec", "model", "plan", "drivers", "run", "verify")
        for path in (PACKAGE / room).rglob("*.py")
    ]
    wrong = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "time.sleep", "sleep"}
    ]
    assert wrong == []
