"""What a look at a site becomes: each difference once, at its own line, as grave as the checks know; never clean unseen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from ivn_provision.diagnostics import Diagnostic, Place, Severity
from ivn_provision.errors import (
    AuthenticationFailed,
    DeadlineExceeded,
    IvnError,
    SecretError,
    SpecError,
    Unreachable,
)
from ivn_provision.lab.site_files import Endpoints, write_site_files
from ivn_provision.lab.sites import generated_sites
from ivn_provision.model.desired import desired_of
from ivn_provision.model.kinds import KINDS
from ivn_provision.model.resource import UNSET, Address
from ivn_provision.plan.plan import Action, Cause, Change, FieldChange, SitePlan, Standing, Unverified
from ivn_provision.run.audit.gather import Gathered, broken, gathered, state_of
from ivn_provision.run.audit.record import Finding, FindingKind, Level, SiteState, Trouble
from ivn_provision.run.checking import Checked
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.secret import MASK, Fingerprint, Secret, SecretRef
from ivn_provision.spec.fleet import find_site
from ivn_provision.spec.site import Site
from ivn_provision.spec.values import Computed
from ivn_provision.verify.checks import CHECKS
from ivn_provision.verify.registry import run
from tests.support.good_evidence import good_evidence, known_fields
from tests.support.made_audits import drift, failed_check, open_field, site_audit

SITE = "lab-0001"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site whose files are there, so that places can be looked up."""
    folder = tmp_path_factory.mktemp("places")
    ends = Endpoints(
        "https://127.0.0.1:8443/api/v1", folder / "ca.pem", folder / "secrets", "127.0.0.1", 2525
    )
    write_site_files(folder / "sites", generated_sites(1), ends)
    return find_site(folder / "sites", SITE)


def looked(
    site: Site, *changes: Change, plan: SitePlan | None = None, errors: Iterable[IvnError] = ()
) -> Gathered:
    """What an audit makes of these changes, judged by the real checks."""
    evidence = good_evidence()
    assert evidence.plan is not None
    plan = replace(plan or evidence.plan, changes=changes)
    results = run(CHECKS, replace(evidence, plan=plan))
    by_target = {each.where: each for each in errors}
    return gathered(site, Checked(SITE, results, plan=plan, errors=by_target))


def update(kind: str, key: str, *fields: FieldChange, **more: object) -> Change:
    address = Address(SITE, KINDS[kind].target, kind, key)
    return replace(Change(address, Action.UPDATE, fields), **more)  # type: ignore[arg-type]


def of_kind(found: Gathered, kind: FindingKind) -> list[Finding]:
    return [each for each in found.audit.findings if each.kind is kind]


def text_at(place: Place | None) -> str:
    assert place is not None
    return Path(place.path).read_text("utf-8").splitlines()[place.line - 1].strip()


def test_nothing_wrong(site: Site) -> None:
    found = looked(site)
    assert (found.audit.state, found.audit.findings) == (SiteState.CLEAN, ())
    assert found.audit.checks["pass"] > 10


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind, names in sorted(known_fields().items()) for name in sorted(names)],
)
def test_each_difference_once(site: Site, kind: str, name: str) -> None:
    """The plan and a check both know of it; it is one finding, with what the check knows."""
    key = next((each.key for each in desired_of(site).resources if each.kind == kind), "2")
    found = looked(site, update(kind, key, FieldChange(name, "live", "declared")))
    assert found.audit.state is SiteState.DRIFT
    (one,) = found.audit.findings
    assert one.kind is FindingKind.DRIFT
    assert one.refs
    assert one.remedy
    mild = name.startswith("video.") or kind in {"stream_profile", "action_configuration"}
    assert one.level is (Level.WARNING if mild else Level.ERROR)


PLACES = [
    ("camera", "10", "name", "label: "),
    ("camera", "10", "hardware.address", "hardware: {address: "),
    ("generic_event", "2", "email", "email: true"),
    ("generic_event", "2", "rule", "- {pin: 2"),
    ("mail_server", "", "port", "port: 2525"),
    ("alarm", "Front door forced", "source", "source: {hardware_event: 2}"),
]


