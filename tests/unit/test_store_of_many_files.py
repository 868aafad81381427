"""A layout whose kinds stand in several files, in attributes, with numbers and names as references."""

from __future__ import annotations

import codecs
from collections.abc import Mapping

import pytest

from ivn_provision.drivers.xprotect_e.edit import splices_for
from ivn_provision.drivers.xprotect_e.layout import CONFIGURATION, Layout
from ivn_provision.drivers.xprotect_e.layout_file import read_layout
from ivn_provision.drivers.xprotect_e.live import resources_of
from ivn_provision.drivers.xprotect_e.store import Store
from ivn_provision.drivers.xprotect_e.writing import to_restart
from ivn_provision.drivers.xprotect_e.xml_document import parse
from ivn_provision.drivers.xprotect_e.xml_edit import apply_splices
from ivn_provision.errors import Conflict, Refused
from ivn_provision.model.resource import Address, LiveRef, Resource, Value
from ivn_provision.plan.plan import Action, Change, FieldChange, Work

EVENTS = r"C:\ProgramData\Milestone\Milestone Surveillance\events.config"
CAMERA_1, CAMERA_2 = "11111111-aaaa-4bbb-8ccc-000000000001", "11111111-aaaa-4bbb-8ccc-000000000002"
EVENT = "{22222222-AAAA-4BBB-8CCC-000000000001}"
LAYOUT = f"""\
schema: 1
layout: two-files
product: '^XProtect Professional 2014$'
version: '^8\\.7b$'
learned: {{"on": '2026-11-23', by: Ada, site: lab-0001, tool: '0.1.0'}}
file: '{EVENTS}'
restart: [ImageServer.exe, EventPlugin.exe, RecordingServer.exe]
kinds:
  camera:
    file: '{CONFIGURATION}'
    items: Devices/*/Cameras/*
    name: DisplayName
    naming: '^(?P<key>[1-9]\\d{{0,2}}) \\S'
    create: {{ability: manual, reason: wizard}}
    fields:
      name: {{path: DisplayName, codec: text, evidence: proven}}
      enabled: {{path: Disabled, codec: not01, evidence: proven, restart: [RecordingServer.exe, ImageServer.exe]}}
  hardware_event:
    restart: [RecordingServer.exe]
    items: Store/Event
    where: {{'@type': '1'}}
    handle: '@id'
    ids: {{'@id': guid_braces, '@number': next_number}}
    name: '@name'
    naming: '^(?P<key>[1-9]\\d{{0,2}}) H'
    template: ['@id', '@number', '@type', '@name', Mail/@on, Mail/Camera, Input/@device, Input/@port]
    create: {{evidence: learned}}
    remove: {{ability: manual, reason: 'never seen'}}
    fields:
      name: {{path: '@name', codec: text, evidence: learned}}
      email: {{path: Mail/@on, codec: enum, values: {{"true": 'Yes', "false": 'No'}}, evidence: learned}}
      camera: {{path: Mail/Camera, codec: camera, by: name, evidence: learned}}
      device: {{path: Input/@device, codec: device, by: name, evidence: learned}}
      input: {{path: Input/@port, codec: number, evidence: learned}}
  alarm:
    restart: [EventPlugin.exe]
    items: Store/Alarms/Alarm
    handle: '@id'
    ids: {{'@id': guid_upper}}
    name: '@name'
    template: ['@id', '@name', '@source']
    create: {{evidence: learned}}
    fields:
      source: {{path: '@source', codec: event, form: guid, evidence: learned}}
"""
CONFIG = f"""\
<config><ProductInfo/><Devices>
  <D1><Guid>dev-1</Guid><DisplayName>Encoder 1</DisplayName><IPAddress>192.0.2.1</IPAddress><Cameras>
    <C><Guid>{CAMERA_1}</Guid><DisplayName>10 Gate</DisplayName><Disabled>0</Disabled></C>
    <C><Guid>{CAMERA_2}</Guid><DisplayName>11 Pier</DisplayName><Disabled>0</Disabled></C>
  </Cameras></D1>
</Devices></config>
"""
STORE = f"""\
<?xml version="1.0" encoding="utf-16"?>
<root revision='7'>
  <Store>
    <!-- made by hand -->
    <Event id="{EVENT}" number="4" type="1" name='2 H Gate'><Mail on="No"><Camera>10 Gate</Camera></Mail><Input port="1" device="Encoder 1"/></Event>
    <Event id="{{33333333-AAAA-4BBB-8CCC-000000000001}}" number="9" type="7" name="2 H other type"/>
    <Alarms/>
  </Store>
</root>
"""


def layout() -> Layout:
    return read_layout("layouts/two.yml", LAYOUT.encode())


class Files:
    """The recorder's files in memory."""

    def __init__(self, config: str = CONFIG, store: str = STORE) -> None:
        wide = codecs.BOM_UTF16_LE + store.replace("\n", "\r\n").encode("utf-16-le")
        self.raw = {CONFIGURATION: config.encode(), EVENTS: wide}

    @property
    def store(self) -> Store:
        return Store.of({path: parse(raw, path=path) for path, raw in self.raw.items()})

    def live(self, kind: str) -> dict[str, Resource]:
        return {each.title: each for each in resources_of(self.store, layout(), "s") if each.kind == kind}

    def apply(self, *changes: Change, desired: Mapping[Address, Mapping[str, Value]]) -> set[str]:
        cameras = {each.address: each.handle for each in self.live("camera").values()}
        events = {each.address: each.handle for each in self.live("hardware_event").values()}
        work = Work(changes, desired, {**cameras, **events})
        made = iter(range(1, 100))
        splices = splices_for(
            self.store, layout(), work, guid=lambda: f"aaaaaaaa-0000-4000-8000-{next(made):012d}"
        )
        for path, edits in splices.items():
            self.raw[path] = apply_splices(self.raw[path], edits)
        return set(splices)

    @property
    def text(self) -> str:
        return self.raw[EVENTS].decode("utf-16")


