"""The benchmarks run and report at a tiny size, and their page is well-formed. No times are asserted."""

from __future__ import annotations

import json
import re
import resource
import sys
from pathlib import Path

import pytest

from benchmarks import ansible_raw, cameras, fleet, large_recorder, peers, plan_lab, startup, validate_fleet
from benchmarks.fleet_files import write_fleet
from benchmarks.lab_server import Traffic
from benchmarks.machine import Watch, conditions
from benchmarks.measure import BenchmarkError, Usage, interleaved, median, run
from benchmarks.nvr_side import write_nvr_side
from benchmarks.options import Options, main
from benchmarks.plain_pywinrm import Target
from benchmarks.report import DOCUMENT, Aim, Report, markers, write_section
from ivn_provision.spec.check import check_paths

SECTIONS = (
    startup.NAME,
    validate_fleet.NAME,
    plan_lab.NAME,
    large_recorder.NAME,
    cameras.NAME,
    fleet.NAME,
)
REPORT = Report("one", "On a machine.", ("what", "ms"), [("a", "1"), ("b", "2")], [Aim("a", 2, 1, "ms")])


def test_generated_sites_have_about_300_lines_and_no_findings(tmp_path: Path) -> None:
    fleet = write_fleet(tmp_path, 3)
    checked = check_paths([str(tmp_path)])
    assert (checked.sites, checked.diagnostics) == (3, ())
    assert 280 <= fleet.lines_per_site <= 320


def test_generated_playbooks_have_as_many_lines() -> None:
    assert 280 <= len(peers.playbook(1).splitlines()) <= 320


def test_untagged_sites_keep_the_values() -> None:
    assert peers.untagged("password: !secret env:A\nport: !ref b.c\n") == "password: env:A\nport: b.c\n"


