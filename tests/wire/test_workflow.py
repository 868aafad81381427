"""The scripts of the reusable workflow, run as GitHub runs them, in a git repository, against the lab."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.workflow import EXPRESSION, step
from tests.support.world import World, started

MARKER = "<!-- ivn-provision plan -->"
GH = """#!/usr/bin/env python3
import json, os, sys
log = os.environ["GH_LOG"]
with open(log, "a") as file:
    file.write(json.dumps(sys.argv[1:]) + chr(10))
if "--jq" in sys.argv:
    sys.stdout.write(os.environ.get("GH_COMMENT", ""))
"""


@dataclass(frozen=True)
class Hub:
    """A repository with a pull request: `main` is the base, one site's file is changed since."""

    world: World
    folder: Path

    def run(self, job: str, name: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A step's script, with the environment that GitHub gives it."""
        one = step(job, name)
        values = {
            "inputs.fleet": "sites",
            "inputs.tool": "ivn-provision",
            "secrets.IVN_ENV": "CI_SECRET=hush-hush-hush\nnot a line\n",
            "secrets.IVN_PROVISION_KEY": "k" * 32,
            "github.token": "token",
            "github.event.pull_request.number": "7",
            f"steps.{job}.outputs.code": more.pop("code", ""),
        }
        given = {name: EXPRESSION.sub(lambda found: values[found[1]], text) for name, text in one.env.items()}
        environment = {
            "PATH": f"{self.folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": os.environ["HOME"],
            "GITHUB_BASE_REF": "main",
            "GITHUB_REPOSITORY": "owner/fleet",
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "GH_LOG": str(self.folder / "gh.log"),
        }
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", one.run],
            cwd=self.folder,
            env={**environment, **given, **more},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def output(self) -> str:
        return (self.folder / "output").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    base = tmp_path_factory.mktemp("workflow")
    with started(base, count=3) as world:
        (base / "bin").mkdir()
        gh = base / "bin" / "gh"
        gh.write_text(GH, encoding="utf-8")
        gh.chmod(0o755)
        repository = world.folder.parent
        (repository / ".gitignore").write_text("lab/\nbin/\n.ivn/\n", encoding="utf-8")
        git(repository, "init", "-q", "-b", "main")
        commit(repository)
        git(repository, "update-ref", "refs/remotes/origin/main", "HEAD")
        git(repository, "checkout", "-q", "-b", "change")
        path = world.folder / "lab-0002.yml"
        path.write_text(path.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
        commit(repository)
        yield Hub(world, repository)


def git(folder: Path, *arguments: str) -> None:
    own = ("-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *own, *arguments], cwd=folder, check=True, capture_output=True, timeout=30)


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "change")


def test_validate(hub: Hub) -> None:
    assert hub.run("validate", "SARIF").returncode == 0
    assert json.loads((hub.folder / "validate.sarif").read_text(encoding="utf-8"))["version"] == "2.1.0"
    assert hub.run("validate", "Validate").returncode == 0


def test_plan_of_what_changed_as_a_comment(hub: Hub) -> None:
    done = hub.run("plan", "Plan")
    assert done.returncode == 0, done.stderr
    assert "::add-mask::hush-hush-hush" in done.stdout
    assert hub.output() == "code=0\n"
    text = (hub.folder / "plan.md").read_text(encoding="utf-8")
    assert text.startswith(MARKER)
    assert "lab-0002" in text
    assert "lab-0001" not in text
    assert "hush" not in text
    for comment, method in (("", "POST"), ("41\n42\n", "PATCH")):
        done = hub.run("plan", "Comment", GH_COMMENT=comment)
        assert done.returncode == 0, done.stderr
        last = json.loads((hub.folder / "gh.log").read_text(encoding="utf-8").splitlines()[-1])
        assert method in last
        assert "body=@plan.md" in last
        place = "repos/owner/fleet/issues/comments/42" if comment else "repos/owner/fleet/issues/7/comments"
        assert place in last
    assert hub.run("plan", "Verdict", code="0").returncode == 0
    assert hub.run("plan", "Verdict", code="1").returncode == 1


def test_a_saved_plan_is_applied_by_another_runner(hub: Hub) -> None:
    (hub.folder / "output").write_text("", encoding="utf-8")
    done = hub.run("save-plan", "Plan")
    assert done.returncode == 0, done.stderr
    assert hub.output() == "applyable=true\n"
    assert MARKER in (hub.folder / "summary").read_text(encoding="utf-8")
    assert not (
        hub.folder / ".ivn"
    ).exists()  # the key came by the environment: another machine knows as much
    done = hub.run("apply", "Apply")
    assert done.returncode in {0, 4}, done.stderr  # 4: a password is left for a person
    assert not (hub.folder / ".ivn" / "key").exists()
    again = hub.run("apply", "Apply")
    assert again.returncode == 1
    assert "hush" not in again.stdout.replace("::add-mask::hush-hush-hush", "") + again.stderr


def test_audit(hub: Hub) -> None:
    (hub.folder / "output").write_text("", encoding="utf-8")
    done = hub.run("audit", "Audit")
    assert done.returncode == 0, done.stderr
    assert hub.output() in {"code=0\n", "code=2\n", "code=4\n"}
    assert json.loads((hub.folder / "audit.sarif").read_text(encoding="utf-8"))["version"] == "2.1.0"
    assert (hub.folder / "audit.html").is_file()
