"""The built wheel, installed into an empty environment, validates and plans on its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.support.required import link_required
from tests.support.world import World

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(each) for each in command],
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the scripts of an environment that holds nothing but the wheel and what it requires.

    What it requires is linked from the environment of the tests: no index is asked.
    """
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    built = ("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    run(*pip, *built, cwd=folder)
    (wheel,) = folder.glob("ivn_provision-*.whl")
    venv.create(folder / "env")
    scripts = folder / "env" / "bin"
    run(
        *pip,
        "--python",
        scripts / "python",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        wheel,
        cwd=folder,
    )
    (site_packages,) = folder.glob("env/lib/python*/site-packages")
    link_required("ivn-provision", site_packages)
    return scripts


def test_it_holds_what_the_wheel_requires_and_nothing_else(installed: Path) -> None:
    code = "import paramiko, winrm, lxml, rich, importlib.util as u; print(*map(u.find_spec, ('pytest', 'starlette')))"
    assert run(installed / "python", "-c", code, cwd=installed) == "None None\n"


@pytest.mark.timeout(300)
def test_the_wheel_validates_and_plans(installed: Path, world: World) -> None:
    at = world.folder.parent
    python = installed / "python"
    where = run(python, "-c", "import ivn_provision; print(ivn_provision.__file__)", cwd=at)
    assert str(installed.parent) in where, "the checkout must not be what is tested"
    validated = json.loads(run(installed / "ivn-provision", "validate", "sites", "--format", "json", cwd=at))
    assert validated["valid"] is True
    planned = run(installed / "ivn-provision", "plan", "lab-0001", cwd=at)
    assert "+ portal device" in planned
    assert 'camera "10"' in planned


def test_the_wheel_has_no_lab_extra_and_says_so(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(installed / "ivn-provision"), "lab", "up"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "ivn-provision[lab]" in done.stderr
    assert "Traceback" not in done.stderr
