"""Runbooks: a full site as golden files, what is open, and hostile names on every page."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from ivn_provision.drivers.xprotect_e.screens import screens_of
from ivn_provision.model.desired import desired_of
from ivn_provision.model.resource import UNSET, Address, Value
from ivn_provision.plan.plan import Action, Change, FieldChange, SitePlan, Standing, TargetFacts, Unverified
from ivn_provision.plan.runbook import LOGIN, Runbook, declared, open_runbook, whole_runbook
from ivn_provision.plan.runbook_words import Names, words_of
from ivn_provision.plan.screens import Control
from ivn_provision.report import (
    runbook_form,
    runbook_html,
    runbook_json,
    runbook_markdown,
    runbook_text,
)
from ivn_provision.report.paint import Paint
from ivn_provision.run.attestation_entries import read_entries
from ivn_provision.secret import Secret, SecretRef
from ivn_provision.spec.fleet import find_site
from ivn_provision.spec.values import Computed

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "tests" / "cases" / "runbook" / "full-site"
SCREENS = screens_of("xprotect-professional-2014")
USER = Address("s", "nvr", "user", "ivnview")
EVENT = Address("s", "nvr", "hardware_event", "2")


def full() -> Runbook:
    desired = desired_of(find_site(CASES, "harbor"))
    plan = declared("harbor", {address: each.fields for address, each in desired.resources.items()})
    return whole_runbook(plan, SCREENS)


RENDERED: Mapping[str, Callable[[Runbook], str]] = {
    "runbook.txt": lambda book: runbook_text.render(book, Paint(on=False)) + "\n",
    "runbook.md": lambda book: runbook_markdown.render(book) + "\n",
    "runbook.html": lambda book: runbook_html.render(book) + "\n",
    "runbook.json": lambda book: json.dumps(runbook_json.to_json(book), indent=2, ensure_ascii=False) + "\n",
}


@pytest.mark.parametrize("name", RENDERED)
def test_the_runbook_of_a_full_site(name: str) -> None:
    """Run with IVN_UPDATE=1 to rewrite the expected pages, then read the difference."""
    text = RENDERED[name](full())
    expected = CASES / name
    if os.environ.get("IVN_UPDATE"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


def test_the_order_is_the_one_in_which_a_person_goes() -> None:
    kinds = list(dict.fromkeys(step.address.kind if step.address else step.title for step in full().steps))
    assert kinds == [
        "user", "mail_message", "mail_server", "server_access", "services", "camera", "hardware_event",
        "generic_event", "Make e-mail of events work", "alarm", "Send a test mail",
        "Log in with the Smart Client", "Trip every input", "Fire every soft trigger",
    ]  # fmt: skip


def test_the_workaround_has_its_six_steps() -> None:
    """R-55: in this order, with the manual's labels."""
    (step,) = [each for each in full().steps if each.requirements == ("R-54", "R-55")]
    numbered = [line for line in step.lines if re.match(r"\d\. ", line)]
    assert [line[:2] for line in numbered] == ["1.", "2.", "3.", "4.", "5.", "6."]
    assert "untick `Send e-mail if this event occurs`" in numbered[1]
    assert "tick `Send SMS if this event occurs`" in numbered[2]
    assert [box.value for box in step.boxes] == ["2 H Door contact", "2 S"], "not the event without mail"


def test_every_declared_field_of_the_recorder_has_a_control() -> None:
    for address, resource in desired_of(find_site(CASES, "harbor")).resources.items():
        section = SCREENS.section(address.kind)
        if address.target == "nvr":
            assert section is not None, address.kind
            assert set(resource.fields) <= set(section.controls), address.kind


def test_requirements_are_those_of_the_manual() -> None:
    for section in SCREENS.sections:
        ways = (section.create, section.change, section.remove)
        listed = [*(each for way in ways for each in way.requirements)]
        listed += [each for control in section.controls.values() for each in control.requirements]
        assert all(re.fullmatch(r"R-\d\d", each) and 1 <= int(each[2:]) <= 88 for each in listed)
    facts = ROOT.parent / "shared" / "facts" / "manual.md"
    if not facts.is_file():
        pytest.skip("the facts are not beside this checkout")
    known = set(re.findall(r"R-\d\d", facts.read_text("utf-8")))
    assert set(listed) <= known


def test_another_product_has_no_screens() -> None:
    screens = screens_of("xprotect-corporate-2014")
    assert screens.sections == ()
    (step,) = whole_runbook(declared("s", {USER: {"kind": "basic"}}), screens).steps
    assert "not documented" in step.go_to


# What is open


def plan(*changes: Change, unverified: tuple[Unverified, ...] = ()) -> SitePlan:
    desired: Mapping[Address, Mapping[str, Value]] = {EVENT: {"name": "2 H Door", "email": True}}
    return SitePlan("s", changes, unverified=unverified, desired=desired)


def test_only_what_is_open_is_in_it() -> None:
    done = Change(Address("s", "nvr", "camera", "1"), Action.UPDATE, (FieldChange("name", "a", "b"),))
    attested = Unverified(USER, "kind", "", "basic", Standing.ATTESTED)
    never = Unverified(USER, "password", "write-only", SecretRef("env", "X"))
    book = open_runbook(plan(done, unverified=(attested, never)), SCREENS)
    step, test = book.steps
    assert [(box.field, box.value, box.verified) for box in step.boxes] == [
        ("password", "the secret env:X", LOGIN)
    ]
    assert test.title == "Log in with the Smart Client"
    assert open_runbook(plan(done), SCREENS).steps == ()