@pytest.mark.parametrize(("kind", "key", "field", "text"), PLACES)
def test_the_place_is_the_fields_own_line(site: Site, kind: str, key: str, field: str, text: str) -> None:
    (one,) = looked(site, update(kind, key, FieldChange(field, "live", "declared"))).audit.findings
    line = text_at(one.place)
    assert text in line or kind == "alarm", line


def test_one_too_many_stands_at_its_list(site: Site) -> None:
    change = Change(
        Address(SITE, "nvr", "generic_event", "9"), Action.DELETE, (FieldChange("email", True, UNSET),)
    )
    (one,) = looked(site, change).audit.findings
    assert one.action == "delete"
    assert one.title == "generic event 9 is there and not declared"
    assert text_at(one.place).startswith("- {pin:")


def test_by_the_tool_and_by_hand_is_one_difference(site: Site) -> None:
    first = update("camera", "10", FieldChange("name", "a", "b"))
    second = update("camera", "10", FieldChange("video.fps", 1, 8, reason="no encoder"), manual=True)
    (one,) = looked(site, first, second).audit.findings
    assert [each.name for each in one.fields] == ["name", "video.fps"]
    assert one.level is Level.ERROR


def test_a_secret_is_its_mask(site: Site) -> None:
    secret = Secret("hunter2hunter2", SecretRef("env", "PASSWORD"))
    change = update("device", "", FieldChange("password", Fingerprint("s", "d"), secret))
    found = looked(site, change)
    (one,) = found.audit.findings
    assert (one.fields[0].live, one.fields[0].declared) == (MASK, MASK)
    assert "hunter2" not in repr(found)


def test_a_long_value_is_cut(site: Site) -> None:
    (one,) = looked(site, update("mail_message", "", FieldChange("body", "x" * 5000, "y"))).audit.findings
    assert len(one.fields[0].live) < 1100


def test_what_the_portal_does_not_say_is_no_drift(site: Site) -> None:
    change = update("mail_server", "", FieldChange("sender", "a@b", Computed("portal.smtp_account_id")))
    found = looked(site, change)
    assert found.audit.state is SiteState.CLEAN
    id_ = looked(site, update("mail_server", "", FieldChange("sender", "a@b", "c@d"))).audit.findings[0].id
    assert found.unseen.hides(id_, "drift/mail_server")


def test_a_missing_object_and_one_that_differs_are_two_findings(site: Site) -> None:
    address = Address(SITE, "nvr", "camera", "10")
    (missing,) = looked(
        site, Change(address, Action.CREATE, (FieldChange("name", UNSET, "b"),))
    ).audit.findings
    (differs,) = looked(site, update("camera", "10", FieldChange("name", "a", "b"))).audit.findings
    (anew,) = looked(
        site,
        replace(
            update("camera", "10", FieldChange("name", "a", "b", forces_replacement=True)),
            action=Action.REPLACE,
        ),
    ).audit.findings
    assert missing.id != differs.id == anew.id


@pytest.mark.parametrize(
    ("standing", "state"),
    [
        (Standing.NEVER, SiteState.OPEN),
        (Standing.EXPIRED, SiteState.OPEN),
        (Standing.ATTESTED, SiteState.CLEAN),
    ],
)
def test_what_nobody_vouches_for(site: Site, standing: Standing, state: SiteState) -> None:
    plan = good_evidence().plan
    assert plan is not None
    question = Unverified(
        Address(SITE, "nvr", "mail_server"), "password", "encrypted", SecretRef("env", "P"), standing
    )
    found = looked(site, plan=replace(plan, unverified=(question,)))
    assert found.audit.state is state
    assert found.audit.attested == (standing is Standing.ATTESTED)
    notes = of_kind(found, FindingKind.OPEN)
    assert [each.level for each in notes] == ([Level.NOTE] if state is SiteState.OPEN else [])
    assert all("password: " in text_at(each.place) for each in notes)


def test_a_refused_login_is_said_once(site: Site) -> None:
    evidence = good_evidence()
    assert evidence.plan is not None
    change = update("user", "ivnview", FieldChange("password", UNSET, "x", reason="refused"), manual=True)
    plan = replace(evidence.plan, changes=(change,))
    results = run(CHECKS, replace(evidence, plan=plan, logins={"ivnview": 401}))
    found = gathered(site, Checked(SITE, results, plan=plan))
    assert [each.what for each in found.audit.findings] == ["drift/user"]
    alone = gathered(site, Checked(SITE, results, plan=replace(plan, changes=())))
    assert [each.what for each in alone.audit.findings] == ["portal-login"]
    assert alone.audit.state is SiteState.FAILING


