"""`plan(apply(plan))` is empty, for any declared site, from any declared site before it."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ivn_provision.drivers.xprotect_e.xml_document import parse
from ivn_provision.drivers.xprotect_e.xml_edit import apply_splices
from ivn_provision.model.desired import desired_of
from ivn_provision.spec.site import Site
from tests.support.recorder import PATH, Recorder, configuration
from tests.support.sites import ADDRESSES, sites

BOUNDED = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def settle(recorder: Recorder, site: Site) -> None:
    recorder.apply(recorder.plan(desired_of(site)))


@BOUNDED
@given(sites(), st.sampled_from(("\r\n", "\n")), st.booleans())
def test_a_plan_after_an_apply_is_empty(site: Site, newline: str, bom: bool) -> None:
    recorder = Recorder(configuration(ADDRESSES, newline=newline, bom=bom))
    settle(recorder, site)
    again = recorder.plan(desired_of(site))
    assert again.changes == ()


@BOUNDED
@given(sites(), sites())
def test_from_any_state_to_any_state(before: Site, after: Site) -> None:
    recorder = Recorder(configuration(ADDRESSES))
    settle(recorder, before)
    settle(recorder, after)
    assert recorder.plan(desired_of(after)).changes == ()


@BOUNDED
@given(sites(), sites())
def test_foreign_objects_and_secrets_stay_byte_for_byte(before: Site, after: Site) -> None:
    recorder = Recorder(configuration(ADDRESSES))
    foreign = recorder.raw[recorder.raw.index(b"<GenericEvent>") : recorder.raw.index(b"</GenericEvent>")]
    settle(recorder, before)
    settle(recorder, after)
    assert foreign in recorder.raw
    assert recorder.raw.count(b"<Password>0123456789abcdef</Password>") == len(ADDRESSES)
    assert b"<!-- a comment with <tags> & ampersands -->" in recorder.raw


@BOUNDED
@given(sites())
def test_cameras_keep_their_guids(site: Site) -> None:
    recorder = Recorder(configuration(ADDRESSES))
    settle(recorder, site)
    document = parse(recorder.raw, path=PATH)
    guids = [each.value("Guid") for each in document.root.all("Devices/*/Cameras/*")]
    assert guids == [f"camera-{index}" for index in range(len(ADDRESSES))]
    assert apply_splices(recorder.raw, []) == recorder.raw
