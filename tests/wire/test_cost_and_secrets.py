"""What a run costs on the wire whatever the recorder holds, and what never goes over it: the recorder's secrets."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ivn_provision.lab.lab import Lab
from ivn_provision.lab.nvr import programs
from ivn_provision.lab.nvr.agent_emulation import framed
from ivn_provision.lab.sites import generated_sites, with_store_b
from tests.support.world import World, own_addresses
from tests.wire.test_learn import Careless, Unknown, session_of
from tests.wire.test_windows import SECTION

SITE = "lab-0001"
FOLDER = r"C:\ProgramData\Milestone\Milestone Surveillance"
CONFIGURATION = rf"{FOLDER}\configuration.xml"
LARGE = 20_000_000
PLANTED = ("Klartext-Kamera-4711", "Zweites & Wort 0815", "drittes_wort_2342")

SEVERAL_FILES = rf"""
schema: 1
layout: several-files
product: '^XProtect Professional 2014$'
version: '^8\.6a$'
learned: {{"on": '2026-11-23', by: Ada, site: lab-0001, tool: '0.1.0'}}
file: '{FOLDER}\one.xml'
restart: [RecordingServer.exe]
kinds:
  mail_message:
    single: Mail
    fields: {{subject: {{path: Subject, codec: text, evidence: learned}}}}
  mail_server:
    file: '{FOLDER}\two.xml'
    single: Server
    fields: {{host: {{path: Host, codec: text, evidence: learned}}}}
  server_access:
    file: '{FOLDER}\three.xml'
    single: Access
    fields: {{max_clients: {{path: Max, codec: number, evidence: learned}}}}
"""


@dataclass
class Cost:
    """Counters of the lab's recorder since this was made."""

    world: World
    before: tuple[int, int, int] = (0, 0, 0)

    def __post_init__(self) -> None:
        self.before = self._now()

    def _now(self) -> tuple[int, int, int]:
        counters = self.world.lab.nvr(SITE).counters
        return counters.processes, counters.posts, counters.authentications

    def spent(self) -> tuple[int, int, int]:
        """Processes, posts, authentications."""
        found = [now - then for now, then in zip(self._now(), self.before, strict=True)]
        return found[0], found[1], found[2]


@pytest.fixture
def unknown(tmp_path: Path) -> Iterator[Unknown]:
    sites = with_store_b(generated_sites(1, own_addresses()))
    with Lab(tmp_path / "lab", sites, portal_port=0, mail_port=0) as lab, lab.control(lambda: None):
        lab.write_sites(tmp_path / "sites")
        yield Unknown(World(lab, tmp_path / "sites"), tmp_path)


# One read is one process


def test_a_read_with_windows_is_one_process_and_a_write_three_more(world: World) -> None:
    world.edit(SITE, "  services: {event_server_port", SECTION)
    cost = Cost(world)
    (planned,) = world.plan(SITE)
    assert planned.error is None, planned.error
    processes, posts, logins = cost.spent()
    assert (processes, logins) == (1, 1)
    assert posts <= 6
    cost = Cost(world)
    (applied,) = world.apply(SITE)
    assert applied.error is None, applied.error
    processes, posts, _ = cost.spent()
    assert processes == 5, "read, hold, write with Windows in it, proof, release"
    assert posts <= 5 * 6


def write_layouts(unknown: Unknown, version: str) -> None:
    folder = unknown.at / "sites" / "layouts"
    folder.mkdir()
    text = SEVERAL_FILES.replace(r"8\.6a", version.replace(".", r"\."))
    (folder / "several.yml").write_text(text, "utf-8")
    tree = unknown.world.lab.nvr(SITE).windows.tree
    for name, inner in (
        ("one", "<Mail><Subject>x</Subject></Mail>"),
        ("two", "<Server><Host>x</Host></Server>"),
        ("three", "<Access><Max>1</Max></Access>"),
    ):
        tree.write(rf"{FOLDER}\{name}.xml", f"<root>{inner}</root>".encode())


def test_a_layout_of_several_files_costs_no_more(unknown: Unknown) -> None:
    """Read: all files in one process. Write: all files in one more."""
    world = unknown.world
    write_layouts(unknown, world.lab.nvr(SITE).site.version)
    cost = Cost(world)
    planned = unknown.plan()
    assert planned.plan is not None, planned.error
    changed = {each.address.kind for each in planned.plan.changes if each.address.target == "nvr"}
    assert {"mail_message", "mail_server"} <= changed, "files of the layout were read"
    processes, posts, logins = cost.spent()
    assert (processes, logins) == (1, 1)
    assert posts <= 6
    cost, writes = Cost(world), world.lab.nvr(SITE).counters.file_writes
    unknown.apply()
    assert world.lab.nvr(SITE).counters.file_writes - writes >= 2, "several files were written"
    assert cost.spent()[0] == 5, "read, hold, one write of all files, proof, release"


# 20 MB


def filler(number: int) -> bytes:
    digits = (number * 7919) % 1_000_003
    return f"<Setting{number}><Name>setting {number}</Name><Value>{digits}</Value></Setting{number}>\r\n".encode()