def update(live: Resource, **values: Value) -> tuple[Change, Mapping[Address, Mapping[str, Value]]]:
    fields = tuple(FieldChange(name, live.fields.get(name), value) for name, value in values.items())
    change = Change(live.address, Action.UPDATE, fields, handle=live.handle, digest=live.digest)
    return change, {live.address: values}


def test_objects_are_read_from_attributes_by_their_type() -> None:
    (event,) = Files().live("hardware_event").values()
    assert event.handle == EVENT
    assert event.address.key == "2"
    assert event.fields["email"] is False
    assert event.fields["camera"] == LiveRef(CAMERA_1)
    assert (event.fields["device"], event.fields["input"]) == ("192.0.2.1", 1)


def test_an_attribute_changes_alone() -> None:
    files = Files()
    before = files.text
    change, desired = update(files.live("hardware_event")["2 H Gate"], email=True, input=3)
    assert files.apply(change, desired=desired) == {EVENTS}
    assert files.text == before.replace('on="No"', 'on="Yes"').replace('port="1"', 'port="3"')
    assert files.live("hardware_event")["2 H Gate"].fields["email"] is True


def test_new_objects_get_identifiers_of_their_own_and_point_at_each_other() -> None:
    files = Files()
    event, alarm = Address("s", "nvr", "hardware_event", "3"), Address("s", "nvr", "alarm", 'A "B" <C>')
    changes = [Change(event, Action.CREATE, ()), Change(alarm, Action.CREATE, ())]
    files.apply(
        *changes,
        desired={
            event: {"name": "3 H Pier", "email": True, "camera": 11, "device": "192.0.2.1", "input": 2},
            alarm: {"source": "hardware_event/3"},
        },
    )
    made = files.live("hardware_event")["3 H Pier"]
    assert made.handle == "{AAAAAAAA-0000-4000-8000-000000000001}"
    assert made.fields["camera"] == LiveRef(CAMERA_2)
    assert made.fields["device"] == "192.0.2.1"
    assert 'number="10" type="1" name="3 H Pier"' in files.text, (
        "the highest number of the list, and one more"
    )
    assert '<Mail on="Yes">\r\n        <Camera>11 Pier</Camera>' in files.text
    assert 'source="aaaaaaaa-0000-4000-8000-000000000001"' in files.text, "in the form that the layout says"
    assert files.live("alarm")['A "B" <C>'].fields["source"] == LiveRef(made.handle, with_kind=True)


def test_a_new_name_is_followed_by_what_points_at_the_old_one() -> None:
    files = Files()
    change, desired = update(files.live("camera")["10 Gate"], name="10 Main gate")
    assert files.apply(change, desired=desired) == {CONFIGURATION, EVENTS}
    assert "<Camera>10 Main gate</Camera>" in files.text
    assert files.live("hardware_event")["2 H Gate"].fields["camera"] == LiveRef(CAMERA_1)


def test_a_new_name_of_a_twin_is_refused() -> None:
    files = Files(config=CONFIG.replace("11 Pier", "10 Gate"))
    camera = next(
        each
        for each in resources_of(files.store, layout(), "s")
        if each.kind == "camera" and each.handle == CAMERA_1
    )
    change, desired = update(camera, name="10 Main gate")
    with pytest.raises(Refused, match="2 objects on the recorder are called 10 Gate"):
        files.apply(change, desired=desired)


def test_a_change_since_the_reading_is_a_conflict() -> None:
    files = Files()
    change, desired = update(files.live("hardware_event")["2 H Gate"], email=True)
    later = Files(store=STORE.replace('port="1"', 'port="2"'))
    with pytest.raises(Conflict):
        later.apply(change, desired=desired)


def test_a_value_that_was_never_learned_is_refused() -> None:
    text = LAYOUT.replace("""{{"true": 'Yes', "false": 'No'}}""", "").replace(", \"false\": 'No'", "")
    found = read_layout("x.yml", text.encode()).kinds["hardware_event"].fields["email"]
    from ivn_provision.drivers.xprotect_e.codecs import encode

    assert encode(found, value=True, pointers={}) == {"Mail/@on": "Yes"}
    with pytest.raises(Refused, match="does not say how email: false is stored"):
        encode(found, value=False, pointers={})


def test_a_file_that_is_not_there_is_refused_with_its_name() -> None:
    files = Files()
    del files.raw[EVENTS]
    address = Address("s", "nvr", "hardware_event", "3")
    with pytest.raises(Refused) as caught:
        files.apply(Change(address, Action.CREATE, ()), desired={address: {"name": "3 H"}})
    assert caught.value.where == EVENTS


def test_only_the_programs_that_read_a_change_restart() -> None:
    services = [
        {"name": name, "path": f'"C:\\Milestone\\{program}" -s', "state": state}
        for name, program, state in (
            ("Rec", "recordingserver.exe", "Running"),
            ("Img", "ImageServer.exe", "Running"),
            ("Plug", "EventPlugin.exe", "Stopped"),
            ("Other", "MyRecordingServer.exe", "Running"),
        )
    ]
    files = Files()
    enabled, _ = update(files.live("camera")["10 Gate"], enabled=False)
    event, _ = update(files.live("hardware_event")["2 H Gate"], email=True)
    alarm = Change(Address("s", "nvr", "alarm", "x"), Action.CREATE, ())
    assert to_restart(layout(), [enabled], services) == ["Img", "Rec"]
    assert to_restart(layout(), [event], services) == ["Rec"]
    assert to_restart(layout(), [alarm], services) == []
