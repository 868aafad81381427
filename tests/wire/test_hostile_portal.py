"""A portal that answers nonsense, or lies: its answer is understood in full or refused as a whole."""

from __future__ import annotations

import copy
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivn_provision.errors import IvnError, ProtocolFault
from ivn_provision.model.live import Live
from ivn_provision.model.resource import Unset
from ivn_provision.plan.plan_json import to_json
from ivn_provision.report.errors_text import render_error
from ivn_provision.report.paint import Paint
from ivn_provision.report.plan_text import render
from ivn_provision.run.planning import plan_site
from ivn_provision.run.targets import Opener
from ivn_provision.secret import Fingerprint
from ivn_provision.spec.site import Site
from tests.support.world import Events, World, started
from tests.wire.portal_client import authorised

SITE = "lab-0001"
PLAIN = Paint(on=False)
Body = dict[str, Any]


@dataclass
class Impostor:
    """An HTTP server on loopback that hands out tokens, and `answer` for everything else."""

    site: Site
    opener: Opener
    real: Body
    answer: tuple[int, bytes] = (200, b"")
    server: ThreadingHTTPServer = field(init=False)

    def says(self, body: object, status: int = 200) -> Impostor:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answer = (status, raw)
        return self

    def read(self) -> Live:
        reader = self.opener.readers(self.site)["portal"]
        try:
            return reader.read()
        finally:
            reader.close()

    def changed(self, change: Callable[[Body], object]) -> Impostor:
        body = copy.deepcopy(self.real)
        change(body)
        return self.says(body)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    impostor: Impostor

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        token = {
            "access_token": "a-token-that-stands-in-no-answer",
            "token_type": "bearer",
            "expires_in": 900,
        }
        self._send(200, json.dumps(token).encode())

    def do_GET(self) -> None:
        self._send(*self.impostor.answer)

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture(scope="module")
def impostor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Impostor]:
    """In place of the lab's portal, with the answer that the lab's gave for a site that was applied."""
    with started(tmp_path_factory.mktemp("hostile")) as world:
        (outcome,) = world.apply(SITE)
        assert outcome.error is None, outcome.error
        with authorised(world.lab) as client:
            real = client.get(f"/sites/{SITE}", params={"include": "devices,alarm_inputs,newest_mail"}).json()
        with _listening() as server:
            found = Impostor(_moved(world, server.server_address[1]), world.opener(), real)
            server.RequestHandlerClass = type("_Bound", (_Handler,), {"impostor": found})
            yield found


class _listening:  # noqa: N801 - used as a function
    """A server that runs in the block."""

    def __enter__(self) -> ThreadingHTTPServer:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()
        return self.server

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def _moved(world: World, port: int) -> Site:
    fleet = world.folder / "fleet.yml"
    text = re.sub(r"  url: .*", f"  url: http://127.0.0.1:{port}", fleet.read_text(encoding="utf-8"))
    fleet.write_text(text, encoding="utf-8")
    return replace(world.site(SITE), nvr=None)


def refused(impostor: Impostor) -> str:
    """What is said of the answer. It names no defect, a next step, and nothing that a terminal obeys."""
    with pytest.raises(ProtocolFault) as caught:
        impostor.read()
    return said(caught.value)


def said(error: IvnError) -> str:
    text = render_error(error, PLAIN)
    assert "defect" not in text
    assert error.next_step
    assert all(line.isprintable() for line in text.splitlines())
    assert len(text) < 1000
    return text


def device(body: Body) -> Body:
    found: Body = next(each for each in body["devices"] if each["key"] == "recorder")
    return found


def pin(body: Body) -> Body:
    found: Body = device(body)["alarm_inputs"][0]
    return found


def test_the_real_answer_is_understood(impostor: Impostor) -> None:
    live = impostor.says(impostor.real).read()
    assert {each.kind for each in live.resources} == {"site", "device", "pin"}
    assert live.computed["portal.smtp_account_id"] == device(impostor.real)["smtp"]["account_id"]


ACCOUNT = "/devices/0/smtp/account_id is not one plain e-mail address"


@pytest.mark.parametrize(
    "account",
    [
        "abc@ivnview.example;thief@evil.example",
        "abc@ivnview.example,thief@evil.example",
        "abc@ivnview.example thief@evil.example",
        "abc@ivnview.example\r\nBcc: thief@evil.example",
        "abc@ivnview.example\n",
        "a@b@c.example",
        "<abc@ivnview.example>",
        "abc@ivnview..example",
        ".abc@ivnview.example",
        "abc@",
        "None",
        "",
        "a" * 300 + "@ivnview.example",
    ],
)
def test_an_account_id_is_one_plain_address(impostor: Impostor, account: str) -> None:
    impostor.changed(lambda body: device(body)["smtp"].update(account_id=account))
    assert ACCOUNT in refused(impostor)


