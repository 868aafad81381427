"""What earlier audits knew: first seen, gone, back again, not looked at; and the files that keep it."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ivn_provision.errors import StateError
from ivn_provision.run.audit import history as history_module
from ivn_provision.run.audit.gather import Unseen
from ivn_provision.run.audit.history import KEPT_WHOLE, History
from ivn_provision.run.audit.history_file import Remembered, parsed, written
from ivn_provision.run.audit.memory import Seen, SiteMemory, remembered
from ivn_provision.run.audit.record import Finding, Moment, SiteState
from ivn_provision.run.audit.waiving import Waiving
from ivn_provision.strict_json import WrongShape
from tests.support.made_audits import TODAY, drift, failed_check, site_audit, waiver

START = datetime(2026, 11, 20, 3, tzinfo=UTC)
NOTHING, ALL = Unseen(), Unseen(everything=True)


def time(number: int) -> str:
    return (START + timedelta(days=number)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Nights:
    """One site, audited night after night."""

    def __init__(self) -> None:
        self.memory: SiteMemory | None = None
        self.number = 0

    def night(
        self, *findings: Finding, state: SiteState = SiteState.DRIFT, unseen: Unseen = NOTHING
    ) -> list[str]:
        """When each finding was first seen."""
        audit, self.memory = remembered(
            self.memory, site_audit("a", state, *findings), unseen, time(self.number)
        )
        self.number += 1
        return [each.first_seen for each in audit.findings]


def test_first_seen_stays() -> None:
    nights = Nights()
    assert nights.night(drift()) == [time(0)]
    assert nights.night(drift(), failed_check()) == [time(0), time(1)]


def test_gone_and_back_is_new() -> None:
    nights = Nights()
    nights.night(drift())
    nights.night(state=SiteState.CLEAN)
    assert nights.night(drift()) == [time(2)]


@pytest.mark.parametrize(
    "unseen", [ALL, Unseen(whats=frozenset({"drift/camera"})), Unseen(ids=frozenset({drift().id}))]
)
def test_what_was_not_looked_at_is_not_gone(unseen: Unseen) -> None:
    nights = Nights()
    nights.night(drift())
    nights.night(state=SiteState.UNREACHABLE, unseen=unseen)
    nights.night(state=SiteState.UNREACHABLE, unseen=unseen)
    assert nights.night(drift()) == [time(0)]


def test_what_was_looked_at_beside_is_gone() -> None:
    nights = Nights()
    nights.night(drift(), failed_check())
    nights.night(unseen=Unseen(whats=frozenset({"disk"})))
    assert nights.night(drift(), failed_check()) == [time(2), time(0)]


def test_a_part_is_as_old_as_its_whole_and_back() -> None:
    nights = Nights()
    whole = drift("a", "10", "name", "enabled")
    nights.night(whole)
    parts = Waiving([waiver("*", field="name")], TODAY).applied("a", [whole])
    assert nights.night(*parts) == [time(0), time(0)]
    assert nights.night(*parts) == [time(0), time(0)]
    all_waived = [each for each in parts if each.excused]
    assert nights.night(*all_waived) == [time(0)]
    assert nights.night(whole) == [time(0)]


def test_since_when_it_stands_so() -> None:
    nights = Nights()
    nights.night(state=SiteState.CLEAN)
    nights.night(drift())
    nights.night(drift(), failed_check())
    assert nights.memory is not None
    assert nights.memory.since == time(1)


# -- the files ---------------------------------------------------------------------------------------------


def moment(number: int, **states: int) -> Moment:
    return Moment(time(number), {SiteState(name): count for name, count in states.items()}, 0)


def memory_of(number: int, *ids: str) -> SiteMemory:
    return SiteMemory(
        SiteState.DRIFT, time(number), {each: Seen(time(number), "drift/camera") for each in ids}
    )


def now(number: int) -> datetime:
    return START + timedelta(days=number, seconds=1)


ONE, TWO = "0" * 16, f"{'1' * 16}.{'2' * 6}"


def test_it_is_kept(tmp_path: Path) -> None:
    history = History(tmp_path / "audits", "sites")
    assert history.memory("", now(0)).sites == {}
    history.add(moment(0, drift=1), "", {"a": memory_of(0, ONE, TWO)}, only_these=True)
    memory = History(tmp_path / "audits", "./sites/").memory("", now(1))
    assert memory.sites == {"a": memory_of(0, ONE, TWO)}
    assert memory.moments == (moment(0, drift=1),)
    assert memory.notes == ()
    (file,) = (tmp_path / "audits").iterdir()
    assert file.name == "20261120T030000Z.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_part_of_the_fleet_forgets_nobody(tmp_path: Path) -> None:
    history = History(tmp_path, "sites")
    history.add(moment(0), "", {"a": memory_of(0, ONE), "b": memory_of(0, TWO)}, only_these=True)
    history.add(moment(1), "b", {"b": memory_of(1)}, only_these=False)
    assert history.memory("", now(2)).sites == {"a": memory_of(0, ONE), "b": memory_of(1)}
    history.add(moment(2), "", {"b": memory_of(2)}, only_these=True)
    assert set(history.memory("", now(3)).sites) == {"b"}


def test_the_trend_is_of_the_same_selection(tmp_path: Path) -> None:
    history = History(tmp_path, "sites")
    for number, selection in enumerate(["", "b", "", "b"]):
        history.add(moment(number, drift=number), selection, {}, only_these=False)
    assert [each.at for each in history.memory("", now(4)).moments] == [time(0), time(2)]
    assert [each.at for each in history.memory("b", now(4)).moments] == [time(1), time(3)]


def test_two_fleets_share_a_folder(tmp_path: Path) -> None:
    History(tmp_path, "east").add(moment(0), "", {"a": memory_of(0, ONE)}, only_these=True)
    west = History(tmp_path, "west")
    assert west.memory("", now(1)).sites == {}
    west.add(moment(1), "", {"a": memory_of(1)}, only_these=True)
    assert History(tmp_path, "east").memory("", now(2)).sites == {"a": memory_of(0, ONE)}


def test_another_audit_meanwhile(tmp_path: Path) -> None:
    """Both began with the same knowledge; neither forgets what the other saw."""
    History(tmp_path, "sites").add(moment(0), "a", {"a": memory_of(0, ONE)}, only_these=False)
    History(tmp_path, "sites").add(moment(1), "b", {"b": memory_of(1, TWO)}, only_these=False)
    assert set(History(tmp_path, "sites").memory("", now(2)).sites) == {"a", "b"}


def test_it_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "KEPT", 8)
    history = History(tmp_path, "sites")
    for number in range(12):
        history.add(moment(number), "", {"a": memory_of(number, ONE)}, only_these=True)
    files = sorted(tmp_path.iterdir())
    assert len(files) == 8
    whole = [path for path in files if "sites" in json.loads(path.read_text())]
    assert whole == files[-KEPT_WHOLE:]
    assert history.memory("", now(12)).sites == {"a": memory_of(11, ONE)}


HOSTILE = {
    "not JSON": b"{",
    "nothing": b"",
    "deep": b"[" * 100_000,
    "another form": b'{"format": 2}',
    "a list": b"[]",
    "not UTF-8": b"\xff\xfe",
    "a huge number": b'{"format": 1, "findings": 1' + b"0" * 5000 + b"}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_broken_file_is_named_and_passed_over(name: str, tmp_path: Path) -> None:
    history = History(tmp_path, "sites")
    history.add(moment(0), "", {"a": memory_of(0, ONE)}, only_these=True)
    broken = tmp_path / "20261121T030000Z.json"
    broken.write_bytes(HOSTILE[name])
    memory = history.memory("", now(3))
    assert memory.sites == {"a": memory_of(0, ONE)}
    (note,) = memory.notes
    assert str(broken) in note
    assert "passed over" in note
    history.add(moment(2), "", {"a": memory_of(0, ONE)}, only_these=True)


def test_links_pipes_and_folders_are_passed_over(tmp_path: Path) -> None:
    import os

    (tmp_path / "20261121T030000Z.json").symlink_to("/etc/passwd")
    (tmp_path / "20261121T030001Z.json").mkdir()
    os.mkfifo(tmp_path / "20261121T030002Z.json")
    (tmp_path / "readme.txt").write_text("not ours")
    memory = History(tmp_path, "sites").memory("", now(3))
    assert len(memory.notes) == 3
    assert "root:" not in " ".join(memory.notes)


def test_the_future_is_not_believed(tmp_path: Path) -> None:
    history = History(tmp_path, "sites")
    history.add(moment(5), "", {"a": memory_of(5, ONE)}, only_these=True)
    memory = history.memory("", now(1))
    assert memory.sites == {}
    assert "in the future" in memory.notes[0]


def test_many_broken_files_are_counted(tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / f"20261120T03000{number}Z.json").write_text("x")
    assert len(History(tmp_path, "sites").memory("", now(1)).notes) == 6


def test_no_room(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError):
        History(tmp_path / "file" / "audits", "sites").add(moment(0), "", {}, only_these=True)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.fixed_dictionaries(
        {"format": st.just(1)},
        optional={
            "at": st.just(time(0)) | _JSON,
            "fleet": st.just("sites") | _JSON,
            "selection": st.just("") | _JSON,
            "states": st.just({}) | _JSON,
            "findings": st.just(1) | _JSON,
            "sites": st.just({}) | _JSON | st.dictionaries(st.text(max_size=5), _JSON, max_size=2),
        },
    )
)
def test_anything_is_an_audit_or_refused(document: object) -> None:
    content = json.dumps(document).encode()
    try:
        audit = parsed(content, now=time(1))
    except WrongShape:
        return
    assert parsed(written(audit), now=time(1)) == audit


def test_what_is_written_is_read() -> None:
    audit = Remembered(moment(0, drift=3, clean=2), "sites", "a*", {"a": memory_of(0, ONE, TWO)})
    assert parsed(written(audit), now=time(0)) == audit


# -- two at a time -----------------------------------------------------------------------------------------


class Audits:
    """Audits of one fleet that overlap: each knows what was kept when it began."""

    def __init__(self, folder: Path) -> None:
        self.history = History(folder, "sites")
        self.known: dict[int, dict[str, SiteMemory]] = {}

    def begin(self, number: int) -> None:
        self.known[number] = dict(self.history.memory("", now(number)).sites)

    def end(self, number: int, at: int, *findings: Finding, whole: bool = True, site: str = "a") -> None:
        before = self.known[number]
        state = SiteState.DRIFT if findings else SiteState.CLEAN
        audit = site_audit(site, state, *findings)
        _, kept = remembered(before.get(site), audit, NOTHING, time(number))
        self.history.add(
            moment(number), "" if whole else site, {site: kept}, only_these=whole, before=before, now=now(at)
        )

    def first_seen(self, at: int, site: str = "a") -> dict[str, str]:
        memory = self.history.memory("", now(at))
        assert memory.notes == ()
        return {id_: seen.at for id_, seen in memory.sites[site].seen.items()}


def test_an_audit_that_began_first_and_ends_last(tmp_path: Path) -> None:
    audits = Audits(tmp_path)
    audits.begin(0)
    audits.begin(1)
    audits.end(1, 2, drift())
    audits.end(0, 3, drift(), failed_check())
    assert audits.first_seen(4) == {drift().id: time(0), failed_check().id: time(0)}
    assert audits.history.memory("", now(4)).sites["a"].since == time(0)
    audits.begin(5)
    audits.end(5, 5, drift())
    assert audits.first_seen(6) == {drift().id: time(0)}


def test_an_audit_that_began_last_and_ends_last(tmp_path: Path) -> None:
    audits = Audits(tmp_path)
    audits.begin(0)
    audits.begin(1)
    audits.end(0, 2, drift())
    audits.end(1, 3, drift())
    assert audits.first_seen(4) == {drift().id: time(0)}


def test_a_part_that_began_first_and_ends_last(tmp_path: Path) -> None:
    audits = Audits(tmp_path)
    audits.begin(0)
    audits.begin(1)
    audits.end(1, 2, drift(), site="b")
    audits.end(0, 3, drift("a"), whole=False)
    assert audits.first_seen(4) == {drift().id: time(0)}
    assert audits.first_seen(4, "b") == {drift().id: time(1)}


def test_two_audits_that_begin_in_one_second(tmp_path: Path) -> None:
    for fleet in ("east", "west", "east"):
        History(tmp_path, fleet).add(moment(0), "", {fleet: memory_of(0, ONE)}, only_these=True)
    for fleet, count in {"east": 2, "west": 1}.items():
        memory = History(tmp_path, fleet).memory("", now(1))
        assert (len(memory.moments), set(memory.sites)) == (count, {fleet})


def test_two_fleets_of_the_same_name_share_a_folder(tmp_path: Path) -> None:
    east, west = (History(tmp_path, "sites", names) for names in (["a", "b"], ["x", "y"]))
    for number in range(12):
        history, name = (east, "a") if number % 2 else (west, "x")
        known = history.memory("", now(number))
        history.add(moment(number), "", {name: memory_of(number, ONE)}, only_these=True, before=known.sites)
    memory = east.memory("", now(12))
    assert set(memory.sites) == {"a"}
    assert [each.at for each in memory.moments] == [time(number) for number in range(1, 12, 2)]
    (note,) = memory.notes
    assert "another fleet" in note
    assert "such as x" in note
    assert set(west.memory("", now(12)).sites) == {"x"}
