"""The lab's Image Server over real HTTP: who may log in, what is seen, and when it is down."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any, Literal

import pytest
from lxml import etree

from tests.wire.nvr_fixture import Running, ask, recorder

NAMESPACE = "http://videoos.net/2/XProtectCSServerCommand"
SOAP = "/ServerCommandService/ServerCommandService.asmx"
LOGIN = ("ivnview", "lab-only")


@pytest.fixture(params=["a", "b"])
def lab(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Running]:
    store: Literal["a", "b"] = request.param
    with recorder(tmp_path, store=store) as running:
        yield running


def get(
    lab: Running,
    path: str = "/systeminfo.xml",
    login: tuple[str, str] | None = LOGIN,
    method: str = "GET",
    body: str | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", lab.nvr.image_port, timeout=5)
    every = dict(headers or {})
    if login:
        every["Authorization"] = "Basic " + base64.b64encode(":".join(login).encode()).decode()
    try:
        connection.request(method, path, body, every)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def cameras(content: bytes) -> dict[str, str]:
    root = etree.fromstring(content.removeprefix(b"\xef\xbb\xbf"))
    return {each.get("cameraid", ""): each.findtext("guid") or "" for each in root.iter("camera")}


def soap(lab: Running, operation: str, content: str, login: tuple[str, str] | None = LOGIN) -> Any:
    envelope = (
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
        f'<{operation} xmlns="{NAMESPACE}">{content}</{operation}></soapenv:Body></soapenv:Envelope>'
    )
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{NAMESPACE}/{operation}"'}
    return get(lab, SOAP, login, "POST", envelope, headers)


def local(
    path: str = "/systeminfo.xml", username: str = LOGIN[0], password: str = LOGIN[1]
) -> dict[str, Any]:
    return {
        "verb": "http",
        "port": 80,
        "method": "GET",
        "path": path,
        "headers": {},
        "body": "",
        "username": username,
        "password": password,
        "timeout_seconds": 5,
        "max_bytes": 100_000,
    }


def test_a_basic_user_sees_the_cameras_that_are_on(lab: Running) -> None:
    answer, content = get(lab)
    assert (answer.status, set(cameras(content))) == (200, {"Camera 1", "Camera 2"})
    assert all(uuid.UUID(guid) for guid in cameras(content).values())
    lab.nvr.tamper("camera", "Camera 1", {"enabled": "false"})
    lab.nvr.tamper("camera", "Camera 2", {"name": '11 "Gate" & <yard>'})
    assert set(cameras(get(lab)[1])) == {'11 "Gate" & <yard>'}


@pytest.mark.parametrize("login", [None, ("ivnview", "wrong"), ("nobody", "lab-only"), ("ivnview", "")])
def test_a_wrong_login_is_401(lab: Running, login: tuple[str, str] | None) -> None:
    for path, method in (("/systeminfo.xml", "GET"), (SOAP, "POST")):
        answer, content = get(lab, path, login, method)
        assert (answer.status, content) == (401, b"")
        assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_a_password_that_a_person_changes_counts_from_then_on(lab: Running) -> None:
    lab.nvr.tamper("user", "ivnview", {"password": "Another 1"})
    assert (get(lab)[0].status, get(lab, login=("ivnview", "Another 1"))[0].status) == (401, 200)
    lab.nvr.tamper("user", "second", {"password": "ümlaut:1"})
    assert get(lab, login=("second", "ümlaut:1"))[0].status == 200
    lab.nvr.tamper("user", "second", {"kind": "windows"})
    assert get(lab, login=("second", "ümlaut:1"))[0].status == 401
    lab.nvr.remove("user", "ivnview")
    assert get(lab, login=("ivnview", "Another 1"))[0].status == 401


def test_soap_of_this_product_line(lab: Running) -> None:
    answer, content = soap(lab, "GetVersion", "")
    assert answer.status == 200
    assert lab.nvr.site.version.encode() in content
    answer, content = soap(lab, "Login", f"<instanceId>{uuid.uuid4()}</instanceId><currentToken/>")
    assert (answer.status, b"<Token>BASIC</Token>" in content) == (200, True)
    assert b"<MicroSeconds>240000000</MicroSeconds>" in content
    answer, content = soap(lab, "Login", "<instanceId>me</instanceId>")
    assert (answer.status, b"not a GUID" in content) == (500, True)
    answer, content = soap(lab, "GetConfiguration", "")
    assert (answer.status, b"no operation" in content) == (500, True)


@pytest.mark.parametrize(
    "path", ["/", "/rcserver/systeminfo.xml", "/ServerAPI/ServerCommandService.asmx", "/../etc/passwd"]
)
def test_paths_of_the_other_product_line_are_404(lab: Running, path: str) -> None:
    assert get(lab, path)[0].status == 404


@pytest.mark.parametrize("body", ["", "<a", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "x" * 100_000])
def test_a_body_that_is_no_soap_message(lab: Running, body: str) -> None:
    connection = HTTPConnection("127.0.0.1", lab.nvr.image_port, timeout=5)
    token = base64.b64encode(":".join(LOGIN).encode()).decode()
    try:
        connection.request("POST", SOAP, body, {"Authorization": f"Basic {token}"})
        assert connection.getresponse().status in {413, 500}
    finally:
        connection.close()


def test_it_is_down_while_its_service_is_stopped(lab: Running) -> None:
    stop = {
        "verb": "service_control",
        "action": "stop",
        "names": ["Milestone Image Server"],
        "timeout_seconds": 5,
    }
    running, stopped, gone = ask(lab.protocol(), local(), stop, local())["steps"]
    assert (running["ok"], running["status"], stopped["ok"]) == (True, 200, True)
    assert gone["error"]["code"] == "unreachable"
    with pytest.raises(ConnectionRefusedError):
        get(lab)
    again = ask(lab.protocol(), {**stop, "action": "start"}, local(password="wrong"))["steps"]
    assert (again[0]["ok"], again[1]["status"]) == (True, 401)
    assert "wrong" not in str(again)


def test_the_machine_reaches_it_by_the_port_of_its_configuration(lab: Running) -> None:
    lab.nvr.tamper("server_access", "", {"local_port": "8080"})
    old, new = ask(lab.protocol(), local(), {**local(), "port": 8080})["steps"][:2]
    assert old["error"]["code"] == "unreachable"
    assert new["verb"] == "http"
    assert ask(lab.protocol(), {**local(), "port": 8080})["steps"][0]["status"] == 200


def test_an_open_connection_does_not_keep_the_lab_up(lab: Running) -> None:
    connection = HTTPConnection("127.0.0.1", lab.nvr.image_port, timeout=5)
    connection.connect()
    connection.request("GET", "/nothing")
    assert connection.getresponse().status == 404
    lab.nvr.tamper("services", "", {"log_server_port": "82"})
    connection.close()
