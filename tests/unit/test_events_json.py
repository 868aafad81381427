"""Events as JSON lines: always one whole object a line, in the shape that the schema and the page say."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivn_provision.diagnostics import Diagnostic, Place, Severity
from ivn_provision.drivers.base import Outcome
from ivn_provision.errors import Interrupted, PartlyApplied, ProtocolFault, SpecError, Unreachable
from ivn_provision.model.resource import Address
from ivn_provision.plan.plan import Action, Change, FieldChange, SitePlan
from ivn_provision.report.event_stream import EventStream
from ivn_provision.report.site_ends import End
from ivn_provision.run.checking import Checked
from ivn_provision.run.events import Event, Step, Wave, ended
from ivn_provision.run.outcomes import SiteOutcome
from ivn_provision.run.verifying import Verified
from ivn_provision.secret import Secret, SecretRef
from ivn_provision.spec.schema_files import schema_text
from ivn_provision.verify.result import Result, passed
from tests.support.event_lines import each_site_ends_once, messages, of_type
from tests.unit.test_hostile_output import HOSTILE, TEXT, plan_full_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "events.md"
CAMERA = Address("s", "nvr", "camera", "1")
REFERENCE = SecretRef("env", "P")
PLAN = SitePlan("s", (Change(CAMERA, Action.UPDATE, (FieldChange("name", "a", "b"),)),))


@dataclass
class Told:
    """A stream with the text that it wrote, and a clock that a test moves."""

    command: str = "plan"
    text: str = ""
    now: datetime = datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC)
    calls: int = 0
    breaks_at: int = 10**9
    stream: EventStream = field(init=False)

    def __post_init__(self) -> None:
        self.stream = EventStream(self.write, lambda: self.now, command=self.command)

    def write(self, text: str) -> None:
        self.calls += 1
        if self.calls >= self.breaks_at:
            raise BrokenPipeError
        self.text += text


def test_a_plan() -> None:
    told = Told()
    told.stream.begin(1, "run-1")
    told.stream.notify(Event("s", Step.STARTED))
    told.now += timedelta(seconds=3.9)
    ended(SiteOutcome("s", PLAN), told.stream)
    told.stream.end(2)
    found = messages(told.text)
    assert [each["type"] for each in found] == [
        "version", "site_start", "planned_change", "site_complete", "change_summary", "run_complete",
    ]  # fmt: skip
    assert found[2]["change"] == {
        "resource": {
            "addr": "s/nvr/camera/1", "module": "s", "resource": "camera.1", "implied_provider": "ivn/nvr",
            "resource_type": "camera", "resource_name": "1", "resource_key": None,
        },
        "action": "update",
    }  # fmt: skip
    assert found[3]["ivn"] == {"site": "s", "outcome": "drift", "elapsed_seconds": 3}
    assert found[4]["@message"] == "Plan: 0 to add, 1 to change, 0 to destroy."
    assert found[5]["run"] == {"exit_code": 2, "elapsed_seconds": 3, "sites": {"drift": 1}}


@pytest.mark.parametrize(
    ("action", "was"),
    [
        (Action.CREATE, "delete"),
        (Action.DELETE, "create"),
        (Action.UPDATE, "update"),
        (Action.REPLACE, "update"),
    ],
)
def test_drift_says_what_was_done_to_the_object(action: Action, was: str) -> None:
    told = Told("drift")
    told.stream.begin(1)
    ended(SiteOutcome("s", SitePlan("s", (Change(CAMERA, action, ()),))), told.stream)
    told.stream.end(2)
    (drift,) = of_type(messages(told.text), "resource_drift")
    assert drift["change"]["action"] == was


def test_an_apply_with_a_write_that_takes_long() -> None:
    told = Told("apply")
    told.stream.begin(1)
    told.stream.notify(Event("s", Step.STARTED))
    told.stream.notify(Event("s", Step.PLANNED, about=PLAN))
    told.stream.notify(Event("s", Step.WRITING, "nvr", addresses=(CAMERA,)))
    told.now += timedelta(seconds=10)
    told.stream.beat()
    told.now += timedelta(seconds=2)
    told.stream.notify(Event("s", Step.WRITTEN, "nvr", addresses=(CAMERA,)))
    told.stream.beat()
    ended(SiteOutcome("s", PLAN, (Outcome(CAMERA, "done"),), SitePlan("s")), told.stream)
    told.stream.end(0)
    found = messages(told.text)
    hooks = [(each["type"], each["hook"].get("elapsed_seconds")) for each in found if "hook" in each]
    assert hooks == [("apply_start", None), ("apply_progress", 10), ("apply_complete", 12)]
    (total,) = of_type(found, "change_summary")
    assert total["changes"] == {"add": 0, "change": 1, "remove": 0, "import": 0, "operation": "apply"}
    assert each_site_ends_once(found) == {"s": "applied"}


def test_a_write_that_fails() -> None:
    told = Told("apply")
    told.stream.begin(1)
    told.stream.notify(Event("s", Step.WRITING, "nvr", addresses=(CAMERA,)))
    ended(SiteOutcome("s", PLAN, error=PartlyApplied("broke", where="s/nvr")), told.stream)
    told.stream.end(3)
    found = messages(told.text)
    assert [each["type"] for each in found[1:-2]] == [
        "apply_start", "apply_errored", "diagnostic", "site_complete",
    ]  # fmt: skip
    assert each_site_ends_once(found) == {"s": "partly"}


def test_problems_of_files_have_their_place() -> None:
    told = Told()
    told.stream.begin(1)
    problem = Diagnostic(Severity.ERROR, "IVN001", "wrong", Place("x.yml", 3, 4))
    ended(SiteOutcome("s", error=SpecError((problem,))), told.stream)
    told.stream.diagnose([problem])
    told.stream.end(1)
    found = of_type(messages(told.text), "diagnostic")
    assert [each["diagnostic"].get("code") for each in found] == ["IVN001", None, "IVN001"]
    assert found[0]["diagnostic"]["range"]["start"] == {"line": 3, "column": 4}


def test_waves_checks_and_what_is_new() -> None:
    told = Told("check")
    told.stream.begin(2)
    wave = Wave(1, 3, 2, "pilot")
    told.stream.notify(Event("", Step.WAVE_STARTED, about=wave))
    result = Result("s", "C1", "title", ("R-1",), "nvr", passed("seen"))
    ended(Checked("s", (result,)), told.stream)
    ended(Verified("t"), told.stream)
    told.stream.notify(Event("u", Step.SKIPPED, text="not in this wave"))
    told.stream.notify(Event("", Step.WAVE_ENDED, about=wave))
    told.stream.end(0)
    found = messages(told.text)
    assert [each["type"] for each in found[1:-1]] == [
        "wave_start", "check_result", "site_complete", "site_complete", "site_complete", "wave_complete",
    ]  # fmt: skip
    assert each_site_ends_once(found) == {"s": "clean", "t": "clean", "u": "skipped"}


@settings(deadline=None)
@given(TEXT)
def test_hostile_text_is_one_line(text: str) -> None:
    _all_events_of(text)


def test_the_worst_text_is_one_line() -> None:
    _all_events_of(HOSTILE)


def _all_events_of(text: str) -> None:
    told = Told("apply")
    told.stream.begin(1, text)
    speakable = text.encode("utf-8", "replace").decode() or "x"  # an address cannot hold half a pair
    plan = plan_full_of(speakable)
    for step in Step:
        told.stream.notify(Event(text, step, text=text, target="nvr", addresses=(plan.changes[0].address,)))
    told.stream.notify(Event(text, Step.PLANNED, about=plan))
    told.stream.notify(Event(text, Step.WAVE_STARTED, about=Wave(1, 1, 1, text)))
    problem = Diagnostic(Severity.ERROR, text, text, Place(text, 1, 1), detail=text, hint=text)
    told.stream.fail(SpecError((problem,)))
    ended(SiteOutcome(text, plan, error=ProtocolFault(text, where=text, next_step=text)), told.stream)
    told.stream.end(1)
    messages(told.text)


@given(st.text(min_size=8, alphabet=st.characters(categories=["L", "N"])))
def test_no_value_of_a_field_is_in_it(value: str) -> None:
    """Not even where it is no secret: names of fields only."""
    word = f"Zq{value}Qz"
    fields = (
        FieldChange("name", word, f"{word}2"),
        FieldChange("password", Secret(word, REFERENCE), Secret(word, REFERENCE)),
    )
    told = Told()
    told.stream.begin(1)
    ended(SiteOutcome("s", SitePlan("s", (Change(CAMERA, Action.UPDATE, fields),))), told.stream)
    told.stream.end(0)
    assert word not in json.dumps(messages(told.text), ensure_ascii=False)


def test_threads_do_not_mix_their_lines() -> None:
    told = Told()
    told.stream.begin(64)

    def work(number: int) -> None:
        name = f"site-{number}"
        told.stream.notify(Event(name, Step.STARTED))
        told.stream.notify(Event(name, Step.READING, "nvr"))
        ended(SiteOutcome(name, error=Unreachable("no connection")), told.stream)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(64)))
    told.stream.end(1)
    found = messages(told.text)
    assert each_site_ends_once(found) == {f"site-{number}": "unreachable" for number in range(64)}
    assert found[-1]["run"]["sites"] == {"unreachable": 64}


def test_after_the_reader_has_gone_no_site_is_begun() -> None:
    told = Told(breaks_at=3)
    told.stream.begin(2)
    told.stream.notify(Event("a", Step.STARTED))
    assert not told.stream.is_closed()
    told.stream.notify(Event("a", Step.READING, "nvr"))
    assert told.stream.is_closed()
    told.stream.notify(Event("a", Step.READ, "nvr"))
    with pytest.raises(Interrupted):
        told.stream.notify(Event("b", Step.STARTED))
    ended(SiteOutcome("a"), told.stream)
    told.stream.end(0)
    assert told.calls == 3


def test_a_run_that_never_began_says_nothing() -> None:
    told = Told()
    told.stream.end(64)
    assert told.text == ""


def test_an_error_of_the_whole_run_comes_after_the_first_line() -> None:
    told = Told()
    told.stream.fail(ProtocolFault("odd"))
    told.stream.end(1)
    assert [each["type"] for each in messages(told.text)][:2] == ["version", "diagnostic"]


def test_the_page_and_the_schema_know_every_type_and_end() -> None:
    schema, page = json.loads(schema_text("events.schema.json")), PAGE.read_text(encoding="utf-8")
    missing = [name for name in schema["properties"]["type"]["enum"] if f"`{name}`" not in page]
    assert missing == []
    assert schema["$defs"]["end"]["enum"] == [each.value for each in End]
    assert [each.value for each in End if f"`{each.value}`" not in page] == []
