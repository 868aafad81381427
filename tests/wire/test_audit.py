"""An audit of a fleet in the lab: what is found, what is waived, what could not be seen; and that it writes nothing."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ivn_provision.drivers.portal.driver import PortalWriter
from ivn_provision.drivers.xprotect_e.driver import XProtectWriter
from ivn_provision.run.audit.auditing import About, audit_fleet
from ivn_provision.run.fleet.loading import FleetFiles
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.run.fleet.runners import Inline
from ivn_provision.spec.site import Site
from tests.support.command import Ran, ivn_here
from tests.support.world import Events, World, started, utc_now

ONE, TWO, THREE = "lab-0001", "lab-0002", "lab-0003"


@dataclass
class Fleet:
    """Three sites as declared, everything attested."""

    world: World

    @property
    def at(self) -> Path:
        return self.world.folder.parent

    def run(self, *arguments: str) -> Ran:
        return ivn_here("audit", *arguments, cwd=self.at)

    def audit(self, *arguments: str, code: int) -> dict[str, dict[str, Any]]:
        """The sites of the JSON document, by name."""
        ran = self.run("--format", "json", *arguments)
        assert ran.code == code, ran.out + ran.err
        return {each["site"]: each for each in json.loads(ran.out)["sites"]}

    def waive(self, text: str) -> None:
        (self.world.folder / "waivers.yml").write_text(f"waivers:\n{text}", "utf-8")

    def writes(self) -> list[object]:
        """Everything that an audit must leave as it is."""
        lab = self.world.lab
        nvrs = [lab.nvr(each) for each in (ONE, TWO, THREE)]
        counted = [(each.counters.file_writes, each.counters.service_restarts) for each in nvrs]
        files = [each.configuration_path.read_bytes() for each in nvrs]
        mails = [(each.counters.mails_sent, each.counters.mails_failed) for each in nvrs]
        return [
            counted,
            files,
            mails,
            lab.portal.counters.writes,
            lab.portal.counters.fired,
            lab.portal.alarms(),
        ]


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with started(tmp_path, count=3) as world:
        for name in (ONE, TWO, THREE):
            world.attest_all(name)
            (outcome,) = world.apply(name)
            assert outcome.error is None
        yield Fleet(world)


def whats(site: dict[str, Any], level: str = "error") -> list[str]:
    return [each["what"] for each in site["findings"] if each["level"] == level]


def test_from_clean_to_drift_and_back(fleet: Fleet) -> None:
    first = fleet.audit(code=0)
    assert {name: each["state"] for name, each in first.items()} == dict.fromkeys((ONE, TWO, THREE), "clean")
    assert all(each["as_declared"] > 10 and each["attested"] for each in first.values())
    fleet.world.lab.tamper(ONE, "generic_event", "2 S", {"email": "false"})
    sites = fleet.audit(code=2)
    assert list(sites) == [ONE, TWO, THREE]
    assert sites[ONE]["state"] == "drift"
    (finding,) = (each for each in sites[ONE]["findings"] if each["kind"] == "drift")
    assert finding["fields"] == [{"name": "email", "live": "off", "declared": "on", "cause": ""}]
    line = (
        Path(fleet.at, finding["place"]["path"]).read_text("utf-8").splitlines()[finding["place"]["line"] - 1]
    )
    assert line[finding["place"]["column"] - 1 :].startswith("true}")
    assert whats(sites[ONE]) == ["drift/generic_event"]  # the check that knows of it does not say it again
    assert sites[TWO]["since"] == first[TWO]["since"]
    again = fleet.audit(code=2)
    (later,) = (each for each in again[ONE]["findings"] if each["kind"] == "drift")
    assert (later["id"], later["first_seen"]) == (finding["id"], finding["first_seen"])
    fleet.world.lab.tamper(ONE, "generic_event", "2 S", {"email": "true"})
    assert fleet.audit(code=0)[ONE]["state"] == "clean"


def test_a_failing_check(fleet: Fleet) -> None:
    fleet.world.lab.fault(TWO, "web-port-closed")
    sites = fleet.audit(code=2)
    assert sites[TWO]["state"] == "failing"
    assert "web-port" in whats(sites[TWO])
    fleet.waive(
        f'  - {{address: "{TWO}/*", check: "*", reason: the router is new, owner: Ada, until: {_day(3)}}}\n'
    )
    assert fleet.audit(code=0)[TWO]["state"] == "waived"


def test_waived_until_a_day(fleet: Fleet) -> None:
    fleet.world.lab.tamper(ONE, "camera", "10", {"label": "Other"})
    row = "  - {{address: {}, reason: painted, owner: Ada, until: {}}}\n"
    fleet.waive(row.format(f"{ONE}/nvr/camera/10", _day(0)) + row.format(f"{TWO}/nvr/camera/10", _day(9)))
    ran = fleet.run("--format", "json")
    assert ran.code == 0, ran.out
    document = json.loads(ran.out)
    (site,) = (each for each in document["sites"] if each["site"] == ONE)
    assert site["state"] == "waived"
    assert document["excused"] == 1
    assert document["unused_waivers"] == [f"{TWO}/nvr/camera/10"]
    fleet.waive(row.format(f"{ONE}/nvr/camera/10", _day(-1)))
    expired = fleet.run()
    assert expired.code == 2
    assert f"waived until {_day(-1)} by Ada, expired: painted" in expired.out
    other = fleet.at / "other.yml"
    other.write_text(f"waivers:\n{row.format(f'{ONE}/*', _day(1))}", "utf-8")
    assert fleet.run("--waivers", str(other)).code == 0


def test_broken_waivers_stop_it_before_anything_is_read(fleet: Fleet) -> None:
    fleet.waive("  - {address: x}\n")
    posts = fleet.world.lab.nvr(ONE).counters.posts
    ran = fleet.run()
    assert ran.code == 1
    assert "waivers.yml:2:5" in ran.err
    assert fleet.world.lab.nvr(ONE).counters.posts == posts


def test_a_dead_recorder_is_never_clean_and_the_portal_still_speaks(fleet: Fleet) -> None:
    fleet.world.lab.tamper(THREE, "camera", "10", {"label": "Other"})
    seen = fleet.audit(code=2)[THREE]["findings"]
    fleet.world.edit(THREE, "port: 15986", "port: 9")
    fleet.world.lab.tamper(THREE, "pin", "2H", {"event_type": "entry_delay"})
    sites = fleet.audit("--deadline", "5", code=1)
    assert next(iter(sites)) == THREE
    assert sites[THREE]["state"] == "unreachable"
    assert "drift/pin" in whats(sites[THREE])
    assert [each["kind"] for each in sites[THREE]["trouble"]] == ["Unreachable"]
    assert {sites[ONE]["state"], sites[TWO]["state"]} == {"clean"}
    fleet.world.edit(THREE, "port: 9", "port: 15986")
    (camera,) = (each for each in fleet.audit(code=2)[THREE]["findings"] if each["what"] == "drift/camera")
    assert camera["first_seen"] == next(each for each in seen if each["what"] == "drift/camera")["first_seen"]


def test_a_hanging_recorder_costs_its_deadline(fleet: Fleet) -> None:
    fleet.world.lab.fault(ONE, "hang")
    sites = fleet.audit("--deadline", "2", code=1)
    assert [each["kind"] for each in sites[ONE]["trouble"]] == ["DeadlineExceeded"]
    assert sites[ONE]["state"] == "unreachable"
    fleet.world.lab.fault(ONE, "hang", on=False)


def test_a_portal_that_fails(fleet: Fleet) -> None:
    fleet.world.lab.tamper(ONE, "camera", "10", {"label": "Other"})
    fleet.world.lab.fault("portal", "http_500")
    sites = fleet.audit("--deadline", "5", code=1)
    assert {each["state"] for each in sites.values()} == {"error"}
    assert whats(sites[ONE]) == ["drift/camera"]
    assert whats(sites[TWO]) == []  # what the portal generates is not known, and no drift


def test_an_invalid_file_is_a_site_among_others(fleet: Fleet) -> None:
    fleet.world.edit(TWO, "codec: mjpeg", "codek: mjpeg")
    ran = fleet.run()
    assert ran.code == 1
    assert ran.out.startswith(f"{TWO} invalid")
    assert f"sites/{TWO}.yml:" in ran.out
    assert "1 invalid, 2 clean" in ran.out


def test_open_fields_alone(fleet: Fleet) -> None:
    (fleet.world.folder / "attestations" / f"{ONE}.yml").unlink()
    sites = fleet.audit(code=4)
    assert sites[ONE]["state"] == "open"
    assert "open/mail_server" in whats(sites[ONE], "note")


def test_a_part_of_the_fleet_and_its_history(fleet: Fleet) -> None:
    fleet.world.lab.tamper(ONE, "camera", "10", {"label": "Other"})
    before = fleet.audit(code=2)[ONE]["findings"][0]
    assert list(fleet.audit(TWO, code=0)) == [TWO]
    after = fleet.audit(code=2)[ONE]["findings"][0]
    assert (after["id"], after["first_seen"]) == (before["id"], before["first_seen"])
    assert len(json.loads(fleet.run("--format", "json").out)["trend"]) >= 2


def test_history_elsewhere_or_nowhere(fleet: Fleet) -> None:
    kept = fleet.at / "kept"
    fleet.audit("--history", str(kept), code=0)
    assert len(list(kept.iterdir())) == 1
    assert not (fleet.at / ".ivn" / "audits").exists()
    (kept / "20200101T000000Z.json").write_text("{")
    noted = fleet.run("--history", str(kept))
    assert noted.code == 0
    assert "20200101T000000Z.json is passed over: the document is not JSON" in noted.out
    assert fleet.run("--no-history").code == 0
    assert not (fleet.at / ".ivn" / "audits").exists()
    assert fleet.run("--no-history", "--history", str(kept)).code == 64


def test_reports_beside_what_is_printed(fleet: Fleet) -> None:
    names = ["a.json", "a.sarif", "a.xml", "a.md", "a.csv", "a.html"]
    ran = fleet.run(*(word for name in names for word in ("--report", name)))
    assert ran.code == 0
    assert ran.out.rstrip().endswith("3 sites: 3 clean.")
    assert all((fleet.at / name).stat().st_size > 100 for name in names)
    assert fleet.run("--report", "a.docx").code == 64


def test_an_audit_cannot_write(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither where there is drift nor where there is not; the class that writes is not even made."""

    def never(self: object, *_: object, **__: object) -> None:
        raise AssertionError(f"{type(self).__name__} was made")

    fleet.world.lab.tamper(ONE, "camera", "10", {"label": "Other"})
    fleet.world.lab.remove(TWO, "alarm", "Door forced")
    monkeypatch.setattr(XProtectWriter, "__init__", never)
    monkeypatch.setattr(PortalWriter, "__init__", never)
    tokens = fleet.world.lab.portal.core.tokens
    known, before = set(tokens._grants), fleet.writes()
    sites = fleet.audit(code=2)
    assert [sites[each]["state"] for each in (ONE, TWO, THREE)] == ["drift", "drift", "clean"]
    assert fleet.writes() == before
    granted = {
        scope for token, grant in tokens._grants.items() if token not in known for scope in grant.scopes
    }
    assert granted == {"sites:read", "events:read", "tests:run"}


