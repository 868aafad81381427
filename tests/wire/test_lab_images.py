"""The lab's Image Server over its own protocol: who may connect, and what is in the pictures."""

from __future__ import annotations

import io
import json
import socket
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from PIL import Image

from tests.support.image_client import END, ImageClient, Picture
from tests.wire.nvr_fixture import Running, recorder, until
from tests.wire.test_lab_image_server import LOGIN, cameras, get, soap

INSTANCE = f"<instanceId>{uuid.uuid4()}</instanceId>"


@pytest.fixture(params=["a", "b"])
def lab(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Running]:
    store: Literal["a", "b"] = request.param
    with recorder(tmp_path, store=store) as running:
        running.nvr.tamper("camera", "Camera 1", {"name": "10 Lobby – Tür"})
        yield running


def client(lab: Running) -> ImageClient:
    return ImageClient(lab.nvr.image_port)


def guid(lab: Running, name: str = "10 Lobby – Tür") -> str:
    return cameras(get(lab)[1])[name]


def said(picture: Picture) -> dict[str, Any]:
    with Image.open(io.BytesIO(picture.jpeg)) as image:
        image.load()
        assert (image.format, image.size) == ("JPEG", (320, 180))
        found = json.loads(image.info["comment"])
    assert isinstance(found, dict)
    return found


def test_a_picture_carries_number_name_site_and_time(lab: Running) -> None:
    with client(lab) as peer:
        assert peer.connect(guid(lab), *LOGIN) == ("yes", "")
        peer.call("live", "<compressionrate>90</compressionrate>")
        status = peer.package()
        assert not isinstance(status, Picture)
        assert (status.tag, status[0][0].tag) == ("livepackage", "statustime")
        picture = peer.picture()
    assert picture.jpeg.startswith(b"\xff\xd8")
    assert picture.jpeg.endswith(b"\xff\xd9")
    assert set(picture.headers) == {"Content-Length", "Content-Type", "Current", "Prev", "Next"}
    assert picture.headers["Content-Type"] == "image/jpeg"
    words = said(picture)
    assert (words["camera"], words["name"], words["site"]) == (10, "10 Lobby – Tür", "test-site")
    age = datetime.now(UTC) - datetime.fromisoformat(words["time"])
    assert 0 <= age.total_seconds() < 5
    assert abs(int(picture.headers["Current"]) / 1000 - datetime.now(UTC).timestamp()) < 5


def test_live_goes_on_until_something_else_is_asked(lab: Running) -> None:
    with client(lab) as peer:
        assert peer.connect("{" + guid(lab).upper() + "}", *LOGIN) == ("yes", "")
        peer.call("live")
        first, second = said(peer.picture()), said(peer.picture())
        assert second["time"] > first["time"]
        peer.call("stop")
        peer.call("fly")
        reply = peer.package()
        assert not isinstance(reply, Picture)
        assert reply.findtext("errorreason") == "Unknown method"
        other = guid(lab, "Camera 2")
        assert peer.connect(other, *LOGIN) == ("yes", "")
        peer.call("live")
        assert said(peer.picture())["camera"] is None, "a camera whose name has no number"


@pytest.mark.parametrize(
    ("login", "camera", "reason"),
    [
        (("ivnview", "wrong"), "", "Wrong user name or password"),
        (("nobody", "lab-only"), "", "Wrong user name or password"),
        (LOGIN, "7c0d9d3e-0d7e-4c53-8f5e-0a6c1d4b2f10", "Unknown device"),
        (LOGIN, "camera 1", "Unknown device"),
    ],
)
def test_a_refused_connect_says_why(lab: Running, login: tuple[str, str], camera: str, reason: str) -> None:
    with client(lab) as peer:
        assert peer.connect(camera or guid(lab), *login) == ("no", reason)
        peer.call("live")
        assert peer.reply().findtext("errorreason") == "Not connected"
        assert peer.connect(guid(lab), *LOGIN) == ("yes", "")


def test_a_camera_that_is_switched_off_gives_nothing(lab: Running) -> None:
    found = guid(lab)
    lab.nvr.tamper("camera", "10", {"enabled": "false"})
    with client(lab) as peer:
        assert peer.connect(found, *LOGIN) == ("no", "Unknown device")


