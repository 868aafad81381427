"""Layout files: what is refused, where, and with which next step."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ivn_provision.drivers.xprotect_e.layout import FIELDS, Layout
from ivn_provision.drivers.xprotect_e.layout_file import check_layout, read_layout
from ivn_provision.drivers.xprotect_e.layout_rules import CODES
from ivn_provision.drivers.xprotect_e.layout_set import Layouts, check_folder
from ivn_provision.errors import PlanError, SpecError
from ivn_provision.model.kinds import KINDS
from ivn_provision.model.live import Ability

PRODUCT, VERSION = "XProtect Professional 2014", "8.7b"
GOOD = """\
schema: 1
layout: professional-8.7b
product: '^XProtect Professional 2014$'
version: '^8\\.7b$'
learned: {"on": '2026-11-23T18:00:00Z', by: Ada, site: lab-0001, tool: '0.1.0'}
file: 'C:\\ProgramData\\Milestone\\Milestone Surveillance\\events.config'
restart: [ImageServer.exe, RecordingServer.exe]
kinds:
  generic_event:
    restart: [RecordingServer.exe]
    items: Store/Events/Event
    where: {'@type': '3'}
    handle: '@id'
    ids: {'@id': guid_braces, '@number': next_number}
    name: '@name'
    naming: '^(?P<key>[1-9]\\d{0,2}) S'
    template: ['@id', '@number', '@type', '@name', Rule/@kind, Rule/Text]
    create: {evidence: learned}
    fields:
      name: {path: '@name', codec: text, evidence: learned}
      rule: {path: Rule/@kind, codec: enum, values: {match: '1', search: '2'}, evidence: learned}
      match: {path: Rule/Text, codec: text, evidence: learned}
      enabled: {path: '@on', codec: enum, values: {"true": 'Yes', "false": 'No'}, evidence: learned}
      email: {codec: hidden, ability: manual, reason: 'not found'}