def test_no_secret_in_any_form(fleet: Fleet) -> None:
    fleet.world.lab.tamper(ONE, "camera", "10", {"label": "Other"})
    (fleet.world.folder / "attestations" / f"{TWO}.yml").unlink()
    names = ["a.json", "a.sarif", "a.xml", "a.md", "a.csv", "a.html"]
    ran = fleet.run(*(word for name in names for word in ("--report", name)))
    kept = [each.read_text("utf-8") for each in (fleet.at / ".ivn" / "audits").iterdir()]
    shown = "\n".join([ran.out, ran.err, *kept, *((fleet.at / name).read_text("utf-8") for name in names)])
    secrets = [
        each.read_text("utf-8").strip() for each in (fleet.at / "lab" / "secrets").iterdir() if each.is_file()
    ]
    assert len(secrets) > 6
    assert not [each for each in secrets if each in shown]


def test_a_site_is_forgotten_when_its_result_is_known(fleet: Fleet) -> None:
    """A site keeps its file's tree: with all of a large fleet in memory there would be no room."""
    files = FleetFiles(fleet.world.folder)
    alive: list[int] = []

    def load(ref: SiteRef) -> Site:
        gc.collect()
        alive.append(sum(isinstance(each, Site) for each in gc.get_objects()))
        return files.load(ref)

    audit = audit_fleet(
        files.refs,
        load,
        fleet.world.opener(),
        runner=Inline(),
        about=About("sites"),
        history=None,
        observer=Events(),
        clock=utc_now,
    )
    assert len(audit.sites) == 3
    assert alive == [alive[0]] * 3


def _day(ahead: int) -> str:
    from datetime import UTC, datetime, timedelta

    return (datetime.now(UTC) + timedelta(days=ahead)).date().isoformat()
