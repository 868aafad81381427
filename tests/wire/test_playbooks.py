"""The playbooks that ship, from their files, against the lab, end to end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from dulwich import porcelain
from dulwich.repo import Repo

from ivn_provision.lab.mail.sink import Account
from ivn_provision.plan.plan import SitePlan
from tests.support.command import Ran, ivn_here
from tests.support.doc_pages import ROOT
from tests.support.played import Plays, document, words
from tests.support.webhooks import Taken, webhook_server
from tests.support.world import started

SHIPPED = sorted((ROOT / "playbooks").glob("*.yml"))
SITES = ["lab-0001", "lab-0002"]
FIRST = SITES[0]
WHO = b"a <a@example.invalid>"


@pytest.fixture
def plays(tmp_path: Path) -> Iterator[Plays]:
    """Two sites, and the playbooks that ship beside them."""
    shutil.copytree(ROOT / "playbooks", tmp_path / "playbooks")
    with started(tmp_path, count=len(SITES)) as world:
        for site in SITES:
            world.edit(site, "mail_within_seconds: 30", "mail_within_seconds: 5")
        yield Plays(world)


@pytest.fixture
def applied(plays: Plays) -> Plays:
    """Both are as declared, and what reading cannot show is attested."""
    plays.attest(SITES)
    assert all(outcome.error is None for outcome in plays.world.apply(*SITES))
    return plays


def play(plays: Plays, name: str, **variables: str) -> Ran:
    given = [each for key, value in variables.items() for each in ("--var", f"{key}={value}")]
    return plays.play(f"playbooks/{name}.yml", *given)


def approve(plays: Plays, ran: Ran) -> Ran:
    """A person has done what a play waits for."""
    assert ran.code == 4, ran.out + ran.err
    return plays.play("--resume", document(ran)["play"], "--approve")


def plan_of(plays: Plays, site: str) -> SitePlan:
    (outcome,) = plays.world.plan(site)
    assert outcome.plan is not None, outcome.error
    return outcome.plan


def test_there_are_five() -> None:
    assert [each.stem for each in SHIPPED] == [
        "nightly-audit",
        "onboard-site",
        "roll-out-mail-template",
        "rotate-nvr-password",
        "rotate-smtp-account",
    ]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_check_shows_what_would_run_on_the_example_fleet(path: Path) -> None:
    needed = {
        "onboard-site": ["--var", "site=harbor-marina"],
        "rotate-nvr-password": ["--var", "before=HEAD"],
    }
    ran = ivn_here("play", str(path), "--check", *needed.get(path.stem, []), cwd=ROOT)
    assert ran.code == 0, ran.err
    assert ran.out.startswith(f"{path.stem}: ")
    assert "harbor-marina" in ran.out


def test_onboard_a_site(plays: Plays) -> None:
    waits = play(plays, "onboard-site", site=FIRST)
    assert words(waits) == {FIRST: "changed"}
    assert "runbook lab-0001" in waits.err
    plays.attest([FIRST])
    done = approve(plays, waits)
    assert done.code == 0, done.out + done.err
    assert plays.is_declared(FIRST)
    assert plays.world.lab.portal.events(FIRST), "the acceptance has fired"
    assert [path.suffix for path in (plays.folder / "reports").iterdir()] == [".md"]
    assert plays.is_untouched("lab-0002")


def test_a_site_whose_alarms_do_not_arrive_is_put_back(plays: Plays) -> None:
    plays.attest([FIRST])
    plays.world.lab.fault("mail", "lose")
    ran = play(plays, "onboard-site", site=FIRST)
    assert (ran.code, words(ran)) == (3, {FIRST: "failed, put back"})
    assert plays.is_untouched(FIRST)


def test_the_nightly_audit_tells_what_it_found_and_writes_nothing(
    applied: Plays, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = applied.world.lab.portal.counters.writes
    with webhook_server(Taken()) as server:
        monkeypatch.setenv("IVN_PROVISION_WEBHOOK", server.url)
        clean = play(applied, "nightly-audit")
        applied.world.lab.tamper(FIRST, "camera", "10", {"label": "Other"})
        drifted = play(applied, "nightly-audit")
        applied.world.edit("lab-0002", "port: 15986", "port: 15999")
        silent = play(applied, "nightly-audit", report="out/nightly.json")
    assert [clean.code, drifted.code, silent.code] == [0, 2, 3]
    assert words(drifted) == {FIRST: "different", "lab-0002": "done"}
    assert words(silent) == {FIRST: "different", "lab-0002": "failed"}
    assert [each["counts"] for each in server.bodies] == [
        {"done": 2},
        {"different": 1, "done": 1},
        {"different": 1, "failed": 1},
    ]
    assert "camera/10" in server.bodies[1]["different"][0]["text"]
    page = (applied.folder / "reports" / "nightly.html").read_text("utf-8")
    assert "<html" in page
    assert "camera/10" in page
    assert (applied.folder / "out" / "nightly.json").exists()
    assert applied.world.lab.portal.counters.writes == before


def test_the_mail_template_goes_out_in_waves(applied: Plays) -> None:
    for site in SITES:
        applied.world.lab.tamper(site, "mail_message", "", {"subject": "Old"})
        applied.world.lab.tamper(site, "server_access", "", {"max_clients": "9"})
    ran = play(applied, "roll-out-mail-template", soak="1s")
    assert (ran.code, set(words(ran).values())) == (0, {"changed"}), ran.out
    assert [len(wave) for wave in document(ran)["waves"]] == [1, 1]
    for site in SITES:  # nothing else was touched
        assert [each.address.kind for each in plan_of(applied, site).changes] == ["server_access"]


def test_a_template_that_breaks_the_alarms_goes_back_and_no_further(applied: Plays) -> None:
    for site in SITES:
        applied.world.lab.tamper(site, "mail_message", "", {"subject": "Old"})
    applied.world.lab.fault("mail", "translate")
    ran = play(applied, "roll-out-mail-template", soak="1s")
    assert (ran.code, words(ran)) == (3, {FIRST: "failed, put back", "lab-0002": "not begun"})
    for site in SITES:
        (change,) = plan_of(applied, site).changes
        assert [(each.name, each.before) for each in change.fields] == [("subject", "Old")]


def other_account(plays: Plays) -> None:
    """The mail server has a second account, and site files name it."""
    sink = plays.world.lab.mail
    accounts = dict(sink.accounts)
    for site in SITES:
        (plays.folder / "lab" / "secrets" / f"{site}-smtp-b").write_text("Another.Pass-1\n", "utf-8")
        plays.world.edit(site, f"username: {site}\n", f"username: {site}-b\n")
        plays.world.edit(site, f'{site}-smtp"', f'{site}-smtp-b"')
        accounts[f"{site}-b"] = Account(site, "Another.Pass-1")
    plays.attest(SITES)
    sink.accounts = accounts


def test_the_smtp_account_is_another_when_alarms_prove_it(applied: Plays) -> None:
    other_account(applied)
    ran = play(applied, "rotate-smtp-account", soak="1s")
    for site in SITES:
        applied.world.lab.tamper(site, "mail_server", "", {"password": "Another.Pass-1"})
        ran = approve(applied, ran)
    assert (ran.code, set(words(ran).values())) == (0, {"changed"}), ran.out + ran.err
    assert all(applied.is_declared(site) for site in SITES)


def test_an_smtp_password_that_nobody_typed_is_found_and_the_user_name_goes_back(applied: Plays) -> None:
    other_account(applied)
    ran = approve(applied, play(applied, "rotate-smtp-account", soak="1s"))
    assert (ran.code, words(ran)) == (3, {FIRST: "failed, put back", "lab-0002": "not begun"})
    (change,) = plan_of(applied, FIRST).changes
    assert [(each.name, each.before) for each in change.fields] == [("username", FIRST)]


@pytest.fixture
def rotating(applied: Plays) -> tuple[Plays, str]:
    """Site files name another secret for `ivnview`; the revision that named the old one."""
    world = applied.world
    repo = Repo.init(str(applied.folder))
    porcelain.add(repo, [str(each) for each in world.folder.glob("*.yml")])
    before = porcelain.commit(repo, b"before", committer=WHO, author=WHO).decode()
    repo.close()
    for site in SITES:
        (applied.folder / "lab" / "secrets" / f"{site}-ivnview-b").write_text("Another.Pass-1\n", "utf-8")
        world.edit(site, f'{site}-ivnview"', f'{site}-ivnview-b"')
    return applied, before


def portal_has_the_new_one(plays: Plays, site: str) -> bool:
    return not any(each.address.kind == "device" for each in plan_of(plays, site).changes)


def type_on_the_recorder(plays: Plays, site: str, password: str = "Another.Pass-1") -> None:
    plays.world.lab.tamper(site, "user", "ivnview", {"password": password})


def test_recorder_and_portal_get_the_new_password_together(rotating: tuple[Plays, str]) -> None:
    plays, before = rotating
    ran = play(plays, "rotate-nvr-password", before=before)
    for site in SITES:
        assert not portal_has_the_new_one(plays, site)
        type_on_the_recorder(plays, site)
        ran = approve(plays, ran)
    assert (ran.code, set(words(ran).values())) == (0, {"changed"}), ran.out + ran.err
    assert all(plays.is_declared(site) for site in SITES)


def test_the_portal_is_not_changed_where_nobody_typed_it(rotating: tuple[Plays, str]) -> None:
    plays, before = rotating
    ran = approve(plays, play(plays, "rotate-nvr-password", before=before))
    assert (ran.code, words(ran)) == (3, {FIRST: "failed", "lab-0002": "not begun"})
    assert "a person has to do lab-0001/nvr/user/ivnview first" in document(ran)["sites"][0]["text"]
    assert not portal_has_the_new_one(plays, FIRST)


def test_the_portal_goes_back_only_after_the_recorder(rotating: tuple[Plays, str]) -> None:
    """A check fails after the change. The portal keeps the new password until the recorder has the old one again."""
    plays, before = rotating
    ran = play(plays, "rotate-nvr-password", before=before)
    type_on_the_recorder(plays, FIRST)
    plays.world.lab.fault(FIRST, "event-port-closed")
    failed = approve(plays, ran)
    assert (failed.code, words(failed)[FIRST]) == (3, "failed, not put back"), failed.out
    assert "a person has to do lab-0001/nvr/user/ivnview first" in document(failed)["sites"][0]["text"]
    assert portal_has_the_new_one(plays, FIRST)
    old = (plays.folder / "lab" / "secrets" / f"{FIRST}-ivnview").read_text("utf-8").strip()
    type_on_the_recorder(plays, FIRST, old)
    back = ivn_here("rollback", FIRST, "--to-rev", before, "--auto-approve", cwd=plays.folder)
    assert back.code == 0, back.out + back.err
    assert not portal_has_the_new_one(plays, FIRST)


def test_the_way_back_of_both_when_the_recorder_is_back_already(rotating: tuple[Plays, str]) -> None:
    """In a soak, say: the recorder has its old password again, so the play puts the portal back too."""
    plays, before = rotating
    file = plays.folder / "playbooks" / "rotate-nvr-password.yml"
    text = file.read_text("utf-8")
    file.write_text(text.replace("finally:", "  - {do: pause, message: look}\nfinally:"), "utf-8")
    ran = play(plays, "rotate-nvr-password", before=before)
    type_on_the_recorder(plays, FIRST)
    ran = approve(plays, ran)
    assert portal_has_the_new_one(plays, FIRST)
    old = (plays.folder / "lab" / "secrets" / f"{FIRST}-ivnview").read_text("utf-8").strip()
    type_on_the_recorder(plays, FIRST, old)
    ended = approve(plays, ran)
    assert (ended.code, words(ended)[FIRST]) == (3, "failed, put back"), ended.out
    assert not portal_has_the_new_one(plays, FIRST)
