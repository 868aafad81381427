"""Learn mode without a wire: stores of several styles are learned, and the layout reads back what was set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
import yaml

from ivn_provision.drivers.xprotect_e.agent_link import Answer, Reply, Step
from ivn_provision.drivers.xprotect_e.layout import CONFIGURATION, Layout
from ivn_provision.drivers.xprotect_e.layout_file import check_layout
from ivn_provision.drivers.xprotect_e.learning.findings import KindFinding
from ivn_provision.drivers.xprotect_e.learning.infer import infer_objects
from ivn_provision.drivers.xprotect_e.learning.infer_single import infer_single
from ivn_provision.drivers.xprotect_e.learning.layout_out import Heading, in_one_order, render
from ivn_provision.drivers.xprotect_e.learning.passes import SINGLE, Value
from ivn_provision.drivers.xprotect_e.learning.remote import Machine
from ivn_provision.drivers.xprotect_e.learning.samples import states
from ivn_provision.drivers.xprotect_e.live import resources_of
from ivn_provision.drivers.xprotect_e.store import Store
from ivn_provision.drivers.xprotect_e.xml_document import parse
from ivn_provision.errors import Refused
from ivn_provision.model.resource import LiveRef
from tests.support.learned_store import (
    CAMERAS,
    FILE,
    FORMER_MESSAGE,
    FORMER_SERVER,
    GUIDS,
    Made,
    Product,
    Style,
    configuration,
    references,
    session,
)

NUMBERED = {
    "rule": {"match": "0", "search": "1"},
    "edge": {"rising": "1", "falling": "2"},
    "security": {"none": "0", "starttls": "1", "tls": "2"},
    "record": {"all": "2", "none": "0"},
}
STYLES = {
    "elements": Style(),
    "attributes": Style(
        attributes=frozenset(
            [
                "name",
                "enabled",
                "match",
                "rule",
                "email",
                "camera",
                "device",
                "input",
                "edge",
                "record",
                "subject",
                "body",
                "host",
            ]
        ),
        id_path="@id",
        id_form="guid_braces",
        reference_form="guid_braces",
    ),
    "mixed": Style(attributes=frozenset({"name", "email"}), nested=frozenset({"rule", "match", "edge"})),
    "numbers": Style(words=NUMBERED, id_path="Number", id_form="next_number", yes="Y", no="N"),
    "wide": Style(encoding="utf-16", words=NUMBERED, separator=", ", reference_form="guid_upper"),
    "not": Style(yes="0", no="1", id_form="guid_upper", reference_by="name", separator=","),
}
HEADING = Heading(
    "XProtect Professional 2014", "9.9z", "2026-11-23T18:00:00Z", "me", "harbor", "0.1", CONFIGURATION
)
KINDS = ("generic_event", "hardware_event", "mail_message", "mail_server")


def learn(kind: str, made: Made) -> KindFinding:
    return infer_single(made.session) if kind in SINGLE else infer_objects(made.session, references())


def layout_of(text: str) -> Layout:
    layout, problems = check_layout("layouts/learned.yml", text.encode())
    assert layout is not None, [(each.code, each.summary, each.hint) for each in problems]
    return layout


def read_back(layout: Layout, kind: str, made: Made) -> None:
    """The driver reads after every pass what the pass had set."""
    for state in states(made.session, kind):
        raw = {FILE: made.raws[state.index], CONFIGURATION: configuration()}
        store = Store.of({path: parse(content, path=path) for path, content in raw.items()})
        found = [each for each in resources_of(store, layout, "harbor") if each.address.kind == kind]
        if kind not in SINGLE:
            found = [each for each in found if each.fields["name"] == state.values["name"]]
        assert len(found) == 1
        for name, value in state.values.items():
            assert found[0].fields[name] == as_read(name, value), name


def as_read(name: str, value: Value) -> object:
    if name == "camera":
        return LiveRef(GUIDS[next(n for n, each in enumerate(CAMERAS) if each.name == value)])
    return value


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_store_of_any_style_is_learned_whole(kind: str, style: str) -> None:
    made = session(kind, Product(STYLES[style]))
    finding = learn(kind, made)
    assert set(finding.unlearned) <= {"password"}, finding.unlearned
    assert finding.restart == ("ImageServer.exe", "RecordingServer.exe")
    read_back(layout_of(render(HEADING, finding)), kind, made)


def test_kinds_are_learned_one_after_the_other_into_one_file() -> None:
    text = ""
    for kind in KINDS:
        before = text
        text = render(HEADING, learn(kind, session(kind, Product(STYLES["mixed"]))), before)
        if before:
            tail = before.partition("\nkinds:\n")[2].rstrip()
            assert tail in text, "what was learned before stays, text and all"
    assert set(layout_of(text).kinds) == {*KINDS, "camera"}


def test_what_was_there_before_is_known_for_putting_back() -> None:
    assert learn("mail_message", session("mail_message", Product())).former == FORMER_MESSAGE
    former = learn("mail_server", session("mail_server", Product(STYLES["numbers"]))).former
    assert former == {**FORMER_SERVER, "port": "25"}


def test_a_new_object_is_described_with_its_constants() -> None:
    finding = learn("generic_event", session("generic_event", Product()))
    assert finding.template == ("Guid", "name", "match", "rule", "email", "enabled", "Protocol")
    assert finding.constants == {"Protocol": "Any", "rule": "match", "email": "0", "enabled": "1"}
    assert finding.ids == {"Guid": "guid"}
    assert (finding.handle, finding.name, finding.items) == ("Guid", "name", "generic_events/Item")


@pytest.mark.parametrize(
    ("style", "reason"),
    [
        (Style(counter=True), "also changes generic_events/@count"),
        (Style(numbered_tags=True), "element name of its own"),
        (Style(id_form="odd"), "Guid differs from object to object and nothing explains it"),
        (Style(twice=frozenset({"email"})), "emailAgain differs"),
        (Style(constants={"NeedsToken": "7"}), "NeedsToken is called like a secret"),
    ],
    ids=["a count elsewhere", "tags with numbers", "an odd identifier", "a value twice", "a hidden text"],
)
def test_an_object_that_cannot_be_made_whole_is_never_made(style: Style, reason: str) -> None:
    finding = learn("generic_event", session("generic_event", Product(style)))
    assert reason in finding.by_hand
    create = layout_of(render(HEADING, finding)).kinds["generic_event"].create
    assert create.ability == "manual"
    assert create.reason


def test_a_value_in_two_places_is_not_written() -> None:
    finding = learn("generic_event", session("generic_event", Product(Style(twice=frozenset({"match"})))))
    assert "2 places" in finding.unlearned["match"]
    assert "match" not in finding.learned


def test_a_value_that_is_kept_nowhere_stays_by_hand() -> None:
    style = Style(words={"rule": {"match": "x", "search": "x"}})
    finding = learn("generic_event", session("generic_event", Product(style)))
    assert finding.unlearned["rule"] == "no text in the file follows it"


def test_a_switch_that_the_agent_hides_is_not_learned() -> None:
    class Hiding(Product):
        def raw(self) -> bytes:
            return (
                super()
                .raw()
                .replace(b"<email>", b"<SendCredential>")
                .replace(b"</email>", b"</SendCredential>")
            )

    finding = learn("generic_event", session("generic_event", Hiding()))
    assert "email" not in finding.learned
    assert "SendCredential is called like a secret" in finding.by_hand


def test_a_text_that_is_written_in_another_form_stays_by_hand() -> None:
    class Escaping(Product):
        def _text(self, name: str, value: Value) -> str:
            return super()._text(name, value).replace("\n", "\\n")

    finding = learn("mail_message", session("mail_message", Escaping()))
    assert "another form" in finding.unlearned["body"]
    assert set(finding.learned) == {"enabled", "recipients", "subject"}


class Folder:
    """A recorder of some files without content, which notes what is asked for."""

    endpoint, is_loopback = "here", True

    def __init__(self, *names: str) -> None:
        self.names, self.read = names, list[str]()

    def call(self, steps: Sequence[Step], always: Sequence[Step] = (), *, writes: bool = False) -> Reply:
        return Reply([self._answer(step) for step in steps], [], [])

    def _answer(self, step: Step) -> Answer:
        if step["verb"] == "read_files":
            self.read += [each["path"].rpartition("\\")[2] for each in step["files"]]
            return {"ok": True, "files": []}
        rows = [{"path": f"C:\\P\\{name}", "size": 9, "sha256": name} for name in self.names]
        return {"ok": True, "services": [], "running": [], "files": rows, "truncated": False}


def test_private_keys_are_never_asked_for() -> None:
    folder = Folder("a.xml", "server.pfx", "server.KEY", "b.pem", "c.p12", "keys.xml")
    Machine(folder).frame()
    assert folder.read == ["a.xml", "keys.xml"]


def test_a_skipped_pass_leaves_its_field_by_hand() -> None:
    skip = frozenset({"record on all cameras"})
    finding = learn("hardware_event", session("hardware_event", Product(), skip=skip))
    assert finding.unlearned == {"record": "no pass changed it, so its place was not found"}
    assert finding.constants["record"] == "none"


def test_a_pass_that_was_not_saved_is_named() -> None:
    made = session("generic_event", Product()).session
    at = 1 + next(n for n, each in enumerate(made.passes) if each.name == "name and text")
    frames = tuple(made.frames[at - 1] if n == at else frame for n, frame in enumerate(made.frames))
    with pytest.raises(Refused) as caught:
        infer_objects(replace(made, frames=frames), references())
    assert "`name and text`" in caught.value.where


def test_a_name_that_is_nowhere_is_an_error_with_a_next_step() -> None:
    made = session("generic_event", Product()).session
    frames = tuple(replace(frame, files={CONFIGURATION: frame.files[CONFIGURATION]}) for frame in made.frames)
    with pytest.raises(Refused, match="nothing new in the recorder's files bears the name"):
        infer_objects(replace(made, frames=frames), references())


def test_two_files_that_hold_the_same_need_a_word() -> None:
    made = session("generic_event", Product()).session
    copy = FILE.replace("store", "mirror")
    frames = tuple(replace(frame, files={**frame.files, copy: frame.files[FILE]}) for frame in made.frames)
    twice = replace(made, frames=frames)
    with pytest.raises(Refused) as caught:
        infer_objects(twice, references())
    assert "--file" in caught.value.next_step
    assert infer_objects(twice, references(), file=FILE).file == FILE


def test_kinds_that_share_a_list_are_told_apart_or_left_alone() -> None:
    def finding(kind: str, protocol: str) -> KindFinding:
        made = session(kind, Product(Style(constants={"Type": protocol})))
        return replace(learn(kind, made), items="Events/Item")

    first = render(HEADING, finding("generic_event", "G"))
    both = layout_of(render(HEADING, finding("hardware_event", "H"), first))
    assert both.kinds["generic_event"].where == {"Type": "G"}
    assert both.kinds["hardware_event"].where == {"Type": "H"}
    alike = layout_of(render(HEADING, finding("hardware_event", "G"), first)).kinds["hardware_event"]
    assert alike.create.ability == alike.remove.ability == "manual"


def test_a_hostile_name_cannot_leave_a_comment() -> None:
    heading = replace(HEADING, by="me\nkinds: {}", site="a\u2028b")
    text = render(heading, learn("generic_event", session("generic_event", Product())))
    assert not re.search(r"^kinds: \{\}", text, re.MULTILINE)
    layout_of(text)
    assert "\u2028" not in text


def test_a_file_in_another_style_is_not_taken_apart_wrongly() -> None:
    first = render(HEADING, learn("generic_event", session("generic_event", Product())))
    other = yaml.safe_dump(yaml.safe_load(first))
    layout_of(other)
    with pytest.raises(Refused, match="in a style that cannot be kept"):
        render(HEADING, learn("mail_message", session("mail_message", Product())), other)


def test_what_a_person_added_at_the_top_stays() -> None:
    first = render(HEADING, learn("generic_event", session("generic_event", Product())))
    logs = "logs: {folder: 'C:\\ProgramData\\Milestone\\logs', pattern: '^R', error_pattern: ERROR}\n\nkinds:"
    changed = first.replace("\nkinds:", logs)
    both = render(HEADING, learn("mail_message", session("mail_message", Product())), changed)
    assert layout_of(both).logs is not None


@pytest.mark.parametrize(
    ("known", "more", "merged"),
    [
        ([], ["a", "b"], ["a", "b"]),
        (["a", "b"], ["b"], ["a", "b"]),
        (["a", "b"], ["x", "b"], ["a", "x", "b"]),
        (["a"], ["b"], ["a", "b"]),
    ],
)
def test_programs_of_two_kinds_keep_their_order(known: list[str], more: list[str], merged: list[str]) -> None:
    assert in_one_order(known, more) == merged