CHANGES: dict[str, tuple[Callable[[Body], object], str]] = {
    "account null": (
        lambda body: device(body)["smtp"].update(account_id=None),
        "/devices/0/smtp/account_id is not text",
    ),
    "no smtp": (lambda body: device(body).pop("smtp"), "/devices/0/smtp is missing"),
    "another site": (
        lambda body: body.update(key="another-site"),
        "/key is not the site that was asked for",
    ),
    "devices is an object": (lambda body: body.update(devices={}), "/devices is not a list"),
    "devices is text": (lambda body: body.update(devices="recorder"), "/devices is not a list"),
    "no devices": (lambda body: body.pop("devices"), "/devices is missing"),
    "device null": (lambda body: body.update(devices=[None]), "/devices/0 is not an object"),
    "device twice": (
        lambda body: body["devices"].append(device(body)),
        "/devices/1 has the key of another one",
    ),
    "no pins": (lambda body: device(body).pop("alarm_inputs"), "/devices/0/alarm_inputs is missing"),
    "clip is text": (lambda body: body.update(clip="x"), "/clip is not an object"),
    "clip is a list": (lambda body: body.update(clip=[]), "/clip is not an object"),
    "labels lost": (lambda body: body.pop("labels"), "/labels is missing"),
    "name is a number": (lambda body: body.update(name=7), "/name is not text"),
    "lone surrogate": (
        lambda body: body.update(name="\ud800x"),
        "/name holds half of a surrogate pair",
    ),
    "lone surrogate in a name": (
        lambda body: body["labels"].update({"\udfff": "x"}),
        "whose name holds half",
    ),
    "surrogate in the salt": (
        lambda body: device(body)["password_fingerprint"].update(salt="\ud800"),
        "/devices/0/password_fingerprint/salt holds half",
    ),
    "digest is not hexadecimal": (
        lambda body: device(body)["password_fingerprint"].update(digest="\u00e9" * 64),
        "/devices/0/password_fingerprint/digest is not 64 hexadecimal digits",
    ),
    "delay is a float": (
        lambda body: body.update(entry_delay_seconds=45.0),
        "/entry_delay_seconds is not a whole number",
    ),
    "delay is true": (
        lambda body: body.update(entry_delay_seconds=True),
        "/entry_delay_seconds is not a whole number",
    ),
    "enabled is text": (
        lambda body: pin(body).update(enabled="false"),
        "/devices/0/alarm_inputs/0/enabled is not true or false",
    ),
    "pin is text": (
        lambda body: pin(body).update(pin="3"),
        "/devices/0/alarm_inputs/0/pin is not a whole number",
    ),
    "pin is 0": (
        lambda body: pin(body).update(pin=0),
        "/devices/0/alarm_inputs/0/pin is not from 1 to 999",
    ),
    "pin is 1000": (
        lambda body: pin(body).update(pin=1000),
        "/devices/0/alarm_inputs/0/pin is not from 1 to 999",
    ),
    "pin is true": (
        lambda body: pin(body).update(pin=True),
        "/devices/0/alarm_inputs/0/pin is not a whole number",
    ),
    "source is unknown": (
        lambda body: pin(body).update(source="magic"),
        "/devices/0/alarm_inputs/0/source is not hardware or soft",
    ),
    "port is too high": (
        lambda body: device(body).update(web_server_port=65536),
        "/devices/0/web_server_port is not from 1 to 65535",
    ),
    "etag with a line end": (
        lambda body: body.update(etag='"1"\r\nX: y'),
        "/etag is not a strong entity tag",
    ),
    "etag is weak": (lambda body: body.update(etag='W/"1"'), "/etag is not a strong entity tag"),
    "etag is a number": (lambda body: body.update(etag=1), "/etag is not text"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_wrong_value_is_refused_at_its_place(impostor: Impostor, name: str) -> None:
    change, words = CHANGES[name]
    assert words in refused(impostor.changed(change))


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000], ids=lambda text: text[:9]
)
def test_a_number_that_json_does_not_have(impostor: Impostor, number: str) -> None:
    body = json.dumps({**impostor.real, "entry_delay_seconds": 12345})
    impostor.says(body.replace("12345", number).encode())
    refused(impostor)


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000, b'{"a":' * 900 + b"1" + b"}" * 900]
)
def test_what_is_no_site_at_all(impostor: Impostor, raw: bytes) -> None:
    refused(impostor.says(raw))


def test_deep_nesting_in_what_is_not_read(impostor: Impostor) -> None:
    deep: object = 1
    for _ in range(300):
        deep = [deep]
    assert "is nested too deeply" in refused(impostor.changed(lambda body: body.update(extra=deep)))


