"""A plan as a comment: bounded, and nothing in it is obeyed."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from ivn_provision.errors import Unreachable
from ivn_provision.model.resource import Address
from ivn_provision.plan.plan import Action, Change, FieldChange, SitePlan
from ivn_provision.report.markdown import cell, code, fence
from ivn_provision.report.plan_markdown import LIMIT, MARKER, render_markdown
from ivn_provision.run.outcomes import SiteOutcome
from ivn_provision.secret import Secret, SecretRef
from tests.unit.test_hostile_output import HOSTILE, assert_harmless, plan_full_of

EVIL = "</details>```\n<!-- x --><script>|@admin [x](javascript:1) `` ~~~ *b*"


def rendered(*plans: SitePlan, limit: int = LIMIT) -> str:
    return render_markdown([SiteOutcome(each.site, each) for each in plans], plans, limit=limit)


def differing(site: str, fields: int = 1) -> SitePlan:
    address = Address(site, "nvr", "camera", "1")
    return SitePlan(
        site,
        (Change(address, Action.UPDATE, tuple(FieldChange(f"f{n}", "old", "new") for n in range(fields))),),
    )


def test_the_sum_comes_first_and_details_are_closed() -> None:
    text = rendered(differing("odd"), SitePlan("good", unchanged=4))
    assert text.splitlines()[:4] == [
        MARKER, "### Plan: 0 to add, 1 to change, 0 to destroy.", "", "2 sites: 1 differing, 1 clean.",
    ]  # fmt: skip
    assert "| <code>odd</code> | differing | 0 | 1 | 0 | 0 | 0 |" in text
    assert "<details><summary><code>odd</code></summary>\n\n```diff\nodd\n" in text
    assert '!     ~ f0 = "old" -> "new"' in text
    assert "<code>good</code>" not in text


def test_no_change_and_no_site() -> None:
    assert "### No changes. 4 objects as declared." in rendered(SitePlan("good", unchanged=4))
    assert "0 sites: " in render_markdown([], [])


def test_a_site_that_could_not_be_read() -> None:
    outcome = SiteOutcome("far", error=Unreachable("no answer from 192.0.2.1 | x"))
    text = render_markdown([outcome], [])
    assert "### 1 site could not be planned.\n" in text
    both = render_markdown([outcome, SiteOutcome("good", SitePlan("good"))], [SitePlan("good", unchanged=4)])
    assert "### No changes. 4 objects as declared. 1 site could not be planned.\n" in both
    assert "| <code>far</code> | unreachable: <code>no answer from 192.0.2.1 &#124; x</code> |" in text


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 300), st.integers(1, 400), st.integers(1000, LIMIT))
def test_it_is_never_too_long(sites: int, fields: int, limit: int) -> None:
    text = rendered(*(differing(f"site-{n}", fields) for n in range(sites)), limit=max(limit, 12_000))
    assert len(text) <= max(limit, 12_000)
    shown = text.count("<details>")
    assert text.count("</details>") == shown
    assert shown == sites or f"{sites - shown} more site" in text


def test_hostile_text_ends_no_block_and_makes_no_markup() -> None:
    plan = plan_full_of(EVIL)
    text = rendered(plan)
    outside = _outside_of_fences(text)
    assert outside.count("<details>") == outside.count("</details>") == 1
    assert "<script" not in outside
    assert "javascript" not in re.sub(r"<code>.*?</code>", "", outside)
    assert "@admin" not in re.sub(r"<code>.*?</code>", "", outside)
    assert_harmless(rendered(plan_full_of(HOSTILE.replace("\ud800", ""))))


def test_no_secret_is_in_it() -> None:
    secret = Secret("hunter2-hunter2", SecretRef("env", "P"))
    change = Change(
        Address("s", "nvr", "user", "u"), Action.UPDATE, (FieldChange("password", secret, secret),)
    )
    assert "hunter2" not in rendered(SitePlan("s", (change,)))


@given(st.text())
def test_code_cannot_be_ended(text: str) -> None:
    ticks = fence(text, 1)
    assert ticks not in re.sub(r"\s", " ", text)
    assert code(text).startswith(ticks)
    inner = cell(text).removeprefix("<code>").removesuffix("</code>")
    assert not set(inner) & set("|<>`*_[]\n")


def _outside_of_fences(text: str) -> str:
    """What Markdown reads: lines that are in no fenced block."""
    out, ticks = [], ""
    for line in text.splitlines():
        found = re.match(r"(`{3,})", line)
        if ticks:
            if line.strip() == ticks:
                ticks = ""
        elif found:
            ticks = found[1]
        else:
            out.append(line)
    assert ticks == ""
    return "\n".join(out)
