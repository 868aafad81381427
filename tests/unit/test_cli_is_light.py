"""`--help` and `--version` load none of the heavy libraries (issue: asserted)."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "paramiko",
    "winrm",
    "httpx",
    "lxml",
    "starlette",
    "rich",
    "yaml",
    "jsonschema",
    "jsonschema_rs",
    "requests",
    "uvicorn",
)
PROBE = """
import sys
sys.argv = ["ivn-provision", *{arguments!r}]
from ivn_provision.cli.main import main
try:
    main()
except SystemExit as stop:
    code = stop.code
print("LOADED", sorted(name for name in {heavy!r} if name in sys.modules), code, file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["-h"], ["nonsense"]])
def test_nothing_heavy_is_imported(arguments: list[str]) -> None:
    code = PROBE.format(arguments=arguments, heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    wanted = "64" if arguments == ["nonsense"] else "0"
    assert done.stderr.splitlines()[-1] == f"LOADED [] {wanted}"


@pytest.mark.parametrize(
    "name", ["validate", "explain", "plan", "apply", "drift", "audit", "runbook", "show", "play", "lab"]
)
def test_help_of_a_command_loads_no_network_library(name: str) -> None:
    code = PROBE.format(
        arguments=[name, "--help"], heavy=("paramiko", "winrm", "httpx", "starlette", "requests")
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr.splitlines()[-1] == "LOADED [] 0"
    assert done.stdout.startswith("Usage:")
