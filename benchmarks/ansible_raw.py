"""The other peer of `plan`: ansible-core, which reads the ten facts with ten `raw` tasks over `winrm`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.plain_pywinrm import Target
from ivn_provision.lab.nvr.readings import READINGS

FORKS = 50


def write_play(folder: Path, targets: Sequence[Target]) -> list[str | Path]:
    """Write inventory and playbook into `folder`; the arguments of `ansible-playbook`. YAML reads JSON too."""
    hosts = {f"host-{number:04d}": _variables(each) for number, each in enumerate(targets, 1)}
    inventory = folder / "inventory.yml"
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}), "utf-8")
    tasks = [{"name": f"Fact {number}", "raw": line} for number, line in enumerate(READINGS, 1)]
    playbook = folder / "facts.yml"
    play = {"hosts": "all", "gather_facts": False, "strategy": "linear", "tasks": tasks}
    playbook.write_text(json.dumps([play]), "utf-8")
    return ["-i", inventory, "-f", str(FORKS), playbook]


def _variables(target: Target) -> dict[str, object]:
    parts = urlsplit(target.url)
    return {
        "ansible_host": parts.hostname,
        "ansible_port": parts.port,
        "ansible_connection": "winrm",
        "ansible_shell_type": "powershell",
        "ansible_winrm_scheme": parts.scheme,
        "ansible_winrm_transport": "ntlm",
        "ansible_winrm_ca_trust_path": target.ca_file,
        "ansible_user": target.username,
        "ansible_password": target.password,
    }
