"""Waves hold every site exactly once, in order, and have the sizes that were asked for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ivn_provision.run.play.waves import Verdict, count_of, in_waves, too_many, verdict
from ivn_provision.spec.playbook import OnFailure, Size

SHARES = st.builds(Size, st.integers(1, 100), st.just(True))
SIZES = st.builds(Size, st.integers(1, 400)) | SHARES
MOST = st.builds(Size, st.integers(0, 400)) | st.builds(Size, st.integers(0, 100), st.just(True))


@given(count=st.integers(0, 500), sizes=st.lists(SIZES, min_size=1, max_size=6))
def test_waves_are_a_partition(count: int, sizes: list[Size]) -> None:
    sites = [f"site-{number}" for number in range(count)]
    waves = in_waves(sites, sizes)
    assert [site for wave in waves for site in wave] == sites
    assert all(waves)


@given(count=st.integers(1, 500), sizes=st.lists(SIZES, min_size=1, max_size=6))
def test_all_waves_but_the_last_have_their_size(count: int, sizes: list[Size]) -> None:
    waves = in_waves(range(count), sizes)
    wanted = [count_of(sizes[min(number, len(sizes) - 1)], count) for number in range(len(waves))]
    assert [len(each) for each in waves[:-1]] == wanted[:-1]
    assert 1 <= len(waves[-1]) <= wanted[-1]


@given(size=SHARES, count=st.integers(1, 10_000))
def test_a_share_is_rounded_down_and_never_nothing(size: Size, count: int) -> None:
    got = count_of(size, count)
    assert got == 1 or got * 100 <= size.number * count < (got + 1) * 100


@given(total=st.integers(1, 500), most=MOST, failed=st.integers(0, 500))
def test_one_failure_more_is_never_better(total: int, most: Size, failed: int) -> None:
    failed = min(failed, total - 1)
    assert too_many(failed, total, most) <= too_many(failed + 1, total, most)
    assert not too_many(0, total, most)


@given(total=st.integers(1, 500), most=MOST, failed=st.integers(0, 500))
def test_the_verdict_is_what_the_playbook_says(total: int, most: Size, failed: int) -> None:
    stop, back = (verdict(failed, total, most, each) for each in (OnFailure.STOP, OnFailure.ROLLBACK))
    assert (stop, back) in {(Verdict.GO_ON, Verdict.GO_ON), (Verdict.STOP, Verdict.ROLLBACK)}
