"""The audits of the waves of a play as one."""

from __future__ import annotations

from typing import Any

from ivn_provision.run.audit.record import Audit, Moment, SiteAudit, SiteState
from ivn_provision.run.play.auditing import as_one
from tests.support.made_audits import drift, site_audit


def audit(at: str, *sites: SiteAudit, **more: Any) -> Audit:
    names = " ".join(each.site for each in sites)
    return Audit(at, 2.0, "sites", names, sites, trend=(Moment("old", {}, 1), Moment(at, {}, 2)), **more)


CLEAN = audit("one", site_audit("a", SiteState.CLEAN), unused_waivers=("a/*",), notes=("said",))
WORSE = audit("two", site_audit("b", SiteState.DRIFT, drift("b")), notes=("said",))


def test_all_sites_are_in_it_worst_first() -> None:
    whole = as_one([CLEAN, WORSE], ["a", "b"])
    assert [each.site for each in whole.sites] == ["b", "a"]
    assert (whole.at, whole.seconds, whole.selection) == ("one", 4.0, "a, b")
    assert whole.trend == (Moment("two", {SiteState.DRIFT: 1, SiteState.CLEAN: 1}, 1),)
    assert whole.unused_waivers == ("a/*",)
    assert whole.notes == ("said",)


def test_a_site_is_as_it_was_audited_last() -> None:
    again = audit("two", site_audit("a", SiteState.DRIFT, drift("a")))
    (site,) = as_one([CLEAN, again], ["a"]).sites
    assert site.state is SiteState.DRIFT


def test_one_audit_is_itself() -> None:
    assert as_one([WORSE], ["b"]) == WORSE


def test_what_is_missing_is_said() -> None:
    *_, note = as_one([WORSE], ["a", "b", "c"]).notes
    assert note.startswith("2 of the 3 sites of the play are not in this report")
