"""What reading does not show: asked for, attested, observed, expired. Against the lab, with exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from ivn_provision.lab.lab import Lab
from ivn_provision.lab.sites import generated_sites, with_store_b
from ivn_provision.plan.plan import SitePlan, Standing
from ivn_provision.run.attestation_files import attestation_file, record
from ivn_provision.run.engine import plan_sites
from tests.support.attested import everything
from tests.support.command import Ran, ivn_here
from tests.support.world import Events, World, own_addresses

SITE = "lab-0001"
USER = f"{SITE}/nvr/user/ivnview"
MAIL = f"{SITE}/nvr/mail_server"


@pytest.fixture
def alone(world: World) -> World:
    """A lab whose tests do not vouch for anything by themselves."""
    world.attest = False
    return world


@pytest.fixture
def applied(alone: World) -> World:
    """What the tool can do is done."""
    (outcome,) = alone.apply(SITE)
    assert outcome.error is not None
    assert outcome.error.exit_code == 4
    assert outcome.proof is not None
    assert outcome.proof.is_empty
    return alone


def at(world: World) -> Path:
    return world.folder.parent


def plan_of(world: World, *, days_ahead: float = 0) -> SitePlan:
    opener = world.opener()
    opener.clock = lambda: datetime.now(UTC) + timedelta(days=days_ahead)
    (outcome,) = plan_sites([world.site(SITE)], opener, Events())
    assert outcome.error is None, outcome.error
    assert outcome.plan is not None
    return outcome.plan


def standings(plan: SitePlan) -> dict[str, Standing]:
    return {f"{each.address} {each.name}": each.standing for each in plan.unverified}


def fire(world: World) -> None:
    """A soft trigger, and the wait for its mail."""
    before = len(world.lab.portal.events(SITE))
    world.lab.fire_soft(SITE, 2)
    for _ in range(100):
        if len(world.lab.portal.events(SITE)) > before:
            return
        time.sleep(0.05)
    raise AssertionError("the mail did not arrive")


def form_of(world: World, **filled: str) -> Path:
    """The form that `runbook` writes, with the same words in every entry."""
    path = at(world) / "form.yml"
    made = ivn_here("runbook", SITE, "--form", "form.yml", cwd=at(world))
    assert made.code == 0, made.err
    text = path.read_text("utf-8")
    for key, value in filled.items():
        text = text.replace(f'{key}: ""', f'{key}: "{value}"')
    path.write_text(text, "utf-8")
    return path


def today() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def attest(world: World, *more: str) -> Ran:
    return ivn_here("apply", SITE, "--auto-approve", "--attest", "form.yml", *more, cwd=at(world))


# Observing


def test_a_login_shows_the_user_and_the_mail_password_stays_open(applied: World) -> None:
    """Nothing has been mailed yet: nobody knows whether the recorder can log in to its mail server."""
    assert standings(plan_of(applied)) == {
        f"{USER} password": Standing.OBSERVED,
        f"{MAIL} password": Standing.NEVER,
    }


def test_a_received_mail_shows_that_the_recorder_can_send(applied: World) -> None:
    fire(applied)
    plan = plan_of(applied)
    assert not plan.open
    (mail,) = [each for each in plan.unverified if each.address.kind == "mail_server"]
    assert mail.standing is Standing.OBSERVED
    assert mail.evidence.startswith("the mail of '2 S', received 20")
    (outcome,) = applied.apply(SITE)
    assert outcome.error is None


def test_a_mail_shows_nothing_any_more_after_as_many_days_as_an_attestation(applied: World) -> None:
    fire(applied)
    assert not plan_of(applied, days_ahead=89).open
    assert [each.address.kind for each in plan_of(applied, days_ahead=91).open] == ["mail_server"]


def test_another_password_on_the_recorder_is_drift(applied: World) -> None:
    """The login is refuted: attested or not, a person has to repair it."""
    applied.lab.tamper(SITE, "user", "ivnview", {"password": "changed-by-hand"})
    site = applied.site(SITE)
    record(attestation_file(site.path, SITE), SITE, everything(site))
    drift = ivn_here("drift", SITE, cwd=at(applied))
    assert drift.code == 2
    assert f"{USER} must be done by hand" in drift.out
    assert "! password = (sensitive value)" in drift.out
    assert "changed-by-hand" not in drift.out + drift.err


def test_events_are_asked_for_only_where_something_is_open(applied: World) -> None:
    site = applied.site(SITE)
    record(attestation_file(site.path, SITE), SITE, everything(site))
    before = applied.lab.portal.counters.requests
    assert not plan_of(applied).open
    assert applied.lab.portal.counters.requests - before == 2, "a token and the site"


def test_a_recorder_of_an_unknown_version_is_a_persons_until_attested(tmp_path: Path) -> None:
    """Nothing of it is managed, and nothing of it counts as in sync by itself."""
    sites = with_store_b(generated_sites(1, own_addresses()))
    with Lab(tmp_path / "lab", sites, portal_port=0, mail_port=0) as lab:
        lab.write_sites(tmp_path / "sites")
        world = World(lab, tmp_path / "sites", attest=False)
        (outcome,) = world.apply(SITE)
        assert outcome.error is not None
        assert (outcome.error.exit_code, lab.nvr(SITE).counters.file_writes) == (4, 0)
        plan = plan_of(world)
        kinds = {each.address.kind for each in plan.open}
        assert {"user", "camera", "hardware_event", "generic_event", "alarm", "mail_message"} <= kinds
        book = ivn_here("runbook", SITE, cwd=tmp_path)
        assert "right-click `Alarm Definitions` > `Create New`" in book.out
        assert "[ ] 6. Save again." in book.out
        assert "milestone-xp-p" in book.out, "what the portal generated is known now"
        form_of(world, by="J. Doe", when=today())
        taken = attest(world)
        assert taken.code == 0, taken.err
        assert ivn_here("drift", SITE, cwd=tmp_path).code == 0


# Attesting


def test_the_way_of_a_form(applied: World) -> None:
    drift = ivn_here("drift", SITE, cwd=at(applied))
    assert drift.code == 4
    assert f"! {MAIL} password = (sensitive value)  (never attested)" in drift.out
    assert "1 field to be confirmed by hand" in drift.out
    book = ivn_here("runbook", SITE, cwd=at(applied))
    assert "[ ] Password: the secret file:" in book.out
    assert "Advanced Configuration > Notifications > Email" in book.out
    form_of(applied, by="J. Doe", when=today(), how="test mail sent (R-46)")
    taken = attest(applied)
    assert taken.code == 0, taken.err
    assert "1 field(s) attested" in taken.out
    kept = yaml.safe_load((applied.folder / "attestations" / f"{SITE}.yml").read_text("utf-8"))
    (entry,) = kept["attestations"]
    assert (entry["address"], entry["by"], entry["how"]) == (MAIL, "J. Doe", "test mail sent (R-46)")
    assert entry["run"]
    clean = ivn_here("drift", SITE, cwd=at(applied))
    assert clean.code == 0
    assert "attested: by J. Doe on" in clean.out
    again = attest(applied)
    assert again.code == 1
    assert "error[ATT006]" in again.err
    assert "form.yml:" in again.err


def test_a_blank_form_and_one_for_another_site_are_usage_errors(applied: World) -> None:
    path = form_of(applied)
    assert (attest(applied).code, "nothing is filled in" in attest(applied).err) == (64, True)
    path.write_text(path.read_text("utf-8").replace(SITE, "lab-0002"), "utf-8")
    assert "not one of the sites" in attest(applied).err
    exists = ivn_here("runbook", SITE, "--form", "form.yml", cwd=at(applied))
    assert (exists.code, "is there already" in exists.err) == (64, True)


def test_a_form_that_is_off_stops_before_anything_is_written(alone: World) -> None:
    form_of(alone, by="J. Doe", when=today())
    alone.edit(SITE, "lab-0001-smtp", "lab-0001-nvr")  # another password is declared now
    refused = attest(alone)
    assert refused.code == 1
    assert "error[ATT005]" in refused.err
    counters = alone.lab.nvr(SITE).counters
    assert (counters.file_writes, alone.lab.portal.counters.writes) == (0, 0)
    assert not (alone.folder / "attestations").exists()
    broken = at(alone) / "form.yml"
    broken.write_text("site: [", "utf-8")
    connections = counters.connections
    assert attest(alone).code == 1
    assert counters.connections == connections, "a broken form is found before any connection"


def test_an_attestation_expires_and_is_told_apart(applied: World) -> None:
    site = applied.site(SITE)
    old = everything(site, moment=datetime.now(UTC) - timedelta(days=91))
    record(attestation_file(site.path, SITE), SITE, old)
    drift = ivn_here("drift", SITE, cwd=at(applied))
    assert drift.code == 4
    assert "(attestation expired: by A. Tester on" in drift.out
    applied.edit(SITE, "site: lab-0001\n", "site: lab-0001\nattestation_days: 100\n")
    assert ivn_here("drift", SITE, cwd=at(applied)).code == 0


def test_another_declared_value_is_not_attested(applied: World) -> None:
    applied.attest_all(SITE)
    assert not plan_of(applied).open
    (at(applied) / "lab" / "secrets" / "new-smtp").write_text("another", "utf-8")
    applied.edit(SITE, "lab-0001-smtp", "new-smtp")
    drift = ivn_here("drift", SITE, "--format", "json", cwd=at(applied))
    assert drift.code == 4
    data = json.loads(drift.out)
    (site,) = data["ivn"]["sites"]
    (mail,) = [each for each in site["unverified"] if each["address"] == MAIL]
    assert (mail["open"], mail["standing"], mail["value"]) == (True, "changed", {"sensitive": True})
    assert mail["declared_at"]["path"].endswith("lab-0001.yml")
    assert data["ivn"]["summary"]["open"] == 1
    assert data["complete"] is False
    planned = ivn_here("plan", SITE, "--detailed-exitcode", "--out", "plan.json", cwd=at(applied))
    assert planned.code == 2
    assert ivn_here("show", "plan.json", cwd=at(applied)).out.startswith(planned.out)


def test_broken_attestations_are_an_error_with_their_place(applied: World) -> None:
    path = applied.attest_all(SITE)
    path.write_text(path.read_text("utf-8").replace("by:", "bye:", 1), "utf-8")
    drift = ivn_here("drift", SITE, cwd=at(applied))
    assert drift.code == 1
    assert "error[ATT001]: unknown key `bye`" in drift.err
    assert f"sites/attestations/{SITE}.yml:" in drift.err


def test_the_folder_of_attestations_holds_no_sites(applied: World) -> None:
    applied.attest_all(SITE)
    assert ivn_here("validate", "sites", cwd=at(applied)).code == 0
    assert ivn_here("drift", cwd=at(applied)).code == 0


def test_a_person_at_a_terminal_is_asked(applied: World) -> None:
    """One question a field; what is answered is recorded, and the site is proven then."""
    code, shown = at_a_terminal(applied, "y\nJ. Doe\nby a test mail\n")
    assert code == 0, shown
    assert f"(1/1) {MAIL} password = (sensitive value)" in shown
    (entry,) = yaml.safe_load((applied.folder / "attestations" / f"{SITE}.yml").read_text("utf-8"))[
        "attestations"
    ]
    assert (entry["by"], entry["how"]) == ("J. Doe", "by a test mail")


def test_a_person_who_has_not_done_it_says_no(applied: World) -> None:
    code, shown = at_a_terminal(applied, "n\n")
    assert code == 4, shown
    assert not (applied.folder / "attestations").exists()


def at_a_terminal(world: World, answers: str) -> tuple[int, str]:
    master, slave = os.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "ivn_provision", "apply", SITE],
        cwd=at(world),
        env={**os.environ, "NO_COLOR": "1", "TERM": "dumb"},
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    os.close(slave)
    os.write(master, answers.encode())
    out, _ = done.communicate(timeout=60)
    os.close(master)
    assert b"Traceback" not in out, out
    return done.returncode, out.decode()
