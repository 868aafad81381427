"""A recorder's file goes back to any state from any other, also where texts were not there before. In memory."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ivn_provision.model.desired import desired_of
from ivn_provision.model.resource import Address, Value
from ivn_provision.run.restoring import desired_of_snapshot
from ivn_provision.run.snapshots import Snapshot
from ivn_provision.spec.site import Site
from tests.support.recorder import Recorder, configuration
from tests.support.sites import ADDRESSES, sites

BOUNDED = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LEAVES = (
    "Resolution",
    "FPS",
    "Codec",
    "DbPreSecs",
    "Disabled",
    "Subject",
    "Recipients",
    "UserName",
    "MaxClients",
)
FOREIGN = re.compile(rb"<GenericEvent>.*?foreign-1.*?</GenericEvent>", re.DOTALL)


def without(raw: bytes, leaves: list[str]) -> bytes:
    """The file without some elements: an older version of the product may not write them."""
    for tag in leaves:
        raw = re.sub(rf"<{tag}>[^<]*</{tag}>|<{tag}\s*/>".encode(), b"", raw)
    return raw


def live_of(recorder: Recorder, site: Site) -> Mapping[Address, Mapping[str, Value]]:
    return recorder.plan(desired_of(site)).live


@BOUNDED
@given(sites(), sites(), st.lists(st.sampled_from(LEAVES), unique=True), st.booleans())
def test_from_any_state_back_to_any_state(
    before: Site, after: Site, leaves: list[str], was_applied: bool
) -> None:
    recorder = Recorder(without(configuration(ADDRESSES), leaves))
    foreign = FOREIGN.findall(recorder.raw)
    if was_applied:
        recorder.apply(recorder.plan(desired_of(before)))
    then = live_of(recorder, after)  # as the run that is to be undone reads it: with what it takes over
    snapshot = Snapshot("snap-000000000000", before.name, "", "", then, ("nvr",))
    recorder.apply(recorder.plan(desired_of(after)))
    wanted = desired_of_snapshot(after, snapshot)
    recorder.apply(recorder.plan(wanted))
    assert live_of(recorder, after) == then
    assert recorder.plan(wanted).workable == ()
    assert FOREIGN.findall(recorder.raw) == foreign
