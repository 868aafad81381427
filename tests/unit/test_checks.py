"""The checks as pure functions: each field and kind belongs to exactly one, and nothing passes that was not seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivn_provision.drivers.xprotect_e.camera_images import CameraImage
from ivn_provision.drivers.xprotect_e.windows_seen import WindowsSeen
from ivn_provision.model.kinds import KINDS
from ivn_provision.model.live import Capabilities
from ivn_provision.model.resource import UNSET, Address
from ivn_provision.model.site_targets import targets_of
from ivn_provision.plan.plan import Action, Change, FieldChange, SitePlan, Standing, Unverified
from ivn_provision.spec.site import Site
from ivn_provision.spec.values import Computed
from ivn_provision.verify.checks import CHECKS
from ivn_provision.verify.evidence import Evidence
from ivn_provision.verify.registry import Check, run
from ivn_provision.verify.result import Result, State
from tests.support.good_evidence import good_evidence, known_fields, whole_site

FIELDS = [(kind, name) for kind, names in sorted(known_fields().items()) for name in sorted(names)]
# what Windows itself shows, and what is never declared
SHOWN_ALWAYS = frozenset({"windows_service", "windows", "action_configuration"})
SOURCES = {
    "smtp": ("smtp-dialogue",),
    "images": ("camera-picture", "clients"),
    "connectivity": ("web-port", "event-port", "event-port-closed"),
    "events": ("mail-clock", "egress-address", "dormant-pins", "live-view"),
    "portal": ("portal-site", "portal-device", "portal-pins", "test-mode"),
    "camera-10": (
        *("camera-ports", "camera-rules", "camera-stream", "camera-accounts"),
        *("camera-clock", "camera-time-source"),
        *("camera-inputs", "camera-mail-server", "camera-firmware", "camera-legacy-events", "camera-mails"),
    ),
}
"""What each check looks at; all that are not here look at the recorder itself."""


def target_of(kind: str) -> str:
    """The one target of the good evidence that has objects of the kind."""
    (found,) = good_evidence().targets_of(kind)
    return found


def address_of(kind: str) -> Address:
    """A declared object of the kind, or one that might be."""
    plan = good_evidence().plan
    declared = plan.desired if plan else {}
    return next(
        (each for each in declared if each.kind == kind), Address("lab-0001", target_of(kind), kind, "2")
    )


def with_changes(*changes: Change) -> Evidence:
    plan = good_evidence().plan
    assert plan is not None
    return replace(good_evidence(), plan=replace(plan, changes=changes))


def states(evidence: Evidence) -> Mapping[str, set[State]]:
    found: dict[str, set[State]] = {}
    for each in run(CHECKS, evidence):
        found.setdefault(each.check, set()).add(each.state)
    return found


def bad(evidence: Evidence) -> list[str]:
    return [name for name, each in states(evidence).items() if each & {State.FAIL, State.WARN}]


def test_at_first_all_is_well() -> None:
    assert bad(good_evidence()) == []
    odd = {name: each for name, each in states(good_evidence()).items() if each != {State.PASS}}
    assert odd == {
        "mail-gates": {State.PASS, State.INCONCLUSIVE},
        **{f"onvif-{each}": {State.SKIPPED} for each in ("device", "video", "inputs", "clock")},
    }


@pytest.mark.parametrize("check", CHECKS, ids=lambda each: each.id)
def test_a_check_says_what_it_is(check: Check) -> None:
    assert check.id == check.id.lower()
    assert check.title
    assert not check.title.endswith(".")
    assert check.target in {"nvr", "portal", "network", "camera"}
    assert check.refs
    assert all(each.startswith(("R-", "row ")) for each in check.refs)
    assert check.explanation.endswith(".")


def test_every_kind_has_fields() -> None:
    assert set(known_fields()) == set(KINDS)


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_a_field_that_differs_is_one_checks(kind: str, name: str) -> None:
    change = Change(address_of(kind), Action.UPDATE, (FieldChange(name, "live", "declared"),))
    assert len(bad(with_changes(change))) == 1


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_a_field_that_is_not_read_passes_nowhere(kind: str, name: str) -> None:
    """One check says that it was not seen; none fails for it."""
    plan = good_evidence().plan
    assert plan is not None
    address = address_of(kind)
    question = Unverified(address, name, "it is encrypted")
    desired = {**plan.desired, address: {**plan.desired.get(address, {}), name: "declared"}}
    evidence = replace(good_evidence(), plan=replace(plan, unverified=(question,), desired=desired))
    before, after = states(good_evidence()), states(evidence)
    changed = [each for each in after if after[each] != before[each]]
    if (kind, name) in SEEN_OTHERWISE:
        assert changed == []
        return
    assert len(changed) == 1
    assert after[changed[0]] == {State.INCONCLUSIVE}
    attested = replace(question, standing=Standing.ATTESTED)
    assert states(replace(evidence, plan=replace(plan, unverified=(attested,), desired=desired))) == before


SEEN_OTHERWISE = {
    ("user", "password"),  # portal-login: what the image server says to it
    ("windows", "clock_offset_seconds"),  # recorder-clock: the offset itself
    ("windows", "free_gib"),  # disk: each drive
    ("windows_service", "start_mode"),  # services: as Windows shows them
    ("windows_service", "state"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("action", [Action.CREATE, Action.DELETE, Action.REPLACE])
def test_an_object_missing_or_too_many_is_one_checks(kind: str, action: Action) -> None:
    change = Change(address_of(kind), action, ())
    evidence = with_changes(change)
    assert len(bad(evidence)) == 1
    if action is not Action.DELETE:
        rest = [name for name, each in states(evidence).items() if State.PASS not in each]
        assert rest  # what it would be compared by is not said to be right


def test_what_the_portal_does_not_say_is_no_difference() -> None:
    change = Change(
        address_of("mail_server"),
        Action.UPDATE,
        (FieldChange("sender", "a@b", Computed("portal.smtp_account_id")),),
    )
    assert states(with_changes(change))["mail-addresses"] == {State.INCONCLUSIVE}


def test_a_refuted_password_of_the_portals_account_is_said_once() -> None:
    change = Change(
        Address("lab-0001", "nvr", "user", "ivnview"),
        Action.UPDATE,
        (FieldChange("password", UNSET, "x", reason="the login is refused"),),
        manual=True,
    )
    evidence = replace(with_changes(change), logins={"ivnview": 401})
    found = [each for each in run(CHECKS, evidence) if each.state is State.FAIL]
    assert [each.check for each in found] == ["portal-login"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_that_is_not_shown_passes_nowhere(kind: str) -> None:
    target = target_of(kind)
    facts = good_evidence().facts
    blind = replace(facts[target], capabilities=Capabilities({}, unread=frozenset({kind})))
    evidence = replace(good_evidence(), facts={**facts, target: blind})
    (one, *_) = bad(with_changes(Change(address_of(kind), Action.CREATE, ())))
    if kind not in SHOWN_ALWAYS:
        assert State.PASS not in states(evidence)[one]


def test_a_camera_whose_turn_did_not_come_is_not_judged() -> None:
    images = {10: CameraImage(connected=False, reason="not tried")}
    found = [
        each
        for each in run(CHECKS, replace(good_evidence(), images=images))
        if each.check == "camera-picture"
    ]
    assert [each.state for each in found] == [State.INCONCLUSIVE, State.FAIL]


# -- partial evidence: nothing is raised, every check says something, nothing passes unseen ----------------


def sites() -> st.SearchStrategy[Site]:
    """Sections of the whole site, each of them there or not."""
    whole = whole_site()
    sections = ("nvr", "cameras", "hardware_events", "generic_events", "mail", "alarms", "portal")

    def without(gone: set[str]) -> Site:
        nothing: dict[str, Any] = dict.fromkeys(gone)
        return replace(whole, **nothing)

    return st.builds(without, st.sets(st.sampled_from(sections)))


def plan_of(site: Site, gone: set[str]) -> SitePlan | None:
    """What is planned of the targets that were read."""
    plan = good_evidence().plan
    assert plan is not None
    there = targets_of(site) - gone
    if not there:
        return None
    live = {address: fields for address, fields in plan.live.items() if address.target in there}
    return replace(plan, live=live)


def windows() -> st.SearchStrategy[WindowsSeen | None]:
    """What Windows showed: all, or without the time, the disks, the services, or nothing."""
    good = good_evidence().windows
    assert good is not None
    less = (
        replace(good, offset=None),
        replace(good, about=None),
        replace(good, about={"disks": []}),
        replace(good, services=(), by_role={}),
    )
    return st.sampled_from([good, None, *less])


@st.composite
def partial(draw: st.DrawFn) -> tuple[Evidence, set[str]]:
    """Evidence that lacks some of its sources, with or without a reason, and their names."""
    site, good = draw(sites()), good_evidence()
    gone = draw(st.sets(st.sampled_from(["nvr", *SOURCES])))
    gone |= {"nvr", "portal", "camera-10"} - targets_of(site)
    if "nvr" in gone:
        gone |= {"smtp", "images"}
    if site.portal is None:
        gone |= {"connectivity", "events"}
    reasons = {
        each for each in gone if each not in {"nvr", "portal", "camera-10"} or each in targets_of(site)
    }
    named = (
        reasons
        if draw(st.booleans())
        else draw(st.sets(st.sampled_from(sorted(reasons))))
        if reasons
        else set()
    )
    evidence = Evidence(
        site=site,
        now=good.now,
        plan=plan_of(site, gone),
        facts={name: each for name, each in good.facts.items() if name not in gone},
        windows=None if "nvr" in gone else draw(windows()),
        logins={} if "nvr" in gone else good.logins,
        smtp=None if "smtp" in gone else good.smtp,
        images=None if "images" in gone else good.images,
        connectivity=None if "connectivity" in gone else good.connectivity,
        cameras={} if "camera-10" in gone else good.cameras,
        events=() if "events" in gone else good.events,
        all_events=draw(st.booleans()),
        missing=dict.fromkeys(named, "it does not answer"),
    )
    return evidence, gone


def unseen(gone: set[str]) -> Iterator[str]:
    for name, checks in SOURCES.items():
        if name in gone:
            yield from checks
    if "nvr" in gone:
        others = {each for checks in SOURCES.values() for each in checks}
        yield from (each.id for each in CHECKS if each.id not in others)


@given(partial())
def test_nothing_passes_that_was_not_seen(drawn: tuple[Evidence, set[str]]) -> None:
    evidence, gone = drawn
    results = run(CHECKS, evidence)
    assert {each.check for each in results} == {each.id for each in CHECKS}
    blind = set(unseen(gone))
    wrong = [each for each in results if each.state is State.PASS and each.check in blind]
    assert [each for each in wrong if not is_the_portals_login(each, gone)] == []
    assert list(wrong_of_windows(results, evidence)) == []
    assert all(each.found.evidence for each in results)
    assert all(each.found.remedy for each in results if each.state in {State.FAIL, State.WARN})


def wrong_of_windows(results: tuple[Result, ...], evidence: Evidence) -> Iterator[Result]:
    """Passes of what Windows did not show."""
    seen = evidence.windows
    shown = {
        "recorder-clock": seen is not None and seen.offset is not None,
        "disk": bool(seen and seen.about and seen.about["disks"]),
        "services": bool(seen and seen.services),
    }
    for each in results:
        if each.state is State.PASS and not shown.get(each.check, True):
            yield each


def is_the_portals_login(result: Result, gone: set[str]) -> bool:
    """What the portal itself says of its login is seen without the recorder."""
    return result.check == "portal-login" and result.found.subject == "portal" and "connectivity" not in gone


def test_a_bare_site() -> None:
    site = Site(name="bare", path="bare.yml", places=whole_site().places)
    results = run(CHECKS, Evidence(site=site, now=good_evidence().now))
    assert {each.check for each in results} == {each.id for each in CHECKS}
    assert {each.state for each in results} <= {State.SKIPPED, State.INCONCLUSIVE}
