"""The commissioning report: made by the command line, read by a program, and looked at in a real browser."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import stat
from pathlib import Path

import pytest
from lxml import etree

from ivn_provision.report.commissioning_json import digest_of
from tests.support.browser import CHROMIUM, DRIVER, MISSING, browser, console, requested
from tests.support.command import ivn_here
from tests.support.world import World
from tests.wire.test_cost_and_secrets import CONFIGURATION, forms, lab_secrets, plant

SITE = "lab-0001"
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"


@pytest.fixture
def reports(world: World) -> Path:
    """A site with a hostile description, and its three reports."""
    world.edit(SITE, "description: Lab 0001 (simulated by the lab)", f'description: "{HOSTILE}"')
    world.secrets.update(plant(world, CONFIGURATION, b"</config>"))
    assert world.apply(SITE)[0].error is None
    folder = world.folder.parent
    files = [part for name in ("c.html", "c.json", "c.xml") for part in ("--report", name)]
    ran = ivn_here("verify", SITE, *files, cwd=folder)
    assert ran.code == 0, ran.out + ran.err
    return folder


def test_for_programs(reports: Path, world: World) -> None:
    found = json.loads((reports / "c.json").read_text("utf-8"))
    evidence = found["evidence"]
    assert found["sha256"] == digest_of(evidence)
    assert evidence["verdict"] == "accepted with deviations", "inputs were not tripped"
    assert {each["pin"]: each["verdict"] for each in evidence["pins"] if each["source"] == "soft"} == {
        2: "pass"
    }
    assert [each["camera"] for each in evidence["pictures"]] == [10, 11]
    for each in evidence["pictures"]:
        jpeg = base64.b64decode(found["pictures"][str(each["camera"])])
        assert hashlib.sha256(jpeg).hexdigest() == each["sha256"]
        assert jpeg.startswith(b"\xff\xd8")
    assert any("2 H" in each for each in evidence["not_tested"])
    suites = etree.fromstring((reports / "c.xml").read_bytes())
    assert [each.get("name") for each in suites] == [f"{SITE} checks", f"{SITE} acceptance"]
    assert sum(int(each.get("failures", "1")) for each in suites) == 0
    for name in ("c.html", "c.json", "c.xml"):
        content = (reports / name).read_bytes()
        assert stat.S_IMODE((reports / name).stat().st_mode) == 0o600
        for secret in {*world.secrets, *lab_secrets(world)}:
            for form in forms(secret):
                assert form not in content, name
    page = (reports / "c.html").read_text("utf-8")
    assert found["sha256"] in page
    assert "<script" not in page.lower()


@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=MISSING)
def test_in_a_browser(reports: Path, tmp_path: Path) -> None:
    with browser(tmp_path / "profile") as driver:
        driver.get((reports / "c.html").as_uri())
        assert driver.title == f"Commissioning report: {SITE}"
        assert HOSTILE in driver.find_element("css selector", "header p").text
        assert console(driver) == []
        assert requested(driver) == {"file", "data"}
        images = driver.find_elements("css selector", "figure img")
        assert [each.get_property("naturalWidth") for each in images] == [320, 320]
        rows = driver.find_elements("css selector", "table.pins tbody tr")
        assert [each.find_element("css selector", "th").text.split("\n")[0] for each in rows] == [
            "3 H",
            "2 H",
            "2 S",
        ]
        assert "pass" in rows[2].text
        assert len(driver.find_elements("css selector", ".sign tbody tr")) == 3
        headings = [int(each.tag_name[1]) for each in driver.find_elements("css selector", "h1, h2, h3")]
        assert headings[0] == 1
        assert all(after - before <= 1 for before, after in itertools.pairwise(headings))
        assert all(each.text for each in driver.find_elements("css selector", "table caption"))
        pdf = base64.b64decode(driver.print_page())
        assert pdf.startswith(b"%PDF")


def test_what_is_wrong_with_the_call_is_said_before_anything_is_fired(world: World) -> None:
    assert world.apply(SITE)[0].error is None
    folder = world.folder.parent
    for name, said in (("c.pdf", "not a kind of report"), ("no/c.html", "there is no folder")):
        ran = ivn_here("verify", SITE, "--report", name, cwd=folder)
        assert ran.code == 64
        assert said in ran.err
    assert world.lab.portal.events(SITE) == []


def test_a_site_that_fails_gets_its_report_too(world: World) -> None:
    world.edit(SITE, "mail_within_seconds: 30", "mail_within_seconds: 2")
    assert world.apply(SITE)[0].error is None
    world.lab.fault("mail", "translate")
    ran = ivn_here("verify", SITE, "--report", "c.html", cwd=world.folder.parent)
    assert ran.code == 2
    page = (world.folder.parent / "c.html").read_text("utf-8")
    assert "Not accepted" in page
    assert "Ausloesendes Ereignis : 2 S\n^" in page


def test_a_failed_check_and_a_file_that_cannot_be_written(world: World) -> None:
    """The alarm arrives, and the site is not accepted; one bad name costs no other report."""
    assert world.apply(SITE)[0].error is None
    world.edit(SITE, "max_clients: 10", "max_clients: 9")
    folder = world.folder.parent
    ran = ivn_here("verify", SITE, "--report", f"{'x' * 300}.html", "--report", "c.json", cwd=folder)
    assert ran.code == 1
    assert "The alarms arrive" in ran.out
    assert "cannot write" in ran.err
    evidence = json.loads((folder / "c.json").read_text("utf-8"))["evidence"]
    assert evidence["verdict"] == "not accepted"
    failed = [each for each in evidence["deviations"] if each["state"] == "fail"]
    assert [each["check"] for each in failed] == ["server-access"]
    assert ivn_here("verify", SITE, "--report", "c.xml", cwd=folder).code == 2
    suites = etree.fromstring((folder / "c.xml").read_bytes())
    assert [each.get("failures") for each in suites] == ["1", "0"]


def test_a_portal_without_a_window_gets_a_report_too(world: World) -> None:
    assert world.apply(SITE)[0].error is None
    world.lab.fault("portal", "test-session-refused")
    ran = ivn_here("verify", SITE, "--report", "c.html", cwd=world.folder.parent)
    assert ran.code == 1
    page = (world.folder.parent / "c.html").read_text("utf-8")
    assert "No pin was fired" in page
    assert "Nothing was fired: " in page