"""

# name: (text in GOOD, what stands there instead, line, code, a part of the summary)
BROKEN = {
    "unknown key": ("layout: pro", "layuot: x\nlayout: pro", 2, "SCH001", "layuot"),
    "no version": ("version: '^8\\.7b$'\n", "", 1, "SCH004", "no `version`"),
    "another form": ("schema: 1", "schema: 2", 1, "SCH003", "schema"),
    "not a pattern": ("'^8\\.7b$'", "'^8(7b$'", 4, "LAY001", "regular expression"),
    "fits every version": ("'^8\\.7b$'", "''", 4, "SCH007", "empty"),
    "fits every version too": ("'^8\\.7b$'", "'.*'", 4, "LAY001", "fits every"),
    "a secret": ("Ada", "!secret env:ADA", 5, "SCH002", "no !secret"),
    "a reference": ("Ada", "!ref site", 5, "SCH002", "no !ref"),
    "nothing": ("by: Ada", "by: ", 5, "SCH002", "empty"),
    "a database": ("events.config", "events.mdf", 6, "LAY006", "database"),
    "not the product's": (
        "ProgramData\\Milestone\\Milestone Surveillance",
        "Windows\\System32",
        6,
        "LAY006",
        "not in a folder",
    ),
    "a way out": (
        "Milestone Surveillance",
        "Milestone Surveillance\\..\\..\\..\\Windows",
        6,
        "LAY006",
        "folder",
    ),
    "a relative path": ("'C:\\ProgramData", "'ProgramData", 6, "SCH006", "file"),
    "a command": ("[ImageServer.exe,", "['cmd.exe /c del',", 7, "SCH006", "restart"),
    "an unknown kind": ("  generic_event:\n", "  outputs:\n", 9, "SCH001", "outputs"),
    "an unlisted program": (
        "restart: [RecordingServer.exe]",
        "restart: [Other.exe]",
        10,
        "LAY007",
        "Other.exe",
    ),
    "two homes": ("items: Store/Events/Event", "items: A/B\n    single: A", 10, "LAY004", "either"),
    "a predicate": ("items: Store/Events/Event", "items: 'Store/Event[1]'", 11, "SCH006", "items"),
    "no group key": ("(?P<key>[1-9]\\d{0,2})", "[1-9]", 16, "LAY004", "group `key`"),
    "id outside the template": ("['@id', '@number',", "['@number',", 14, "LAY004", "@id"),
    "no template": (
        "    template: ['@id', '@number', '@type', '@name', Rule/@kind, Rule/Text]\n",
        "",
        10,
        "LAY004",
        "template",
    ),
    "assumed": ("create: {evidence: learned}", "create: {evidence: assumed}", 18, "LAY002", "assumed"),
    "no evidence": ("create: {evidence: learned}", "create: {}", 18, "LAY002", "without evidence"),
    "an unknown field": ("      name: {path", "      title: {path", 20, "LAY005", "title"),
    "an id that is written": ("path: Rule/Text,", "path: '@id',", 22, "LAY003", "never written"),
    "a password by another name": (
        "path: Rule/Text,",
        "path: Rule/SmtpPassword,",
        22,
        "LAY003",
        "never written",
    ),
    "a text that the agent hides": (
        "path: Rule/Text,",
        "path: Rule/UseCredentials,",
        22,
        "LAY003",
        "never written",
    ),
    "two values alike": ("search: '2'", "search: '1'", 21, "LAY005", "alike"),
    "enum without values": (", values: {match: '1', search: '2'}", "", 21, "LAY005", "values"),
    "values of a text": (
        "codec: text, evidence: learned}\n      rule",
        "codec: text, values: {a: b}, evidence: learned}\n      rule",
        20,
        "LAY005",
        "no place",
    ),
    "no path": ("path: Rule/Text, ", "", 22, "LAY005", "no `path`"),
    "an unknown codec": ("codec: hidden", "codec: base64", 24, "SCH003", "codec"),
    "lab only": ("file: 'C:", "lab_only: true\nfile: 'C:", 6, "LAY008", "lab_only"),
    "learned without a where": (
        "learned: {\"on\": '2026-11-23T18:00:00Z', by: Ada, site: lab-0001, tool: '0.1.0'}\n",
        "",
        17,
        "LAY002",
        "where and when",
    ),
    "a key twice": ("schema: 1\n", "schema: 1\nschema: 1\n", 2, "YML009", "twice"),
    "a python object": ("Ada", "!!python/object/apply:os.system [id]", 5, "YML012", "tag"),
    "two documents": ("schema: 1\n", "schema: 1\n---\n", 2, "YML007", "document"),
}


def good(text: str = GOOD, path: str = "layouts/x.yml") -> Layout:
    return read_layout(path, text.encode())


def test_a_layout_is_read_as_it_says() -> None:
    layout = good()
    kind = layout.kinds["generic_event"]
    assert layout.fits(PRODUCT, VERSION)
    assert not layout.fits(PRODUCT, "8.7c")
    assert (kind.handle, kind.ids) == ("@id", {"@id": "guid_braces", "@number": "next_number"})
    assert kind.restart == ("RecordingServer.exe",)
    assert layout.files == (r"C:\ProgramData\Milestone\Milestone Surveillance\events.config",)
    table = layout.capabilities()
    assert table.of("generic_event", "email").ability is Ability.MANUAL
    assert table.of("generic_event", "name").evidence == "learned"
    assert table.unread == frozenset(FIELDS) - {"generic_event"}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_layout_is_refused_at_its_place(name: str) -> None:
    old, new, line, code, words = BROKEN[name]
    assert old in GOOD
    layout, found = check_layout("layouts/x.yml", GOOD.replace(old, new, 1).encode())
    assert layout is None
    told = [(each.code, each.place.line if each.place else 0) for each in found]
    assert (code, line) in told, [str(each) for each in found]
    (one,) = [each for each in found if each.code == code and each.place and each.place.line == line][:1]
    assert words in one.summary
    assert one.hint
    assert one.place is not None
    assert one.place.path == "layouts/x.yml"
    with pytest.raises(SpecError) as caught:
        good(GOOD.replace(old, new, 1))
    assert caught.value.next_step


def test_every_code_is_in_the_reference() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "reference" / "diagnostics.md"
    text = page.read_text(encoding="utf-8")
    assert [code for code, title in CODES.items() if f"| {code} | {title}" not in text] == []


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_damage_is_a_layout_or_diagnostics(data: st.DataObject) -> None:
    """Never a traceback: lines lost, doubled or replaced by anything."""
    lines = GOOD.splitlines()
    at = data.draw(st.integers(0, len(lines) - 1))
    junk = data.draw(st.sampled_from(["", "x", "- 1", "? ", "a: {b: [", "\t", "kinds: 3", "fields: []", "'"]))
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    lines[at : at + data.draw(st.integers(0, 2))] = [indent + junk]
    layout, found = check_layout("x.yml", "\n".join(lines).encode())
    assert (layout is None) == bool(found)
    assert all(each.place for each in found)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_layout_or_diagnostics(content: bytes) -> None:
    layout, found = check_layout("x.yml", content)
    assert layout is None
    assert found


def test_a_layout_of_the_fleet_wins_over_a_packaged_one(tmp_path: Path) -> None:
    text = GOOD.replace("'^8\\.7b$'", "'^8\\.6a$'")
    (tmp_path / "own.yml").write_text(text, encoding="utf-8")
    (tmp_path / "notes.txt").write_text("not a layout", encoding="utf-8")
    layouts = Layouts.packaged().with_folder(tmp_path)
    chosen = layouts.choose(PRODUCT, "8.6a", lab=True)
    assert chosen is not None
    assert chosen.origin == str(tmp_path / "own.yml")
    assert Layouts.packaged().with_folder(tmp_path / "none").known == Layouts.packaged().known


def test_two_layouts_of_one_version_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "b.yml").write_text(GOOD.replace("professional-8.7b", "another"), encoding="utf-8")
    layouts = Layouts.packaged().with_folder(tmp_path)
    with pytest.raises(PlanError, match="another") as caught:
        layouts.choose(PRODUCT, VERSION, lab=False)
    assert "a.yml" in caught.value.where
    assert caught.value.next_step


def test_every_broken_file_of_a_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(GOOD.replace("schema: 1", "schema: 7"), encoding="utf-8")
    (tmp_path / "b.yml").write_bytes(b"\xff\xfe")
    (tmp_path / "c.yml").mkdir()
    _, found = check_folder(tmp_path)
    assert {Path(each.place.path).name for each in found if each.place} == {"a.yml", "b.yml", "c.yml"}
    with pytest.raises(SpecError):
        Layouts.packaged().with_folder(tmp_path)


def test_the_lab_layout_is_for_the_lab_only() -> None:
    layouts = Layouts.packaged()
    assert layouts.choose(PRODUCT, "8.6a", lab=False) is None
    chosen = layouts.choose(PRODUCT, "8.6a", lab=True)
    assert chosen is not None
    assert not chosen.origin
    for version in ("", "9.0a", "18.6a"):
        assert layouts.choose(PRODUCT, version, lab=True) is None
    assert layouts.choose("XProtect Corporate 2014", "8.6a", lab=True) is None


def test_candidates_are_those_of_the_declared_product() -> None:
    names = [each.name for each in Layouts.packaged().candidates("xprotect-professional-2014")]
    assert names == ["lab-2014"]
    assert Layouts.packaged().candidates("xprotect-professional-2016") == ()


def test_the_fields_are_those_of_the_site_file() -> None:
    """The list of fields, the lab's layout and the model agree."""
    (lab,) = Layouts.packaged().known
    assert {name: tuple(kind.fields) for name, kind in lab.kinds.items()} == dict(FIELDS)
    assert all(KINDS[name].target == "nvr" for name in FIELDS)


def test_the_example_in_the_docs_is_a_layout() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "reference" / "layout-file.md"
    text = page.read_text(encoding="utf-8")
    block = text.split("```yaml\n", 1)[1].split("```", 1)[0]
    assert good(block).kinds
    assert yaml.safe_load(block)["schema"] == 1