def test_peers_that_cannot_be_installed_are_a_reason(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", "utf-8")
    found = peers.install(tmp_path / "taken")
    assert isinstance(found, str)
    assert "could not be installed" in found


def test_run_measures_a_program(tmp_path: Path) -> None:
    usage = run([sys.executable, "-c", "b = bytearray(60_000_000)"], cwd=tmp_path)
    assert usage.cpu > 0
    assert usage.wall > 0
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # the child's peak counts from the fork
    assert 55 < usage.peak < own + 200


def test_run_refuses_a_program_that_fails(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="ended with 3:\nwhy"):
        run([sys.executable, "-c", "print('why'); raise SystemExit(3)"], cwd=tmp_path)


def test_interleaved_takes_turns() -> None:
    turns: list[str] = []

    def program(name: str, cpu: float) -> Usage:
        turns.append(name)
        return Usage(1.0, cpu, 2.0)

    found = interleaved({"a": lambda: program("a", 1.0), "b": lambda: program("b", 3.0)}, 2)
    assert turns == ["a", "b", "a", "b"]
    assert found["b"].cpu == 3.0


def test_median_is_of_each_figure() -> None:
    usages = [Usage(1, 30, 5), Usage(2, 10, 5), Usage(9, 20, 5)]
    assert median(usages) == Usage(2, 20, 5)


def test_startup_reports_both_programs() -> None:
    report = startup.measure(Options(quick=True))
    assert [row[0] for row in report.rows] == [
        "`ivn-provision --help`",
        "bare lazy click application",
        "`python -c pass`",
    ]
    assert report.rows[1][3] == "1.00"
    assert len(report.aims) == 1


def test_the_bare_application_shows_the_same_commands(tmp_path: Path) -> None:
    import subprocess

    startup.programs(tmp_path)
    texts = [
        subprocess.run(
            [sys.executable, tmp_path / name, "--help"], check=True, capture_output=True, text=True
        ).stdout.partition("Commands:")[2]
        for name in ("ours.py", "bare.py")
    ]
    assert texts[1].strip()
    assert texts[0].startswith(texts[1].rstrip())


def test_validate_measures_cold_unchanged_and_changed(tmp_path: Path) -> None:
    figures = validate_fleet.fleet_figures(write_fleet(tmp_path, 2), rounds=1)
    assert [figure.files for figure in figures.values()] == [2, 1, 2, 2, 2, 2]
    assert all(figure.cpu_ms > 0 for figure in figures.values())


def test_plan_measures_both_programs_on_one_lab() -> None:
    found = plan_lab.measured(1, rounds=1)
    ours, peer = found.figures
    assert ours.posts == peer.posts == 5.0
    assert ours.handshakes == peer.handshakes == 1.0
    assert found.lab_cpu > found.serving > 0


def test_fleet_measures_the_whole_plan_and_ten_facts_of_the_same_recorders() -> None:
    found = fleet.measured(2, 1, "not wanted in a test")
    ours, peer = (found.figures[name] for name in (fleet.PLAN, fleet.PYWINRM))
    assert list(found.figures) == [fleet.PLAN, fleet.PYWINRM]
    assert (ours.traffic.posts, peer.traffic.posts) == (10, 10)
    assert (ours.traffic.requests, peer.traffic.requests) == (12, 14)
    assert ours.traffic.handshakes == peer.traffic.handshakes == 2


def test_cameras_are_asked_the_same_six_things_by_all() -> None:
    found = cameras.measured(1, 2, rounds=1)
    assert list(found.figures) == [cameras.PLAN, cameras.SHARED, cameras.OWN]
    assert {each.requests for each in found.figures.values()} == {14}, "six, and the one that is refused"


def test_fleet_plans_more_sites_than_there_are_recorders() -> None:
    found = fleet.plan_of_many(1, 3)
    assert found.figures[fleet.PLAN].traffic.handshakes == 3
    assert found.figures[fleet.PLAN].usage.peak > 0


def test_aims_against_ansible_are_shares_of_it() -> None:
    def figure(cpu: float, wall: float) -> fleet.Figure:
        return fleet.Figure("a", 2, Usage(wall, cpu, 1), Traffic(0, 0, 0, 0))

    figures = {fleet.PLAN: figure(1, 2), fleet.PYWINRM: figure(1, 1), fleet.ANSIBLE: figure(50, 20)}
    assert [(each.measured, each.measured <= each.limit) for each in fleet._aims(figures)] == [
        (2.0, False),
        (1.0, True),
        (2.0, True),
        (10.0, False),
    ]


def test_ansible_gets_the_ten_facts_as_raw_tasks(tmp_path: Path) -> None:
    target = Target("https://127.1.0.2:5986/wsman", "operator", "p'\"{{x}}", "/ca.pem")
    *_, forks, playbook = ansible_raw.write_play(tmp_path, [target, target])
    (play,) = json.loads(Path(playbook).read_text("utf-8"))
    assert (forks, len(play["tasks"]), {len(each) for each in play["tasks"]}) == ("50", 10, {2})
    hosts = json.loads((tmp_path / "inventory.yml").read_text("utf-8"))["all"]["hosts"]
    assert list(hosts) == ["host-0001", "host-0002"]
    assert hosts["host-0001"]["ansible_port"] == 5986


def test_the_nvr_side_is_a_fleet_without_findings(tmp_path: Path) -> None:
    from ivn_provision.lab.site_files import Endpoints, write_site_files
    from ivn_provision.lab.sites import generated_sites

    ends = Endpoints(
        "https://127.0.0.1:8443/api/v1", tmp_path / "ca.pem", tmp_path / "secrets", "127.0.0.1", 25
    )
    write_site_files(tmp_path / "sites", generated_sites(2), ends)
    assert write_nvr_side(tmp_path / "sites", tmp_path / "fleet", count=5) == 5
    checked = check_paths([str(tmp_path / "fleet")])
    assert checked.sites == 5
    assert {each.code for each in checked.diagnostics} == {"IVN050", "IVN077"}
    text = (tmp_path / "fleet" / "lab-0001-3.yml").read_text("utf-8")
    assert "site: lab-0001-3" in text
    assert "portal" not in text


def test_conditions_say_when_the_machine_was_busy() -> None:
    assert "**The machine was busy**: other programs used 60%" in conditions(["click"], 0.6)
    assert "busy**" not in conditions(["click"], 0.05)
    assert "is not known" in conditions(["click"], None)
    assert "no-such-package (not installed)" in conditions(["no-such-package"], None)


def test_watch_gives_a_share() -> None:
    watch = Watch.started()
    sum(range(2_000_000))
    share = watch.others()
    assert share is None or 0 <= share <= 1


def test_an_aim_says_by_how_much_it_is_missed() -> None:
    assert (
        Aim("cold", 2, 3, "ms").text() == "- cold: **missed**, 3.00 ms (aim: at most 2 ms; 1.50 times that)"
    )
    assert Aim("start", 1.3, 1.1, "times").text().startswith("- start: **met**, 1.10 times")


def test_a_section_is_replaced_between_its_markers(tmp_path: Path) -> None:
    begin, end = markers("one")
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n{begin}\nold\n{end}\nrest\n", "utf-8")
    for _ in range(2):
        write_section(page, REPORT)
    text = page.read_text("utf-8")
    assert "old" not in text
    assert text.count("| a | 1 |") == 1
    assert text.endswith(f"{end}\nrest\n")


def test_a_page_without_the_section_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n", "utf-8")
    with pytest.raises(ValueError, match="has 0 sections one"):
        write_section(page, REPORT)


def test_quick_figures_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main("Text.", lambda _: REPORT, ["--write", "--quick"])
    assert "--quick figures are not written" in capsys.readouterr().err


def test_figures_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main("Text.", lambda _: REPORT, [])
    assert "## one" in capsys.readouterr().out


@pytest.mark.parametrize("name", SECTIONS)
def test_the_page_has_every_section_with_its_conditions(name: str) -> None:
    begin, end = markers(name)
    text = DOCUMENT.read_text("utf-8")
    section = text.partition(begin)[2].partition(end)[0]
    assert re.search(r"Measured on \d{4}-\d{2}-\d{2}: .+ logical cores.+ivn-provision", section)
    assert "Medians of" in section
    tables = [line for line in section.splitlines() if line.startswith("|")]
    assert len(tables) >= 4
    assert len({line.count("|") for line in tables}) == 1


def test_the_script_runs_every_benchmark() -> None:
    script = (DOCUMENT.parents[1] / "benchmarks" / "run").read_text("utf-8")
    for module in (startup, validate_fleet, plan_lab, large_recorder, cameras, fleet):
        assert module.__name__.rpartition(".")[2] in script
