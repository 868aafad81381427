"""`apply` and `verify` over many sites end with the table that counts them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivn_provision.cli import verify
from ivn_provision.cli.apply import show_apply
from ivn_provision.errors import Unreachable
from ivn_provision.plan.plan import SitePlan
from ivn_provision.report.fleet_text import FEW
from ivn_provision.run.outcomes import SiteOutcome
from ivn_provision.run.verifying import Verified
from ivn_provision.verify.result import State
from tests.support.commissioned import accepted_of

FAR = Unreachable("no answer")


def applied(count: int) -> list[SiteOutcome]:
    good = [SiteOutcome(f"site-{n}", SitePlan(f"site-{n}", unchanged=3)) for n in range(count)]
    return [*good, SiteOutcome("far", error=FAR)]


def verified(count: int) -> list[Verified]:
    passed, failed = accepted_of(State.PASS), accepted_of(State.FAIL)
    good = [replace(passed, site=f"site-{n}") for n in range(count)]
    return [*good, replace(failed, site="odd"), Verified("far", error=FAR)]


def test_an_apply(capsys: pytest.CaptureFixture[str]) -> None:
    show_apply(applied(FEW), "text", shown=True)
    *_, head, first, second = capsys.readouterr().out.splitlines()
    assert head == "11 sites"
    assert first.split() == ["unreachable", "1", "far"]
    assert second.split() == ["clean", "10"]
    show_apply(applied(2), "text", shown=True)
    assert "3 sites" not in capsys.readouterr().out


def test_an_acceptance(capsys: pytest.CaptureFixture[str]) -> None:
    verify._show(verified(FEW), "text")
    *shown, head, first, second, last = capsys.readouterr().out.splitlines()
    assert head == "12 sites"
    assert [each.split() for each in (first, second, last)] == [
        ["unreachable", "1", "far"],
        ["failing", "1", "odd"],
        ["clean", "10"],
    ]
    whole = len(shown)
    verify._show(verified(1), "text")
    assert len(capsys.readouterr().out.splitlines()) > whole, "each of a few sites is shown"
