"""Which network a site is in, by its own file or by a level below it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivn_provision.run.fleet import loading
from ivn_provision.run.fleet.loading import FleetFiles
from ivn_provision.run.fleet.refs import SiteRef

FILES = {
    "fleet.yml": "schema: 1\n",
    "groups/vpn.yml": "network: vpn-1\n",
    "own.yml": "schema: 1\nname: own\nnetwork: lan-7\n",
    "grouped.yml": "schema: 1\nname: grouped\ngroups: [vpn]\n",
    "none.yml": "schema: 1\nname: none\n",
    "broken.yml": "network: [\n",
}


def networks(folder: Path, files: dict[str, str]) -> dict[str, str]:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    found = FleetFiles(folder)
    return {ref.name: found.network(ref) for ref in found.refs}


def test_networks_of_a_fleet(tmp_path: Path) -> None:
    assert networks(tmp_path, FILES) == {"own": "lan-7", "grouped": "vpn-1", "none": "", "broken": ""}


def test_a_fleet_without_networks_is_not_parsed_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a file was parsed")

    monkeypatch.setattr(loading, "merge_site", never)
    bare = {name: FILES[name] for name in ("fleet.yml", "none.yml")}
    assert networks(tmp_path, bare) == {"none": ""}


def test_what_a_reference_says_is_asked_of_no_file(tmp_path: Path) -> None:
    networks(tmp_path, FILES)
    assert FleetFiles(tmp_path).network(SiteRef("x", "no-such-file.yml", ".", network="vpn-9")) == "vpn-9"
