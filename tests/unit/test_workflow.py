"""The reusable workflow: valid, least permissions, nothing of a stranger in a script, and options that exist."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from ivn_provision.cli.main import cli
from tests.support.workflow import EXPRESSION, FILE, WorkflowStep, calls, steps, workflow

STEPS = list(steps())
CALLS = [(each.job, call) for each in STEPS for call in calls(each.run)]
WRITES = {
    "validate": {"security-events"},
    "plan": {"pull-requests"},
    "save-plan": set(),
    "apply": set(),
    "audit": {"security-events"},
}


def test_it_is_what_github_takes() -> None:
    """SchemaStore's schema of workflows, which check-jsonschema carries with it: no network."""
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(FILE)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("one", STEPS, ids=[f"{each.job}: {each.name}" for each in STEPS])
def test_no_expression_is_in_a_script(one: WorkflowStep) -> None:
    """GitHub pastes expressions into the text: a branch's name would be run."""
    assert "${{" not in one.run
    assert "eval" not in one.run
    assert "script" not in one.given


def test_what_a_stranger_writes_is_nowhere() -> None:
    allowed = {"github.event.pull_request.number", "github.token", "github.run_id"}
    found = set(EXPRESSION.findall(FILE.read_text(encoding="utf-8")))
    assert {each for each in found if each.startswith("github.")} <= allowed
    used = {each.partition(".")[0] for each in found if "(" not in each}
    assert used == {"github", "inputs", "secrets", "steps"}


def test_permissions_are_the_least() -> None:
    about = workflow()
    assert about["permissions"] == {}
    found = {name: job["permissions"] for name, job in about["jobs"].items()}
    assert {
        name: {key for key, level in each.items() if level == "write"} for name, each in found.items()
    } == WRITES
    assert all(each.pop("contents") == "read" for each in found.values())


def test_actions_are_githubs_own_and_leave_no_token() -> None:
    for each in STEPS:
        if each.uses:
            owner, _, version = each.uses.partition("/")
            assert owner in {"actions", "github"}
            assert version.partition("@v")[2].isdecimal()
        if each.uses.startswith("actions/checkout@"):
            assert each.given["persist-credentials"] is False


def test_jobs_end_and_only_apply_waits_for_a_person() -> None:
    jobs = workflow()["jobs"]
    assert all(job["timeout-minutes"] <= 120 for job in jobs.values())
    assert [name for name, job in jobs.items() if "environment" in job] == ["apply"]
    assert jobs["apply"]["concurrency"]["cancel-in-progress"] is False


def test_secrets_are_given_only_to_the_steps_that_need_them() -> None:
    for job, about in workflow()["jobs"].items():
        assert "secrets." not in str(about.get("env", {})), job
    having = {(each.job, each.name) for each in STEPS if "secrets." in str(each.env)}
    assert having == {("plan", "Plan"), ("save-plan", "Plan"), ("apply", "Apply"), ("audit", "Audit")}


@pytest.mark.parametrize(("job", "call"), CALLS, ids=[f"{job}: {' '.join(call)}" for job, call in CALLS])
def test_every_command_exists_with_its_options(job: str, call: list[str]) -> None:
    name, *arguments = call
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    command.make_context(name, arguments)


def test_all_commands_were_found() -> None:
    assert {call[0] for _, call in CALLS} == {"validate", "plan", "apply", "audit"}
