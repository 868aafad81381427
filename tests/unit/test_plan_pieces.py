"""The pieces of a plan's JSON are its text, whatever stands in the plans and errors."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivn_provision.plan.plan_json import to_json
from ivn_provision.plan.plan_pieces import pieces
from tests.unit.test_plan_cases import CASES, NAMES, plan_of

STAMP = "2026-11-23T18:00:00Z"
PLANS = [plan_of(CASES / name) for name in NAMES]
HOSTILE = st.lists(st.sampled_from([*'"\\[]{}: ,\n\r\u2028é', "sites", "resource_changes"])).map("".join)


@pytest.mark.parametrize("count", [0, 1, len(PLANS)])
def test_the_pieces_of_any_number_of_plans(count: int) -> None:
    plans = tuple(PLANS[:count])
    whole = json.dumps(to_json(plans, timestamp=STAMP), indent=2)
    assert "".join(pieces(plans, timestamp=STAMP)) == whole


def test_each_is_a_small_part_of_many() -> None:
    found = list(pieces(PLANS * 20, timestamp=STAMP))
    assert max(map(len, found)) < sum(map(len, found)) / 20


@given(st.dictionaries(HOSTILE, HOSTILE, max_size=3), HOSTILE, st.booleans())
def test_no_text_of_a_site_looks_like_the_frame(errors: dict[str, str], note: str, partial: bool) -> None:
    plans = (replace(PLANS[0], notes=(note, '"sites": [', '"resource_changes": [')), *PLANS[1:3])
    errors = {**errors, '"sites": [': '"resource_changes": ['}
    whole = json.dumps(to_json(plans, timestamp=STAMP, errors=errors, partial=partial), indent=2)
    assert "".join(pieces(plans, timestamp=STAMP, errors=errors, partial=partial)) == whole