def test_who_may_not_view_sees_no_camera(lab: Running) -> None:
    found = guid(lab)
    lab.nvr.tamper("user", "ivnview", {"view": "false"})
    with client(lab) as peer:
        assert peer.connect(found, *LOGIN) == ("yes", ""), "an administrator sees everything"
    lab.nvr.tamper("user", "ivnview", {"administrator": "false"})
    with client(lab) as peer:
        assert peer.connect(found, *LOGIN) == ("no", "No right to view this device")
    assert (get(lab)[0].status, cameras(get(lab)[1])) == (200, {})


def test_letters_above_127_must_be_written_as_numbers(lab: Running) -> None:
    lab.nvr.tamper("user", "jürgen", {"password": "pässword<&1"})
    found = guid(lab)
    with client(lab) as peer:
        # as UTF-8 they are read in the server's own code page, and are other letters
        assert peer.connect(found, "jürgen", "pässword<&1")[0] == "no"
        escaped = ("j&#252;rgen", "p&#xE4;ssword&lt;&#38;1")
        assert peer.connect(found, *escaped, escaped=False) == ("yes", "")


def test_max_clients_counts_who_is_connected(lab: Running) -> None:
    lab.nvr.tamper("server_access", "", {"max_clients": "2"})
    found = guid(lab)
    with ExitStack() as open_ones:
        peers = [open_ones.enter_context(client(lab)) for _ in range(3)]
        assert [peer.connect(found, *LOGIN)[0] for peer in peers[:2]] == ["yes", "yes"]
        assert peers[2].connect(found, *LOGIN) == ("no", "Too many clients")
        assert peers[1].connect(found, *LOGIN)[0] == "yes", "it gives its own place back first"
        assert soap(lab, "Login", INSTANCE)[0].status == 503
        assert get(lab)[0].status == 200
    until(lambda: soap(lab, "Login", INSTANCE)[0].status == 200)
    lab.nvr.tamper("server_access", "", {"max_clients": "0"})
    with ExitStack() as open_ones:
        peers = [open_ones.enter_context(client(lab)) for _ in range(12)]
        assert {peer.connect(found, *LOGIN) for peer in peers} == {("yes", "")}


@pytest.mark.parametrize(
    "request_text",
    [
        b"<a" + END,
        b"<methodresponse/>" + END,
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><methodcall>&b;</methodcall>" + END,
        b"<?xml version='1.0'?><methodcall>&xxe;</methodcall>" + END,
        b"<methodcall>\x00</methodcall>" + END,
        b"<methodcall>" + b"x" * 70_000,
        b"<" + END,
    ],
)
def test_what_is_no_request_ends_the_connection(lab: Running, request_text: bytes) -> None:
    with client(lab) as peer:
        peer.send(request_text)
        assert peer.is_closed()
    assert get(lab)[0].status == 200


def test_requests_may_come_in_pieces_and_together(lab: Running) -> None:
    with client(lab) as peer:
        for piece in (
            b"<methodcall><requestid>7</requestid>",
            b"<methodname>x</methodname></methodcall>\r\n",
        ):
            peer.send(piece)
        peer.send(b"\r\n<methodcall><methodname>y</methodname></methodcall>" + END)
        assert [peer.reply().findtext("methodname") for _ in range(2)] == ["x", "y"]


def test_no_pictures_while_the_recording_server_is_stopped(lab: Running) -> None:
    with client(lab) as peer:
        assert peer.connect(guid(lab), *LOGIN)[0] == "yes"
        lab.nvr.tamper("windows_service", "Milestone Recording Server", {"state": "stopped"})
        peer.call("live")
        assert not any(isinstance(peer.package(), Picture) for _ in range(2))
    lab.nvr.tamper("windows_service", "Milestone Recording Server", {"state": "running"})


def test_http_says_what_time_it_is(lab: Running) -> None:
    for path in ("/systeminfo.xml", "/nothing"):
        date = get(lab, path)[0].headers["Date"]
        stamp = datetime.strptime(date, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
        assert abs((stamp - datetime.now(UTC)).total_seconds()) < 3


def test_a_client_that_goes_leaves_nothing(lab: Running) -> None:
    peer = client(lab)
    assert peer.connect(guid(lab), *LOGIN)[0] == "yes"
    peer.call("live")
    peer.picture()
    peer.send(b"<half")
    peer.__exit__()
    with socket.create_connection(("127.0.0.1", lab.nvr.image_port), timeout=5):
        pass