def test_a_large_configuration_is_compressed_on_the_wire(world: World) -> None:
    """Bytes of the whole conversation, sealed as they are; the figures of time are in benchmarks/."""
    nvr = world.lab.nvr(SITE)
    head, end, tail = nvr.configuration_path.read_bytes().rpartition(b"</config>")
    more = b"".join(map(filler, range((LARGE - len(head)) // 80)))
    nvr.configuration_path.write_bytes(head + b"<Bulk>\r\n" + more + b"</Bulk>\r\n" + end + tail)
    size = nvr.configuration_path.stat().st_size
    assert size > LARGE * 0.9
    cost, out = Cost(world), nvr.counters.bytes_out
    site = world.site(SITE)
    assert site.nvr is not None
    step = {
        "verb": "read_files",
        "redact_key": "a2V5",
        "files": [{"path": CONFIGURATION, "redact": ["Password"]}],
    }
    (answer,) = world.opener(60).link(site.nvr).call([step]).steps
    assert answer["files"][0]["size"] == size
    assert cost.spent()[0] == 1
    sent = nvr.counters.bytes_out - out
    assert 0 < sent < size / 2, f"{sent} bytes for a file of {size}"


# The recorder's secrets stay there


@dataclass
class Heard:
    """Every reply of the agent, as it was before it was packed."""

    replies: list[bytes] = field(default_factory=list)

    def everything(self) -> Iterator[bytes]:
        """The replies, and every file in them, unpacked."""
        for reply in self.replies:
            yield reply
            for step in json.loads(reply)["steps"]:
                files = step.get("files", [])
                for each in files if isinstance(files, list) else ():
                    if "content" in each:
                        yield base64.b64decode(each["content"])

    def assert_nothing_of(self, secrets: Iterable[str]) -> None:
        heard = list(self.everything())
        assert any(b"<config" in each for each in heard), "the configuration was read"
        for secret in secrets:
            for form in forms(secret):
                assert not [each for each in heard if form in each], secret


def forms(secret: str) -> list[bytes]:
    """In clear, and what can be turned back or looked up: encodings, and digests without a key."""
    plain = secret.encode()
    escaped = secret.replace("&", "&amp;").encode()
    wide = secret.encode("utf-16-le")
    found = [
        plain,
        escaped,
        wide,
        plain[::-1],
        plain.hex().encode(),
        base64.b64encode(plain).rstrip(b"=")[:-1],
    ]
    for name in ("md5", "sha1", "sha256", "sha512"):
        digest = hashlib.new(name, escaped).hexdigest()[:16]
        found += [digest.encode(), digest.upper().encode()]
    return found


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """What the recorder says, written down on its way out."""
    found = Heard()

    def noted(marker: str, reply: bytes) -> bytes:
        found.replies.append(reply)
        out = framed(marker, reply)
        packed = b"".join(out.split(b"\r\n")[1:-2])
        assert gzip.decompress(base64.b64decode(packed)) == reply, "what is written down is what is sent"
        return out

    monkeypatch.setattr(programs, "framed", noted)
    return found


def plant(world: World, path: str, end: bytes) -> list[str]:
    """Passwords of devices in clear where a product could keep them, and those that the lab's store has."""
    tree = world.lab.nvr(SITE).windows.tree
    raw = tree.locate(path).read_bytes()
    clear, second, third = (each.replace("&", "&amp;") for each in PLANTED)
    planted = (
        f"<Planted><HttpPassword>{clear}</HttpPassword><Login secret='{second}' x=\"1\"/>"
        f'<Driver devicePwd="{third}"><Password kind="a">{clear}</Password></Driver></Planted>'
    ).encode()
    head, mark, tail = raw.rpartition(end)
    assert mark
    tree.write(path, head + planted + mark + tail)
    text = raw.decode("utf-8-sig")
    own = re.findall(r"<(?:Password|PasswordHash)>([^<]+)</", text)
    return [*PLANTED, *own]


def lab_secrets(world: World) -> list[str]:
    """The files of the lab's passwords: of the mail login, the viewer, the account."""
    folder = world.folder.parent / "lab" / "secrets"
    return [each.read_text("utf-8").strip() for each in folder.iterdir() if each.is_file()]


def test_no_password_leaves_the_recorder_when_it_is_read_and_written(world: World, heard: Heard) -> None:
    secrets = plant(world, CONFIGURATION, b"</config>")
    assert len(secrets) > len(PLANTED), "the lab's own device passwords are searched for too"
    assert world.apply(SITE)[0].error is None
    world.lab.tamper(SITE, "camera", "10", {"label": "Other"})
    world.lab.fault(SITE, "service-start-fails-once")
    assert world.apply(SITE)[0].error is not None, "an error and an undo say nothing either"
    heard.assert_nothing_of([*secrets, *lab_secrets(world)])


def test_a_password_looks_different_at_each_reading(world: World, heard: Heard) -> None:
    """The hash is keyed anew: two replies cannot be compared with each other or with a table."""
    plant(world, CONFIGURATION, b"</config>")
    world.plan(SITE)
    world.plan(SITE)
    shown = [
        each.rpartition(b"<HttpPassword>")[2][:20] for each in heard.everything() if b"<HttpPassword>" in each
    ]
    assert len(shown) == 2
    assert shown[0] != shown[1]


def test_no_password_leaves_the_recorder_while_it_is_learned(unknown: Unknown, heard: Heard) -> None:
    world = unknown.world
    secrets = plant(world, CONFIGURATION, b"</config>")
    session_of(unknown, Careless(world.lab)).run("mail_server", "0d0d", {})
    assert any(b'"verb":"snapshot"' in each for each in heard.replies)
    heard.assert_nothing_of([*secrets, *lab_secrets(world)])
