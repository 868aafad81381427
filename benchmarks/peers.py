"""The other tools, in an environment of their own: never among the project's dependencies."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("check-jsonschema", "ansible-core", "pywinrm")
_INSTALL_SECONDS = 600
_TAG = re.compile(r"!(secret|ref) ")

_TASK = """\
    - name: Write setting {number}
      ansible.builtin.lineinfile:
        path: /srv/bench/setting-{number}.conf
        line: value={number}
        mode: "0644"
      when: bench_number is defined
"""
_PLAY = """\
- name: Generated for measuring, {number}
  hosts: localhost
  gather_facts: false
  vars:
    bench_number: {number}
  tasks:
"""
_TASKS = 48


@dataclass(frozen=True, slots=True)
class Peers:
    """Programs of the peers; `versions` such as `ansible-core 2.19`."""

    check_jsonschema: Path
    ansible_playbook: Path
    versions: tuple[str, ...]


def install(folder: Path) -> Peers | str:
    """The peers in `folder`, installed with pip if they are not there yet; else why they cannot be."""
    programs = folder / "bin"
    try:
        if not (programs / "ansible-playbook").exists():
            _checked(sys.executable, "-m", "venv", str(folder))
            _checked(str(programs / "python"), "-m", "pip", "install", "--quiet", *PACKAGES)
        listed = _checked(str(programs / "python"), "-m", "pip", "list", "--format=freeze")
    except (OSError, subprocess.SubprocessError) as error:
        return f"{', '.join(PACKAGES)} could not be installed ({type(error).__name__})"
    versions = tuple(
        line.replace("==", " ") for line in listed.splitlines() if line.partition("==")[0] in PACKAGES
    )
    return Peers(programs / "check-jsonschema", programs / "ansible-playbook", versions)


def untagged(text: str) -> str:
    """A site file without our tags, which check-jsonschema refuses: the schema takes their plain text too."""
    return _TAG.sub("", text)


def playbook(number: int) -> str:
    """A playbook of about 300 lines."""
    tasks = (_TASK.format(number=task) for task in range(1, _TASKS + 1))
    return _PLAY.format(number=number) + "".join(tasks)


def _checked(*command: str) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALL_SECONDS)
    return done.stdout
