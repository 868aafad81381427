"""Which targets `--target` and `--exclude` may mean: never too few."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivn_provision.model.resource import Address
from ivn_provision.plan.reach import reach_of
from ivn_provision.plan.select import chooser

SITE = "harbor"


@pytest.mark.parametrize(
    ("targets", "excludes", "asked"),
    [
        ((), (), True),
        (("nvr/*",), (), False),
        (("harbor/nvr/camera/10",), (), False),
        (("camera-10/*",), (), True),
        (("camera-1*",), (), True),
        (("camera-11/*",), (), False),
        (("*",), (), True),
        (("nvr/*", "*/io_port/1"), (), True),
        ((), ("camera-10/*",), False),
        ((), ("*/camera-10/*",), False),
        ((), ("harbor/camera-10/*",), False),
        ((), ("camera-10/io_port/*",), True),
        ((), ("camera-11/*",), True),
        (("camera-10/*",), ("camera-*",), False),
    ],
)
def test_what_is_asked(targets: tuple[str, ...], excludes: tuple[str, ...], asked: bool) -> None:
    assert reach_of(targets, excludes)(SITE, "camera-10") is asked


GLOBS = st.text("*?[]!ar-10/ehbnvoc", max_size=12) | st.sampled_from(
    ["camera-10/*", "*/camera-10/*", "harbor/*", "nvr/*", "*0/io_port/?", "h*", "camera-10/io_port/[12]"]
)


@given(st.lists(GLOBS, max_size=3), st.lists(GLOBS, max_size=2), st.sampled_from(["camera-10", "camera-11"]))
def test_what_can_be_chosen_is_asked(targets: list[str], excludes: list[str], target: str) -> None:
    addresses = [Address(SITE, target, "io_port", "1"), Address(SITE, target, "camera_clock")]
    if any(map(chooser(targets, excludes), addresses)):
        assert reach_of(targets, excludes)(SITE, target)