def test_a_manual_change_says_what_is_there_and_why() -> None:
    field = FieldChange("administrator", False, True, reason="access level (R-35)")
    book = open_runbook(plan(Change(USER, Action.UPDATE, (field,), manual=True)), SCREENS)
    (box,) = book.steps[0].boxes
    assert (box.label, box.value, box.was, box.note) == (
        "Administrator Access",
        "tick",
        "no",
        "access level (R-35)",
    )


def test_an_object_to_add_is_named_and_what_waits_for_it_is_said() -> None:
    create = Change(USER, Action.CREATE, (FieldChange("kind", UNSET, "basic"),), manual=True, reason="R-34")
    behind = Change(EVENT, Action.CREATE, (), blocked_by=USER)
    book = open_runbook(plan(create, behind), SCREENS)
    assert book.steps[0].action == "add recorder user ivnview"
    assert book.steps[0].boxes[0].value == "ivnview"
    assert book.notes == ("The tool makes s/nvr/hardware_event/2 once s/nvr/user/ivnview is there.",)


def test_an_object_to_remove_has_no_values() -> None:
    gone = Change(EVENT, Action.DELETE, (FieldChange("name", "2 H", UNSET),), manual=True, title="2 H")
    (step,) = open_runbook(plan(gone), SCREENS).steps
    assert (step.action, step.boxes, step.dialog) == ("remove hardware input event 2", (), "`Delete`")


def test_values_are_words_of_the_dialog() -> None:
    names = Names({EVENT: {"name": "2 H Door"}})

    def shown(value: Value, **control: str) -> str:
        return words_of(value, Control(**control), names, EVENT)  # type: ignore[arg-type] # only `refers` is given

    assert shown(Secret("hunter2", SecretRef("env", "X"))) == "the secret env:X"
    assert "SMTP Account ID" in shown((Computed("portal.smtp_account_id"),))
    assert shown("hardware_event/2", refers="event") == "2 H Door"
    assert shown(7, refers="camera") == "7"
    assert shown(True) == "yes"


# Hostile names

EVIL = "<script>alert('1')</script>\"><img src=x onerror=y>`*_[a](javascript:x)\n# head\n- [x] \x1b[2J\u202e &amp; {{7*7}}"


def hostile() -> Runbook:
    address = Address(EVIL.replace("/", "|"), "nvr", "camera", EVIL)
    fields = (FieldChange("name", EVIL, EVIL, reason=EVIL),)
    one = Change(address, Action.CREATE, fields, manual=True, reason=EVIL, title=EVIL)
    two = Change(address, Action.UPDATE, fields, manual=True, title=EVIL)
    asked = Unverified(address, "name", EVIL, EVIL, Standing.EXPIRED, EVIL)
    facts = TargetFacts(EVIL, EVIL, EVIL, EVIL)
    event = Change(EVENT, Action.UPDATE, fields, manual=True)
    made = SitePlan(EVIL, (one, two, event), unverified=(asked,), facts=(facts,), notes=(EVIL,),
                    desired={EVENT: {"name": EVIL, "email": True}})  # fmt: skip
    return open_runbook(made, SCREENS)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_the_page_holds_no_tag_of_a_name() -> None:
    page = runbook_html.render(hostile())
    tags = Tags()
    tags.feed(page)
    assert not tags.seen & {"script", "img", "a", "link", "iframe", "object"}
    assert not [name for name in tags.attributes if name.startswith("on") or name in {"src", "href"}]
    assert "&lt;script&gt;" in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "49" not in page.split("</style>")[1], "a name is not a template"


def test_text_and_markdown_are_not_driven_by_a_name() -> None:
    text = runbook_text.render(hostile(), Paint(on=False))
    assert all(char.isprintable() or char == "\n" for char in text)
    page = runbook_markdown.render(hostile())
    assert all(char.isprintable() or char == "\n" for char in page)
    tokens = [inner for token in MarkdownIt().parse(page) for inner in (token, *(token.children or ()))]
    assert not [
        each for each in tokens if each.type in {"html_block", "html_inline", "link_open", "image", "em_open"}
    ]
    assert len([each for each in tokens if each.type == "heading_open" and each.tag == "h1"]) == 1


def test_nothing_is_loaded_from_elsewhere() -> None:
    page = runbook_html.render(full())
    assert not re.search(r"https?:|url\(|@import|<script|<link", page)


# The form


def test_the_form_is_read_back_blank(tmp_path: Path) -> None:
    question = Unverified(USER, "password", "why\nnot: *x", SecretRef("env", "X"))
    unknown = Unverified(USER, "kind", "", Computed("portal.smtp_account_id"))
    path = tmp_path / "form.yml"
    path.write_text(runbook_form.render(SitePlan("s", unverified=(question, unknown))), "utf-8")
    form = read_entries(str(path), form=True)
    assert (form.site, form.entries, form.blank) == ("s", (), 1)
    path.write_text(
        path.read_text("utf-8").replace('by: ""', 'by: "J"').replace('when: ""', 'when: "2026-11-01"')
    )
    (entry,) = read_entries(str(path), form=True).entries
    assert (entry.address, entry.field, entry.by) == (USER, "password", "J")


def test_no_secret_is_in_any_runbook_or_form() -> None:
    secret = Secret("hunter2-hunter2", SecretRef("env", "X"))
    change = Change(USER, Action.CREATE, (FieldChange("password", UNSET, secret),), manual=True)
    asked = Unverified(USER, "password", "", secret)
    made = SitePlan("s", (change,), unverified=(asked,), desired={USER: {"password": secret}})
    for book in (open_runbook(made, SCREENS), whole_runbook(made, SCREENS)):
        for render in RENDERED.values():
            assert "hunter2" not in render(book)
    assert "hunter2" not in runbook_form.render(made)
