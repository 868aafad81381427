"""Live objects that look like ours, share names or lack identity: nothing is guessed, nothing foreign is lost."""

from __future__ import annotations

import pytest

from ivn_provision.drivers.xprotect_e.xml_document import parse
from ivn_provision.errors import Conflict, PlanError, Refused
from ivn_provision.model.desired import desired_of
from ivn_provision.report.paint import Paint
from ivn_provision.report.plan_text import render
from ivn_provision.spec.site import (
    Alarm,
    Camera,
    GenericEvent,
    Hardware,
    HardwareEvent,
    Mail,
    MailServer,
    Nvr,
    Places,
    Recording,
    Site,
    Video,
)
from tests.support.recorder import PATH, Recorder, configuration
from tests.support.sites import connect

FIRST, SECOND = "192.168.10.61", "192.168.10.62"
CAMERA = Camera(10, "Lobby", Hardware(FIRST), None, Video(), Recording(), None, "/cameras/0")
EVENT = HardwareEvent(2, "Door", 10, 1, "rising", True, True, "all", "/hardware_events/0")
ALARM = Alarm("Forced", 2, None, "Always", True, "/alarms/0")


def site(**sections: object) -> Site:
    return Site(
        name="s",
        path="s.yml",
        places=Places({}, "s.yml"),
        nvr=Nvr("xprotect-professional-2014", connect()),
        **sections,  # type: ignore[arg-type] # each test gives sections of their own types
    )


def recorder(*replacements: tuple[str, str], cameras: tuple[str, ...] = (FIRST, SECOND)) -> Recorder:
    raw = configuration(cameras)
    for old, new in replacements:
        assert old.encode() in raw
        raw = raw.replace(old.encode(), new.encode(), 1)
    return Recorder(raw)


def event_xml(guid: str, name: str, device: str, number: int, camera: str = "") -> str:
    return (
        f"<HardwareInputEvent><Guid>{guid}</Guid><Name>{name}</Name><Enabled>1</Enabled>"
        f"<DeviceGuid>{device}</DeviceGuid><Input>{number}</Input><Edge>Rising</Edge><SendEmail>1</SendEmail>"
        f"<EmailCamera>{camera}</EmailCamera><RecordCameras>All</RecordCameras></HardwareInputEvent>"
    )


def with_events(*texts: str) -> tuple[str, str]:
    return ("<HardwareInputEvents/>", f"<HardwareInputEvents>{''.join(texts)}</HardwareInputEvents>")


def apply(live: Recorder, declared: Site) -> list[str]:
    """Plan and apply; what was planned. Afterwards the plan must be empty."""
    plan = live.plan(desired_of(declared))
    live.apply(plan)
    assert live.plan(desired_of(declared)).workable == ()
    return [f"{change.action} {change.address.kind}/{change.address.key}" for change in plan.changes]


def texts(live: Recorder, path: str) -> list[str]:
    return [each.text for each in parse(live.raw, path=PATH).root.all(path)]


def test_an_event_is_bound_to_the_declared_camera_not_to_another_with_its_number() -> None:
    live = recorder(("Camera 1<", "10 Lobby<"), ("Camera 2<", "10 Old lobby<"))
    apply(live, site(cameras=(CAMERA,), hardware_events=(EVENT,)))
    assert texts(live, "Events/HardwareInputEvents/HardwareInputEvent/EmailCamera") == ["camera-0"]


def test_an_event_on_another_camera_with_the_same_number_is_a_difference() -> None:
    wrong = event_xml("e", "2 H Door", "device-0", 1, "camera-1")
    live = recorder(("Camera 1<", "10 Lobby<"), ("Camera 2<", "10 Old lobby<"), with_events(wrong))
    declared = site(cameras=(CAMERA,), hardware_events=(EVENT,))
    assert apply(live, declared) == ["update hardware_event/2"]
    assert texts(live, "Events/HardwareInputEvents/HardwareInputEvent/EmailCamera") == ["camera-0"]


def test_a_foreign_object_whose_whole_name_is_a_number_is_not_taken() -> None:
    guard = event_xml("guard", "2", "device-1", 3)
    live = recorder(("Camera 1<", "10 Lobby<"), with_events(guard), ("Gate open by guard", "7"))
    soft = GenericEvent(7, True, True, "match", "7 S", "/generic_events/0")
    done = apply(live, site(cameras=(CAMERA,), hardware_events=(EVENT,), generic_events=(soft,)))
    assert done == ["create hardware_event/2", "create generic_event/7"]
    assert guard.encode() in live.raw
    assert texts(live, "Events/GenericEvents/GenericEvent/Substring") == ["GATE", "7 S"]


def test_a_foreign_event_on_the_declared_input_is_not_taken() -> None:
    guard = event_xml("guard", "Guard door", "device-0", 1)
    live = recorder(("Camera 1<", "10 Lobby<"), with_events(guard))
    assert apply(live, site(cameras=(CAMERA,), hardware_events=(EVENT,))) == ["create hardware_event/2"]
    assert guard.encode() in live.raw