def test_checks_with_a_name_of_their_own(site: Site) -> None:
    evidence = replace(good_evidence(), images={})
    results = run(CHECKS, evidence)
    found = gathered(site, Checked(SITE, results, plan=evidence.plan))
    pictures = [each for each in found.audit.findings if each.what == "camera-picture"]
    assert len({each.id for each in pictures}) == len(pictures) >= 2
    assert {each.address for each in pictures} == {""}
    assert all(each.title.startswith("camera ") for each in pictures)
    assert found.audit.state is SiteState.FAILING


@pytest.mark.parametrize(
    ("causes", "cause"),
    [
        ((Cause.BY_HAND, Cause.BY_HAND), Cause.BY_HAND),
        ((Cause.BY_HAND, Cause.NOT_APPLIED), Cause.BOTH),
        ((Cause.BY_HAND, Cause.UNKNOWN), Cause.UNKNOWN),
    ],
)
def test_who_caused_it(site: Site, causes: tuple[Cause, ...], cause: Cause) -> None:
    names = ("name", "enabled")
    fields = [FieldChange(name, 1, 2, cause=each) for name, each in zip(names, causes, strict=True)]
    (one,) = looked(site, update("camera", "10", *fields)).audit.findings
    assert one.cause is cause
    assert tuple(each.cause for each in one.fields) == causes


TROUBLES = [
    (Unreachable("x", where="nvr"), SiteState.UNREACHABLE),
    (DeadlineExceeded("x", where="nvr"), SiteState.UNREACHABLE),
    (AuthenticationFailed("x", where="nvr"), SiteState.ERROR),
]


@pytest.mark.parametrize(("error", "state"), TROUBLES)
def test_half_seen_is_never_clean_and_still_told(site: Site, error: IvnError, state: SiteState) -> None:
    clean = looked(site, errors=[error])
    assert clean.audit.state is state
    found = looked(site, update("pin", "2H", FieldChange("camera", 1, 10)), errors=[error])
    assert found.audit.state is state
    assert [each.what for each in found.audit.findings] == ["drift/pin"]
    assert found.unseen.hides("0" * 16, "drift/camera")
    assert not found.unseen.hides("0" * 16, "drift/pin")


REF = SiteRef("a", "sites/a.yml", "sites")


def test_a_file_with_errors_is_invalid() -> None:
    place = Place("sites/a.yml", 3, 5)
    found = broken(REF, SpecError((Diagnostic(Severity.ERROR, "SCH001", "unknown key", place),)))
    assert found.audit.state is SiteState.INVALID
    assert found.audit.trouble[0].where == "sites/a.yml:3:5"
    assert found.unseen.hides("anything", "at all")


@pytest.mark.parametrize(
    ("error", "state"), [(Unreachable("x"), SiteState.UNREACHABLE), (SecretError("x"), SiteState.ERROR)]
)
def test_nothing_seen(error: IvnError, state: SiteState) -> None:
    assert broken(REF, error).audit.state is state


STATES = [
    ((), SiteState.CLEAN),
    ((failed_check(level=Level.WARNING),), SiteState.CLEAN),
    ((open_field(),), SiteState.OPEN),
    ((open_field(), failed_check()), SiteState.FAILING),
    ((open_field(), failed_check(), drift()), SiteState.DRIFT),
    ((drift(level=Level.WARNING),), SiteState.DRIFT),
]


@pytest.mark.parametrize(("findings", "state"), STATES)
def test_the_gravest_that_holds(findings: tuple[Finding, ...], state: SiteState) -> None:
    audit = site_audit("a", SiteState.CLEAN, *findings)
    assert state_of(audit) is state
    assert state_of(replace(audit, trouble=(Trouble("Unreachable", "x"),))) is SiteState.UNREACHABLE
    assert state_of(replace(audit, trouble=(Trouble("Refused", "x"),))) is SiteState.ERROR
