"""A recorder of a version that no layout describes: all of it is a person's, and nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ivn_provision.drivers.xprotect_e.layout import FIELDS
from ivn_provision.errors import PersonNeeded
from ivn_provision.lab.lab import Lab
from ivn_provision.lab.sites import generated_sites
from ivn_provision.plan.plan import SitePlan
from tests.support.world import World, own_addresses

SITE = "lab-0001"


@pytest.fixture
def unknown(tmp_path: Path) -> Iterator[World]:
    """A recorder with version 9.9z."""
    sites = [replace(each, version="9.9z") for each in generated_sites(1, own_addresses())]
    with Lab(tmp_path / "lab", sites, portal_port=0, mail_port=0) as lab:
        lab.write_sites(tmp_path / "sites")
        yield World(lab, tmp_path / "sites", attest=False)


def plan(world: World) -> SitePlan:
    (outcome,) = world.plan(SITE)
    assert outcome.error is None, outcome.error
    assert outcome.plan is not None
    return outcome.plan


def test_the_plan_shows_everything_as_by_hand(unknown: World) -> None:
    made = plan(unknown)
    assert {each.address.target for each in made.changes} <= {"portal"}
    kinds = {each.address.kind for each in made.unverified if each.address.target == "nvr"}
    assert kinds <= set(FIELDS)
    assert {"camera", "generic_event", "mail_server", "user"} <= kinds
    for each in made.open:
        assert "no layout is known for XProtect Professional 2014 9.9z" in each.reason
        assert each.declared_at is not None
    assert "value" not in str([each.value for each in made.open if each.name == "password"])
    assert any("9.9z" in note for facts in made.facts for note in facts.notes)


def test_a_login_still_shows_a_password(unknown: World) -> None:
    (password,) = [
        each
        for each in plan(unknown).unverified
        if each.address[2:] == ("user", "ivnview") and each.name == "password"
    ]
    assert not password.is_open
    assert "logged in" in password.evidence


def test_apply_writes_nothing_on_the_recorder(unknown: World) -> None:
    before = unknown.lab.nvr(SITE).configuration_path.read_bytes()
    (outcome,) = unknown.apply(SITE)
    assert isinstance(outcome.error, PersonNeeded)
    assert unknown.lab.nvr(SITE).counters.file_writes == 0
    assert unknown.lab.nvr(SITE).configuration_path.read_bytes() == before


def test_what_people_vouch_for_is_in_sync(unknown: World) -> None:
    unknown.apply(SITE)
    unknown.attest = True
    assert plan(unknown).is_empty
    # what holds a value that the portal generates is attested with that value, which nobody knew before
    assert {each.name for each in plan(unknown).open} <= {"sender", "recipients"}
