"""A fleet by references: chosen without loading more than is needed, each site loaded by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivn_provision.errors import IvnError, SpecError, UsageProblem
from ivn_provision.run.fleet.loading import FleetFiles
from ivn_provision.run.fleet.pipeline import each_site
from ivn_provision.run.fleet.runners import Inline, Threads
from ivn_provision.run.fleet.selection import parse_selector


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fleet = tmp_path / "sites"
    (fleet / "groups").mkdir(parents=True)
    (fleet / "fleet.yml").write_text("labels: {dealer: northside, region: west}\nnetwork: hq\n", "utf-8")
    (fleet / "groups" / "east.yml").write_text("labels: {region: east}\n", "utf-8")
    (fleet / "one.yml").write_text("site: one\ngroups: [east]\n", "utf-8")
    (fleet / "two.yml").write_text("site: two\nnetwork: branch\n", "utf-8")
    (fleet / "broken.yml").write_text("site: broken\nlabels: [\n", "utf-8")
    (fleet / "wrong.yml").write_text("site: wrong\nnonsense: 1\n", "utf-8")
    return fleet


def chosen(folder: Path, *selectors: str, names: tuple[str, ...] = ()) -> list[str]:
    files = FleetFiles(folder)
    return [each.name for each in files.chosen(names, [parse_selector(text) for text in selectors])]


def test_labels_groups_and_network_are_those_of_all_levels(folder: Path) -> None:
    files = FleetFiles(folder)
    heads = {ref.name: files.head(ref) for ref in files.refs}
    one, two = heads["one"], heads["two"]
    assert one is not None
    assert two is not None
    assert (one.groups, dict(one.labels), one.network) == (
        ("east",),
        {"dealer": "northside", "region": "east"},
        "hq",
    )
    assert (dict(two.labels), two.network) == ({"dealer": "northside", "region": "west"}, "branch")
    assert heads["broken"] is None


def test_a_site_that_cannot_be_judged_is_always_chosen(folder: Path) -> None:
    assert chosen(folder, "region=east") == ["broken", "one"]
    assert chosen(folder, "site:two") == ["broken", "two"]


def test_a_site_of_a_broken_group_is_always_chosen(folder: Path) -> None:
    """Its labels are not known, whatever its own file says."""
    (folder / "groups" / "east.yml").write_text("labels: {region: east\n", "utf-8")
    assert chosen(folder, "region=west") == ["broken", "one", "two", "wrong"]
    assert chosen(folder, "region=nowhere*") == ["broken", "one"]


@pytest.mark.parametrize("text", ["labels: {region: 7}", "labels: [east]", "groups: east"])
def test_labels_that_are_written_wrong_are_not_known(folder: Path, text: str) -> None:
    (folder / "two.yml").write_text(f"site: two\n{text}\n", "utf-8")
    assert chosen(folder, "region=east") == ["broken", "one", "two"]


def test_names_are_chosen_without_reading_any_file(folder: Path) -> None:
    assert chosen(folder, names=("t*",)) == ["two"]
    assert chosen(folder, names=("two", "one")) == ["one", "two"]
    with pytest.raises(UsageProblem, match="there is no site 'onne'"):
        chosen(folder, names=("onne",))
    with pytest.raises(UsageProblem, match="there is no site 'x-"):
        chosen(folder, names=("x-*",))


def test_names_and_selectors_must_both_hold(folder: Path) -> None:
    assert chosen(folder, "region=east", names=("one", "two")) == ["one"]


def test_a_site_is_loaded_or_its_problems_are_raised(folder: Path) -> None:
    files = FleetFiles(folder)
    by_name = {ref.name: ref for ref in files.refs}
    assert files.load(by_name["one"]).labels["region"] == "east"
    with pytest.raises(SpecError) as caught:
        files.load(by_name["wrong"])
    assert [each.code for each in caught.value.diagnostics if each.is_error] == ["SCH001"]


@pytest.mark.parametrize("runner", [Inline(), Threads(2), Threads(64)])
def test_every_site_has_a_result_in_the_order_given(folder: Path, runner: Inline | Threads) -> None:
    files = FleetFiles(folder)
    found = each_site(files, files.refs, runner, lambda site: f"{site.name}: good", _summary)
    assert [each.partition(":")[0] for each in found] == ["broken", "one", "two", "wrong"]
    assert [each.endswith("good") for each in found] == [False, True, True, False]


def test_a_defect_at_one_site_is_the_result_of_that_site(folder: Path) -> None:
    files = FleetFiles(folder)

    def work(site: object) -> str:
        return "" if getattr(site, "name", "") == "one" else str(1 // 0)

    found = each_site(files, files.refs, Threads(3), work, _summary)
    assert found[1] == ""
    assert "a defect of ivn-provision: ZeroDivisionError" in found[2]


def _summary(name: str, error: IvnError) -> str:
    return f"{name}: {error.summary}"
