"""From text to `Site`: the shared example whole, defaults, merge and origins."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ivn_provision.secret import SecretRef
from ivn_provision.spec.build import BODY, SUBJECT
from ivn_provision.spec.fleet import load_fleet
from ivn_provision.spec.ruleset import NO_RULES
from ivn_provision.spec.site import Pin, Recording, Site, Video
from ivn_provision.spec.values import Computed, Tls

EXAMPLE = Path(__file__).parents[2].parent / "shared" / "example-site.yml"

CONNECT = "nvr: {product: p, connect: {host: h, username: u}}\n"


def load(folder: Path, **files: str) -> Site:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    fleet = load_fleet([folder], rules=NO_RULES)
    assert [f"{each.place}: {each.summary}" for each in fleet.diagnostics if each.is_error] == []
    site = fleet.sites[0].site
    assert site is not None
    return site


@pytest.mark.skipif(not EXAMPLE.exists(), reason="the shared example is not beside this checkout")
def test_the_example_whole(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE, tmp_path / "harbor-marina.yml")
    site = load(
        tmp_path, groups__northeast="time_zone: Europe/Rome\n", **{"groups__xprotect-2014": "alarms: []\n"}
    )
    assert site.name == "harbor-marina"
    assert site.time_zone == "America/New_York"
    assert site.maintenance_window == "Mon-Fri 09:00-16:00"
    assert site.nvr is not None
    assert site.nvr.connect.tls == Tls("verify")
    assert site.nvr.connect.password == SecretRef("env", "HARBOR_NVR_PASSWORD", str(tmp_path))
    assert site.cameras is not None
    assert [each.name for each in site.cameras] == ["10 Lobby Main Entrance", "11 Dry Dock Gate"]
    assert site.cameras[0].hardware.mac == "00408C123456"
    assert site.cameras[0].axis
    assert site.cameras[0].video == Video("mjpeg", "1280x800", 8)
    assert site.cameras[1].recording == Recording("event", 10, 10)
    assert site.cameras[1].enabled is None
    assert site.hardware_events is not None
    assert site.hardware_events[0].name == "2 H Rising signal on input 1, alert event"
    assert site.generic_events is not None
    assert (site.generic_events[0].name, site.generic_events[0].match) == ("2 S", "2 S")
    assert site.mail is not None
    assert site.mail.message is not None
    assert site.mail.message.recipients == (Computed("portal.smtp_account_id"),)
    assert (site.mail.message.subject, site.mail.message.body) == (SUBJECT, BODY)
    assert site.alarms is not None
    assert site.alarms[0].hardware_event == 2
    assert site.portal is not None
    assert site.portal.device is not None
    assert (site.portal.device.web_server_port, site.portal.device.event_server_port) == (8080, 1234)
    assert site.portal.account == "harbor-marina"
    assert site.portal.pins is not None
    assert site.portal.pins[2] == Pin(
        2, "soft", 10, "perimeter", None, enabled=True, pointer="/portal/pins/2"
    )
    assert site.places.place(site.portal.pins[2].pointer).line == 94


def test_what_is_left_out_is_not_managed(tmp_path: Path) -> None:
    site = load(tmp_path, a="site: a\n")
    assert (site.nvr, site.cameras, site.mail, site.portal, site.acceptance) == (None,) * 5


def test_defaults(tmp_path: Path) -> None:
    text = f"site: a\n{CONNECT}hardware_events: [{{pin: 3, camera: 1, input: 1}}]\ngeneric_events: [{{pin: 4}}]\n"
    site = load(tmp_path, a=text)
    assert site.nvr is not None
    connect = site.nvr.connect
    assert (connect.transport, connect.port, connect.auth, connect.tls) == (
        "winrm",
        5986,
        "ntlm",
        Tls("verify"),
    )
    assert site.hardware_events is not None
    event = site.hardware_events[0]
    assert (event.name, event.edge, event.enabled, event.email, event.record) == (
        "3 H",
        "rising",
        True,
        True,
        None,
    )
    assert site.generic_events is not None
    assert (site.generic_events[0].rule, site.generic_events[0].match) == ("match", "4 S")


def test_ssh_has_its_own_port(tmp_path: Path) -> None:
    site = load(tmp_path, a="site: a\nnvr: {product: p, connect: {transport: ssh, host: h, username: u}}\n")
    assert site.nvr is not None
    assert site.nvr.connect.port == 22


@pytest.mark.parametrize("mac", ["00:40:8c:12:34:56", "00-40-8C-12-34-56", "00408c123456"])
def test_mac_in_any_writing(tmp_path: Path, mac: str) -> None:
    text = f'site: a\ncameras: [{{number: 1, label: x, hardware: {{address: h, mac: "{mac}"}}}}]\n'
    site = load(tmp_path, a=text)
    assert site.cameras is not None
    assert site.cameras[0].hardware.mac == "00408C123456"


def test_a_ca_is_relative_to_the_file_that_says_it(tmp_path: Path) -> None:
    site = load(
        tmp_path, a=f"site: a\ngroups: [g]\n{CONNECT}", groups__g="nvr: {connect: {tls: {ca: ca.pem}}}\n"
    )
    assert site.nvr is not None
    assert site.nvr.connect.tls == Tls("ca", str(tmp_path / "groups" / "ca.pem"))


def test_a_fingerprint_is_plain_hex(tmp_path: Path) -> None:
    pairs = ":".join(["AB"] * 32)
    site = load(
        tmp_path,
        a=f'site: a\nnvr: {{product: p, connect: {{host: h, username: u, tls: {{fingerprint: "sha256:{pairs}"}}}}}}\n',
    )
    assert site.nvr is not None
    assert site.nvr.connect.tls == Tls("fingerprint", "ab" * 32)


def test_a_declared_account_is_not_computed(tmp_path: Path) -> None:
    text = """site: a