def test_additions_of_a_later_version_are_passed_over(impostor: Impostor) -> None:
    live = impostor.changed(lambda body: body.update(extra={"new": [1.5]})).read()
    assert live == impostor.says(impostor.real).read()


@pytest.mark.parametrize(
    "problem",
    [
        {"message": "no Route matched with those values"},
        {"type": "about:blank", "title": "Not Found", "status": 404},
        {"type": "urn:ivn-provision:problem:unavailable"},
        {"type": ["urn:ivn-provision:problem:not-found"]},
        {},
    ],
    ids=lambda problem: str(problem)[:30],
)
def test_a_404_of_a_gateway_is_not_a_missing_site(impostor: Impostor, problem: Body) -> None:
    assert "HTTP 404" in refused(impostor.says(problem, status=404))


def test_a_404_of_the_api_is_a_missing_site(impostor: Impostor) -> None:
    live = impostor.says({"type": "urn:ivn-provision:problem:not-found"}, status=404).read()
    assert live == Live((), {})


def test_marks_that_deceive_reach_no_terminal(impostor: Impostor) -> None:
    impostor.changed(lambda body: body.update(name="\x9d0;title\x9c \u202egpj.exe\u200b\u2028"))
    shown = planned(impostor)
    assert r'"\u009d0;title\u009c \u202egpj.exe\u200b\u2028" -> ' in shown


def planned(impostor: Impostor) -> str:
    """The plan against the answer, as text that any UTF-8 terminal can show."""
    reader = impostor.opener.readers(impostor.site)["portal"]
    try:
        plan = plan_site(impostor.site, {"portal": reader}, impostor.opener.secret, Events())
    finally:
        reader.close()
    json.dumps(to_json((plan,), timestamp="2026-11-23T18:00:00Z"), allow_nan=False).encode()
    text = render((plan,), PLAIN)
    text.encode()
    assert all(line.isprintable() for line in text.split("\n"))
    return text


TEXTS = st.text(max_size=8) | st.sampled_from(
    [
        "\ud800",
        "\udc80x",
        "\x00",
        "\x9b2J",
        "\u202e",
        "a@b.example;c@d.example",
        "false",
        "1",
        "recorder",
        "soft",
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 1001)
    | st.integers()
    | st.floats()
    | st.sampled_from([float("nan"), float("inf"), 10**400, 1.0])
    | TEXTS
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def mutate(node: Any, data: st.DataObject) -> None:
    """Change, remove, double or add one member or item somewhere below."""
    places = sorted(node) if isinstance(node, dict) else list(range(len(node)))
    if not places:
        return
    at = data.draw(st.sampled_from(places))
    if isinstance(node[at], (dict, list)) and node[at] and data.draw(st.integers(0, 4)):
        mutate(node[at], data)
        return
    what = data.draw(st.sampled_from(["change", "remove", "double", "add", "swap"]))
    if what == "remove":
        del node[at]
    elif what == "double" and isinstance(node, list):
        node.append(copy.deepcopy(node[at]))
    elif what == "add" and isinstance(node, dict):
        node[data.draw(TEXTS)] = data.draw(JSON)
    elif what == "swap":
        other = data.draw(st.sampled_from(places))
        node[at], node[other] = node[other], node[at]
    else:
        node[at] = data.draw(JSON)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_any_change_of_an_answer_is_understood_or_refused(impostor: Impostor, data: st.DataObject) -> None:
    body = copy.deepcopy(impostor.real)
    for _ in range(data.draw(st.integers(1, 3))):
        mutate(body, data)
    impostor.says(body)
    try:
        live = impostor.read()
    except ProtocolFault as error:
        said(error)
        return
    assert_sound(live)
    planned(impostor)


def assert_sound(live: Live) -> None:
    assert len({each.address for each in live.resources}) == len(live.resources)
    for each in live.resources:
        each.title.encode()
        for value in each.fields.values():
            assert isinstance(value, (bool, int, str, Fingerprint, Unset))
    for account in live.computed.values():
        assert re.fullmatch(r"[\w.+=-]+@[A-Za-z0-9.-]+", account, re.ASCII)


def test_one_lying_portal_costs_one_site(tmp_path: Path, impostor: Impostor) -> None:
    """The other site of the run is planned, and the output of both can be printed."""
    from ivn_provision.run.engine import plan_sites

    impostor.changed(lambda body: body.update(name="\ud800"))
    with started(tmp_path) as world:
        well = replace(world.site(SITE), name="well")
        sick, fine = plan_sites([impostor.site, well], world.opener(), Events())
    assert isinstance(sick.error, ProtocolFault)
    assert fine.plan is not None
    assert (render_error(sick.error, PLAIN) + render((fine.plan,), PLAIN)).encode()
