"""`learn` against a recorder whose store no layout describes: by hand before, managed and working after."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ivn_provision.cli.learn import gui_arguments, texts_of
from ivn_provision.cli.shared import layouts_of
from ivn_provision.drivers.xprotect_e.learning import remote
from ivn_provision.drivers.xprotect_e.learning.passes import Pass
from ivn_provision.drivers.xprotect_e.learning.remote import Machine
from ivn_provision.drivers.xprotect_e.learning.session import Learning
from ivn_provision.errors import Refused
from ivn_provision.lab.lab import Lab
from ivn_provision.lab.sites import generated_sites, with_store_b
from ivn_provision.run.engine import SiteOutcome, apply_sites, plan_sites
from ivn_provision.run.targets import Opener
from tests.support.command import Ran, ivn_here
from tests.support.world import Events, World, own_addresses

SITE = "lab-0001"
KINDS = ("generic_event", "hardware_event", "mail_message", "mail_server", "alarm")
SECONDS = 10.0


@dataclass
class Unknown:
    """A lab with store B, served to other processes too."""

    world: World
    at: Path

    def learn(self, kind: str, *more: str) -> Ran:
        where = ("--technician", "lab", "--lab-dir", str(self.at / "lab"))
        return ivn_here("learn", SITE, kind, *where, *more, cwd=self.at)

    def opener(self, *, file_edits: bool = True) -> Opener:
        found = self.world.opener()
        found.file_edits = file_edits
        found.layouts = layouts_of([self.world.site(SITE)])
        return found

    def plan(self) -> SiteOutcome:
        (outcome,) = plan_sites([self.world.site(SITE)], self.opener(), Events())
        return outcome

    def apply(self, *, file_edits: bool = True) -> SiteOutcome:
        opener = self.opener(file_edits=file_edits)
        (outcome,) = apply_sites([self.world.site(SITE)], opener, Events(), guards=self.world.guards())
        return outcome


@pytest.fixture
def unknown(tmp_path: Path) -> Iterator[Unknown]:
    sites = with_store_b(generated_sites(1, own_addresses()))
    with (
        Lab(tmp_path / "lab", sites, portal_port=0, mail_port=0) as lab,
        lab.control(lambda: None),
    ):
        lab.write_sites(tmp_path / "sites")
        yield Unknown(World(lab, tmp_path / "sites"), tmp_path)


def of_the_recorder(outcome: SiteOutcome) -> list[str]:
    assert outcome.plan is not None, outcome.error
    return [f"{each.action} {each.address}" for each in outcome.plan.changes if each.address.target == "nvr"]


def test_all_kinds_are_learned_and_then_the_recorder_works(unknown: Unknown) -> None:
    lab, nvr = unknown.world.lab, unknown.world.lab.nvr(SITE)
    before = unknown.plan().plan
    assert before is not None
    assert [each for each in before.changes if each.address.target == "nvr"] == []
    by_hand = {each.address.kind for each in before.unverified}
    assert {*KINDS, "camera"} <= by_hand, "nothing is known of this recorder: a person does it all"
    for kind in KINDS:
        ran = unknown.learn(kind)
        assert ran.code == 0, ran.err
        assert f"Learned of {kind}: " in ran.out
        assert "REVIEW BEFORE YOU COMMIT" in ran.out
    assert nvr.counters.file_writes == 0, "learning never writes"
    shown = ivn_here("capabilities", SITE, cwd=unknown.at)
    assert shown.code == 0, shown.err
    assert "learned" in shown.out
    for number, label in ((10, "Lobby"), (11, "Dock")):
        _name_camera(unknown, number, label)
    planned = of_the_recorder(unknown.plan())
    assert f"create {SITE}/nvr/generic_event/2" in planned
    assert f"create {SITE}/nvr/alarm/Door forced" in planned
    assert f"update {SITE}/nvr/mail_server" in planned
    refused = unknown.apply(file_edits=False)
    assert isinstance(refused.error, Refused)
    assert "--unsupported-file-edit" in refused.error.next_step
    assert (nvr.counters.file_writes, lab.portal.counters.writes) == (0, 0)
    applied = unknown.apply()
    assert applied.proof is not None, applied.error
    assert [each for each in of_the_recorder(unknown.plan()) if "camera" not in each] == []
    assert nvr.counters.file_writes >= 3
    lab.fire_soft(SITE, 2)
    event = _event(unknown, 1)
    assert (event["pin"], event["source"], event["parse_status"]) == (2, "soft", "parsed")
    assert lab.fire_input(SITE, "192.168.10.62", 1) == 1
    event = _event(unknown, 2)
    assert (event["pin"], event["source"], event["camera"]) == (3, "hardware", 11)
    _the_log_is_looked_at(unknown)


def _the_log_is_looked_at(unknown: Unknown) -> None:
    """Where the logs stand was learned too: an error there after a write puts everything back."""
    lab, label = unknown.world.lab, {"label": "Moved"}
    lab.tamper(SITE, "generic_event", "2", label)
    lab.fault(SITE, "log-error-after-start")
    broken = unknown.apply()
    lab.fault(SITE, "log-error-after-start", on=False)
    assert isinstance(broken.error, Refused)
    assert "the recorder is as it was" in broken.error.summary
    assert f"update {SITE}/nvr/generic_event/2" in of_the_recorder(unknown.plan())
    assert unknown.apply().proof is not None


def _name_camera(unknown: Unknown, number: int, label: str) -> None:
    """A person names a camera: cameras are no kind that is learned."""
    address = {10: "192.168.10.61", 11: "192.168.10.62"}[number]
    names = {camera.number: camera.name for camera in unknown.world.site(SITE).cameras or ()}
    unknown.world.lab.gui(SITE, "change", "camera", address, {"name": names.get(number, f"{number} {label}")})


def _event(unknown: Unknown, count: int) -> dict[str, object]:
    done = threading.Event()
    for _ in range(int(SECONDS / 0.1)):
        events = unknown.world.lab.portal.events(SITE)
        if len(events) >= count:
            newest: dict[str, object] = max(events, key=lambda each: str(each["received_at"]))
            return newest
        done.wait(0.1)
    raise AssertionError("no mail reached the portal")


def test_learning_leaves_settings_as_they_were(unknown: Unknown) -> None:
    lab = unknown.world.lab
    fields = {"enabled": "true", "recipients": "a@x.test;b@x.test", "subject": "Before", "body": "One\nTwo"}
    lab.gui(SITE, "change", "mail_message", "", fields)
    before = lab.nvr(SITE).store.load().mail
    assert unknown.learn("mail_message").code == 0
    assert unknown.learn("generic_event").code == 0
    assert lab.nvr(SITE).store.load().mail == before
    names = [each.name for each in lab.nvr(SITE).store.load().generics]
    assert names == ["Gate open by guard"]


def test_learning_twice_is_asked_for(unknown: Unknown) -> None:
    assert unknown.learn("mail_server").code == 0
    again = unknown.learn("mail_server")
    assert again.code == 64
    assert "--yes" in again.err


def test_what_stands_in_the_way_is_said(unknown: Unknown) -> None:
    early = unknown.learn("alarm")
    assert early.code == 1
    assert "learn hardware_event first" in early.err
    unknown.world.lab.gui(SITE, "open")
    busy = unknown.learn("generic_event")
    assert busy.code == 1
    assert "close it there" in busy.err
    unknown.world.lab.gui(SITE, "close")
    # The end of a person's input is the same as Ctrl-C.
    broken = ivn_here("learn", SITE, "generic_event", cwd=unknown.at)
    assert broken.code == 130
    assert "[1/9] Save without a change" in broken.out
    unknown.world.edit(SITE, "xprotect-professional-2014", "xprotect-enterprise-2014")
    other = unknown.learn("generic_event")
    assert other.code == 1
    assert "the site file says xprotect-enterprise-2014" in other.err
    assert not (unknown.at / "sites" / "layouts").exists()


@dataclass
class Absent(Exception):
    """The person goes away."""


@dataclass
class Careless:
    """A person who forgets to save, leaves the program open, skips what can be skipped, and may go away."""

    lab: Lab
    leaves_at: int = 0
    said: list[str] = field(default_factory=list)
    forgot: bool = False

    def make(self, each: Pass, number: int, total: int) -> bool:
        del total
        if number == self.leaves_at:
            raise Absent
        if each.optional:
            return False
        if each.action == "add" and not self.forgot:
            self.forgot = True
            return True
        said = gui_arguments(SITE, each)
        kind = each.kind if each.action != "control" else ""
        self.lab.gui(SITE, str(said["action"]), kind, each.key, dict(texts_of(each)))
        self.lab.gui(SITE, "open" if number == 3 else "close")
        return True

    def close(self) -> None:
        self.said.append("close")
        self.lab.gui(SITE, "close")

    def again(self, each: Pass) -> None:
        self.said.append(f"again: {each.name.partition(' ivn')[0]}")

    def seen(self, each: Pass, changed: Sequence[str]) -> None:
        del each
        self.said.append(f"{len(changed)} files")


def session_of(unknown: Unknown, who: Careless) -> Learning:
    site = unknown.world.site(SITE)
    assert site.nvr is not None
    return Learning(Machine(unknown.opener().link(site.nvr)), who)


def test_a_careless_person_is_told_and_asked_again(unknown: Unknown) -> None:
    who = Careless(unknown.world.lab)
    learning = session_of(unknown, who)
    finding = learning.run("hardware_event", "0a0a", {})
    assert finding.unlearned == {"record": "no pass changed it, so its place was not found"}
    assert who.said[:3] == ["4 files", "again: add 996 H", "4 files"]
    assert who.said.count("close") == 1
    assert learning.left == {}


def test_what_a_broken_off_session_leaves_is_known(unknown: Unknown) -> None:
    learning = session_of(unknown, Careless(unknown.world.lab, leaves_at=4))
    with pytest.raises(Absent):
        learning.run("generic_event", "0b0b", {})
    assert sorted(learning.left.values()) == [
        "generic_event '996 S ivn 0b0b'",
        "generic_event '997 S ivn 0b0b'",
    ]


def test_a_machine_with_too_many_files_is_refused(unknown: Unknown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "MAX_FILES", 2)
    with pytest.raises(Refused, match="more than 2 files"):
        session_of(unknown, Careless(unknown.world.lab)).run("generic_event", "0c0c", {})


HOSTILE = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'


def test_hostile_files_beside_the_configuration_are_left_out(unknown: Unknown) -> None:
    tree = unknown.world.lab.nvr(SITE).windows.tree
    folder = remote.CONFIGURATION.rpartition("\\")[0]
    for name, content in {"entity.xml": HOSTILE, "deep.xml": b"<a>" * 9000, "$(x)'`.xml": b"<a/>"}.items():
        tree.write(f"{folder}\\{name}", content)
    learning = session_of(unknown, Careless(unknown.world.lab))
    frame = learning.machine.frame()
    assert frame is not None
    names = {path.rpartition("\\")[2] for path in frame.files}
    assert "configuration.xml" in names
    assert not names & {"entity.xml", "deep.xml"}


def test_a_hostile_configuration_is_a_clear_error(unknown: Unknown) -> None:
    unknown.world.lab.nvr(SITE).windows.tree.write(remote.CONFIGURATION, HOSTILE)
    ran = unknown.learn("generic_event")
    assert ran.code == 1
    assert "document type" in ran.err
