"""`validate` and `explain` as a user runs them, the result cache, and that no report shows a password."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ivn_provision.cli.explain import command as explain_command
from ivn_provision.cli.validate import command as validate_command
from ivn_provision.errors import UsageProblem
from ivn_provision.spec.check import check_paths
from ivn_provision.spec.codes import CODES
from ivn_provision.spec.ruleset import NO_RULES

CONNECT = "nvr:\n  product: p\n  connect:\n    host: 10.0.0.1\n    username: u\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sites/groups").mkdir(parents=True)


def site(text: str, name: str = "a") -> None:
    Path(f"sites/{name}.yml").write_text(text)


def validate(*arguments: str) -> Result:
    return CliRunner().invoke(validate_command, arguments, catch_exceptions=False)


def test_clean() -> None:
    site("site: a\n")
    result = validate()
    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr == "1 site: no errors, no warnings\n"


def test_text_looks_like_a_compiler() -> None:
    site(f"site: a\n{CONNECT}    prot: 5986\n")
    result = validate("sites")
    assert result.exit_code == 1
    assert result.stdout == (
        "error[SCH001]: unknown key `prot` in `nvr.connect`\n"
        " --> sites/a.yml:7:5\n"
        "  |\n"
        "7 |     prot: ********\n"
        "  |     ^^^^\n"
        "  = hint: Did you mean `port`? Allowed here: transport, host, port, tls, auth, username, "
        "password, certificate, host_key, known_hosts, key_file, key_passphrase, agent.\n\n"
    )


def test_warnings_alone_pass() -> None:
    site("site: a\nmail:\n")
    result = validate("--no-cache")
    assert result.exit_code == 0
    assert "warning[SCH042]" in result.stdout


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github"])
@pytest.mark.parametrize(
    "line",
    [
        "    password: hunter2",
        "    password: hunter2: x",
        "    passwd: hunter2",
        "    token: [hunter2]\n    password: hunter2",
        "    password: |\n      hunter2\n    x",
        "    password: 'hunter2\n      hunter2\n",
        "    password:\n      - hunter2",
        "    password: !!python/name:x hunter2",
        "    password: !secret hunter2",
        "    password: *hunter2x",
        "    host: https://u:hunter2@x/",
        "    host: https://u:hun/ter2@hunter2@x/",
        "    host: u:hunter2@x/",
        "    pasword: hunter2",
        "    pw: hunter2: x",
        "    apikey: 'hunter2'",
        "    frobnicate: hunter2",
        "    my port: hunter2\n    port: x",
        "    label: hunter2",
        "    label: hunter2\n    label: hunter2",
        "    'label' : hunter2",
        "    frob: |\n      hunter2\n     - x: [",
        "    frob: |\n" + "      hunter2\n" * 60 + "    x\n",
        "    frob:\n      host: hunter2\n      host: hunter2",
        "    frob:\n    - hunter2\n    - {",
        "    frob: 'x\nhunter2' hunter2",
        "    tls: {ca: x, frob: hunter2, port: 5}",
        "    tls: {ca: x, frob:\nhunter2, ca: hunter2}",
        "    {frob :hunter2}",
        "    ? frob\n    : hunter2\n    ? [x]",
        "    password hunter2",
        "    password=hunter2\n    x",
        "    password: {hunter2}",
        "    password: [hunter2]",
        "    password: !hunter2",
        "    frob: {hunter2}",
        "    tls: {ca: x, frob:hunter2}\n    port: x",
        "    tls: {ca: x, pw:hunter2, pw:hunter2}",
        "    tls: pw:hunter2",
        "    'frob:hunter2': x",
        "    frob: !hunter2 x",
        "    host: [1]  # password: hunter2",
        "    transport: !ref nvr.connect.pw\n    pw: hunter2",
        "    transport: !ref nvr.connect.password\n    password: hunter2",
    ],
)
def test_no_report_shows_a_password(form: str, line: str) -> None:
    site(f"site: a\n{CONNECT}{line}\n")
    result = validate("--format", form, "--no-cache")
    assert result.exit_code == 1
    assert "hunter2" not in result.output


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github"])
@pytest.mark.parametrize(
    "line", ["frob: 0123987", "psk: 0123987", "frob: {a: [0123987]}", "labels: {keypad: 0123987}"]
)
def test_no_report_shows_a_password_that_looks_like_a_number(form: str, line: str) -> None:
    site(f"site: a\n{line}\n")
    result = validate("--format", form, "--no-cache")
    assert result.exit_code == 1
    assert "123987" not in result.output


def test_a_label_may_be_quoted() -> None:
    site("site: a\nlabels:\n  open: NO\n")
    result = validate("--no-cache")
    assert "`NO` is false" in result.stdout
    assert "3 |   open: NO" in result.stdout


def test_json() -> None:
    site(f"site: a\n{CONNECT}    port: x\n")
    document = json.loads(validate("--format", "json").stdout)
    assert (document["valid"], document["error_count"]) == (False, 1)
    (found,) = document["diagnostics"]
    assert found["range"] == {
        "filename": "sites/a.yml",
        "start": {"line": 7, "column": 11},
        "end": {"line": 7, "column": 12},
    }
    assert found["snippet"]["code"] == "    port: x"
    assert (found["snippet"]["highlight_start_offset"], found["snippet"]["highlight_end_offset"]) == (10, 11)


def test_sarif() -> None:
    site("site: a\ndescription: x\ndescription: v\n")
    document = json.loads(validate("--format", "sarif").stdout)
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    assert run["tool"]["driver"]["rules"] == [
        {"id": "YML009", "shortDescription": {"text": CODES["YML009"]}},
    ]
    (found,) = run["results"]
    location = found["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "sites/a.yml"
    assert location["region"]["startLine"] == 3
    assert found["relatedLocations"][0]["physicalLocation"]["region"]["startLine"] == 2


def test_github_escapes() -> None:
    site("site: a\nx,y: 1\n")
    line = validate("--format", "github").stdout.strip()
    assert line.startswith("::error file=sites/a.yml,line=2,col=1,endColumn=4,title=SCH001::")
    assert "\n" not in line


def test_a_path_that_is_not_there_is_a_usage_problem() -> None:
    with pytest.raises(UsageProblem):
        validate("nowhere")


def test_unchanged_sites_come_from_the_cache() -> None:
    site("site: a\nmail:\n")
    site("site: b\ngroups: [g]\n", "b")
    Path("sites/groups/g.yml").write_text("time_zone: Europe/Rome\n")
    first, second = validate(), validate()
    assert "(2 unchanged)" in second.stderr
    assert second.stdout == first.stdout
    Path("sites/groups/g.yml").write_text("time_zone: 5\n")
    third = validate()
    assert third.exit_code == 1
    assert "(1 unchanged)" in third.stderr
    Path("sites/groups/g.yml").unlink()
    assert "SCH041" in validate().stdout


def test_errors_are_never_cached() -> None:
    site("site: b\n")
    assert validate().exit_code == 1
    assert "unchanged" not in validate().stderr


@pytest.mark.parametrize("content", ["", "[]", "{", '{"version": 1}', '{"sites": []}', "\x00"])
def test_a_broken_cache_is_ignored(content: str) -> None:
    site("site: a\n")
    validate()
    Path(".ivn/cache/validate.json").write_text(content)
    assert validate().exit_code == 0


def test_broken_entries_are_ignored() -> None:
    site("site: a\n")
    check_paths(["sites"], cache_folder="c", rules=NO_RULES)
    stored = json.loads(Path("c/validate.json").read_text())
    stored["sites"]["sites/a.yml"]["diagnostics"] = [{"severity": "fatal"}]
    Path("c/validate.json").write_text(json.dumps(stored))
    checked = check_paths(["sites"], cache_folder="c", rules=NO_RULES)
    assert (checked.unchanged, checked.diagnostics) == (0, ())


def test_explain_a_value() -> None:
    Path("sites/fleet.yml").write_text("nvr:\n  services: {event_server_port: 1234}\n")
    site(f"site: a\n{CONNECT}  services:\n    event_server_port: 4321\n")
    result = CliRunner().invoke(
        explain_command, ["a", "nvr.services.event_server_port"], catch_exceptions=False
    )
    lines = result.stdout.splitlines()
    assert lines[0] == "nvr.services.event_server_port = 4321"
    assert lines[1].split() == ["*", "site", "4321", "sites/a.yml:8:24"]
    assert lines[2].split() == ["fleet", "1234", "sites/fleet.yml:2:33"]


def test_explain_everything_as_json() -> None:
    site("site: a\nlabels: {x: !ref site}\ncameras: [{number: 3, label: L, hardware: {address: h}}]\n")
    result = CliRunner().invoke(explain_command, ["a", "--format", "json"], catch_exceptions=False)
    values = {each["path"]: each["value"] for each in json.loads(result.stdout)}
    assert values["cameras.3.label"] == "L"
    assert values["labels.x"] == "a (by !ref site)"


def test_explain_masks_passwords_that_should_not_be_there() -> None:
    site(f"site: a\n{CONNECT}    password: hunter2\n")
    result = CliRunner().invoke(explain_command, ["a"], catch_exceptions=False)
    assert "nvr.connect.password = (sensitive value)" in result.stdout
    assert "hunter2" not in result.stdout


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "line",
    [
        "    pasword: hunter2",
        "    frob: {x: [hunter2]}",
        "    label: hunter2",
        "    password: {x: hunter2}",
        "    tls: {frob:hunter2}",
        "    host: https://u:hun/ter2@hunter2@x/",
        "    pw: hunter2\n    transport: !ref nvr.connect.pw\n    auth: !ref nvr.connect.transport",
    ],
)
def test_explain_masks_what_may_be_a_password(form: str, line: str) -> None:
    Path("sites/fleet.yml").write_text("nvr: {connect: {frob: hunter2, password: hunter2}}\n")
    site(f"site: a\n{CONNECT}{line}\n    frob: !secret env:X\n".replace("    frob: {", "    x: {"))
    result = CliRunner().invoke(explain_command, ["a", "--format", form], catch_exceptions=False)
    assert "nvr.connect.host" in result.stdout
    assert "hunter2" not in result.stdout
    assert "ter2" not in result.stdout


def test_explain_of_references_in_a_circle_ends() -> None:
    site("site: a\nnvr: {product: !ref nvr.connect.host, connect: {host: !ref nvr.product}}\n")
    result = CliRunner().invoke(explain_command, ["a"], catch_exceptions=False)
    assert "nvr.product = (not valid)" in result.stdout


@pytest.mark.parametrize(
    ("path", "guess"), [("nvr.conect", "`connect`"), ("nvrr", "`nvr`"), ("nvr.product.x", "nothing")]
)
def test_explain_a_path_that_is_not_there(path: str, guess: str) -> None:
    site(f"site: a\n{CONNECT}")
    with pytest.raises(UsageProblem) as problem:
        CliRunner().invoke(explain_command, ["a", path], catch_exceptions=False)
    assert guess in problem.value.next_step