def test_objects_without_a_guid_are_never_changed() -> None:
    ours = "<GenericEvent><Name>5 S</Name><Enabled>1</Enabled><Substring>5 S</Substring></GenericEvent>"
    live = recorder(("<Guid>foreign-1</Guid>", ""), ("</GenericEvents>", f"{ours}</GenericEvents>"))
    before = live.raw
    plan = live.plan(desired_of(site(generic_events=())))
    with pytest.raises(Refused, match="told apart"):
        live.apply(plan)
    assert live.raw == before


def test_objects_that_share_a_guid_are_never_changed() -> None:
    ours = (
        "<GenericEvent><Guid>foreign-1</Guid><Name>5 S</Name><Enabled>1</Enabled>"
        "<Substring>5 S</Substring></GenericEvent>"
    )
    live = recorder(("</GenericEvents>", f"{ours}</GenericEvents>"))
    with pytest.raises(Refused, match="told apart"):
        live.apply(live.plan(desired_of(site(generic_events=()))))


def test_an_object_that_changed_since_the_plan_is_not_written() -> None:
    live = recorder()
    plan = live.plan(desired_of(site(cameras=(CAMERA,))))
    live.raw = live.raw.replace(b"Camera 1<", b"By hand<")
    with pytest.raises(Conflict):
        live.apply(plan)


def test_a_missing_singleton_is_for_a_person_and_nothing_is_written() -> None:
    raw = configuration(())
    start, end = raw.index(b"    <EmailServer>"), raw.index(b"</EmailServer>") + len(b"</EmailServer>")
    live = Recorder(raw[:start] + raw[end:])
    server = MailServer("a@b", "smtp.example", 25, "none", None, None)
    plan = live.plan(desired_of(site(mail=Mail(None, server))))
    assert [change.manual for change in plan.changes] == [True]
    assert "save it once in the Management Application" in render((plan,), Paint(on=False))
    before = live.raw
    live.apply(plan)
    assert live.raw == before


def test_two_cameras_on_one_address_are_ambiguous() -> None:
    live = recorder(cameras=(FIRST, FIRST))
    with pytest.raises(PlanError, match="2 objects could be camera 10") as caught:
        live.plan(desired_of(site(cameras=(CAMERA,))))
    assert "mac" in caught.value.next_step


def test_of_two_cameras_on_one_address_the_one_with_the_number_is_meant() -> None:
    live = recorder(("Camera 2<", "10 Lobby<"), cameras=(FIRST, FIRST))
    assert live.plan(desired_of(site(cameras=(CAMERA,)))).changes == ()


def test_an_event_on_one_of_two_devices_with_one_address_is_refused() -> None:
    live = recorder(("Camera 2<", "10 Lobby<"), cameras=(FIRST, FIRST))
    with pytest.raises(Refused, match="no hardware device"):
        live.apply(live.plan(desired_of(site(cameras=(CAMERA,), hardware_events=(EVENT,)))))


def test_an_alarm_on_a_copy_of_its_event_is_moved_in_the_same_apply() -> None:
    alarm = (
        "<AlarmDefinition><Guid>a</Guid><Name>Forced</Name><Enabled>1</Enabled>"
        "<Description>Provisioned by ivn-provision</Description><SourceEvent>copy</SourceEvent>"
        "<TimeProfile>Always</TimeProfile></AlarmDefinition>"
    )
    live = recorder(
        ("Camera 1<", "10 Lobby<"),
        with_events(
            event_xml("e", "2 H Door", "device-0", 1, "camera-0"),
            event_xml("copy", "2 H Door", "device-0", 2, "camera-0"),
        ),
        ("<AlarmDefinitions></AlarmDefinitions>", f"<AlarmDefinitions>{alarm}</AlarmDefinitions>"),
    )
    done = apply(live, site(cameras=(CAMERA,), hardware_events=(EVENT,), alarms=(ALARM,)))
    assert sorted(done) == ["delete hardware_event/2", "update alarm/Forced"]
    assert texts(live, "AlarmDefinitions/AlarmDefinition/SourceEvent") == ["e"]


def test_an_alarm_made_by_hand_under_the_declared_name_is_taken_over() -> None:
    """Alarm names are no convention of ours: the declaration names this very object."""
    alarm = (
        "<AlarmDefinition><Guid>a</Guid><Name>Forced</Name><Enabled>0</Enabled><Description></Description>"
        "<SourceEvent>e</SourceEvent><TimeProfile>Always</TimeProfile></AlarmDefinition>"
    )
    live = recorder(
        ("Camera 1<", "10 Lobby<"),
        with_events(event_xml("e", "2 H Door", "device-0", 1, "camera-0")),
        ("<AlarmDefinitions></AlarmDefinitions>", f"<AlarmDefinitions>{alarm}</AlarmDefinitions>"),
    )
    done = apply(live, site(cameras=(CAMERA,), hardware_events=(EVENT,), alarms=(ALARM,)))
    assert done == ["update alarm/Forced"]