portal:
  url: https://p.example/
  auth: {client_id: c, client_secret: !secret env:C}
  smtp_account_id: x@ivnview.example
mail: {server: {sender: !ref portal.smtp_account_id, host: h, port: 25, security: none}}
"""
    site = load(tmp_path, a=text)
    assert site.mail is not None
    assert site.mail.server is not None
    assert site.mail.server.sender == "x@ivnview.example"


def test_chained_references_and_references_to_secrets(tmp_path: Path) -> None:
    text = """site: a
description: !ref labels.one
labels: {one: !ref labels.two, two: !ref cameras.10.label}
cameras: [{number: 10, label: Lobby, hardware: {address: h}}]
nvr:
  product: p
  connect: {host: h, username: u, password: !ref nvr.users.ivn.password}
  users: [{name: ivn, password: !secret file:x}]
"""
    site = load(tmp_path, a=text)
    assert site.description == "Lobby"
    assert site.nvr is not None
    assert site.nvr.users is not None
    assert site.nvr.connect.password == site.nvr.users[0].password == SecretRef("file", "x", str(tmp_path))


def test_three_levels_with_their_origins(tmp_path: Path) -> None:
    site = load(
        tmp_path,
        fleet="nvr:\n  services: {event_server_port: 1}\n  server_access: {local_port: 80}\n",
        groups__g="nvr: {services: {event_server_port: 2, log_server_port: 81}}\n",
        groups__h="nvr: {services: {event_server_port: 3}}\n",
        a=f"site: a\ngroups: [g, h]\n{CONNECT[:-2]}, services: {{event_server_port: 4}}}}\n",
    )
    assert site.nvr is not None
    assert site.nvr.services is not None
    assert (site.nvr.services.event_server_port, site.nvr.services.log_server_port) == (4, 81)
    origins = site.places.origins("/nvr/services/event_server_port")
    assert [(each.level, each.value) for each in origins] == [
        ("fleet", "1"),
        ("group g", "2"),
        ("group h", "3"),
        ("site", "4"),
    ]
    assert origins[0].place.line == 2
    assert site.places.place("/nvr/services/log_server_port").path == str(tmp_path / "groups/g.yml")
    assert site.places.place("/nvr/services/nothing").path == str(tmp_path / "a.yml")


def test_lists_with_identity_merge_and_others_are_replaced(tmp_path: Path) -> None:
    site = load(
        tmp_path,
        groups__g="cameras: [{number: 2, video: {codec: mjpeg}}, {number: 1, label: One, hardware: {address: h}}]\n"
        "acceptance: {pins: [2H]}\n",
        a="site: a\ngroups: [g]\ncameras: [{number: 3, label: Three, hardware: {address: h}}, "
        "{number: 2, label: Two, hardware: {address: h}}]\nacceptance: {pins: [3H, 4S]}\n",
    )
    assert site.cameras is not None
    assert [each.name for each in site.cameras] == ["2 Two", "1 One", "3 Three"]
    assert site.cameras[0].video.codec == "mjpeg"
    assert site.acceptance is not None
    assert site.acceptance.pins == ("3H", "4S")


def test_null_removes_what_is_inherited(tmp_path: Path) -> None:
    site = load(tmp_path, fleet=f"time_zone: Europe/Rome\n{CONNECT}", a="site: a\ntime_zone: ~\nnvr: null\n")
    assert site.time_zone is None
    assert site.nvr is None
    assert [each.value for each in site.places.origins("/time_zone")] == ["Europe/Rome", "null"]
    assert load_fleet([tmp_path], rules=NO_RULES).diagnostics == ()
