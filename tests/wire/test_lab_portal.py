"""The lab's portal against its own contract, over TLS on loopback."""

from __future__ import annotations

import hashlib
import hmac
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from ivn_provision.cli.lab import command as lab_command
from ivn_provision.errors import LabError
from ivn_provision.lab.lab import Lab
from tests.wire.portal_client import (
    DEVICE,
    HARBOR,
    NVR,
    PIN,
    SITE,
    create_harbor,
    open_window,
    problem,
)

CONTRACT = Path(__file__).resolve().parents[2] / "schemas" / "portal.openapi.yaml"


@pytest.mark.parametrize(
    ("exists", "headers", "status", "kind"),
    [
        (False, {}, 201, ""),
        (False, {"If-None-Match": "*"}, 201, ""),
        (False, {"If-Match": '"stale"'}, 412, "etag-mismatch"),
        (False, {"If-Match": "*"}, 412, "etag-mismatch"),
        (True, {}, 428, "precondition-required"),
        (True, {"If-None-Match": "*"}, 412, "already-exists"),
        (True, {"If-Match": '"stale"'}, 412, "etag-mismatch"),
        (True, {"If-Match": "W/{etag}"}, 412, "etag-mismatch"),
        (True, {"If-Match": "{etag}"}, 200, ""),
        (True, {"If-Match": "*"}, 200, ""),
        (True, {"If-Match": "{etag}", "If-None-Match": '"x"'}, 422, "validation"),
    ],
)
@pytest.mark.parametrize("path", [HARBOR, NVR, NVR + "/alarm-inputs/soft/2"])
def test_put_follows_the_preconditions(
    client: httpx.Client, path: str, exists: bool, headers: dict[str, str], status: int, kind: str
) -> None:
    create_harbor(client)
    if not exists:
        assert client.delete(path, headers={"If-Match": "*"}).status_code == 204
    etag = client.get(path).headers.get("etag", "")
    body = {HARBOR: SITE, NVR: DEVICE}.get(path, PIN)
    answer = client.put(
        path, json=body, headers={name: value.format(etag=etag) for name, value in headers.items()}
    )
    assert answer.status_code == status, answer.text
    if kind:
        problem(answer, status, kind)
    else:
        assert answer.headers["etag"] == answer.json()["etag"] == client.get(path).headers["etag"]


def test_delete_follows_the_preconditions_and_takes_along_what_is_below(client: httpx.Client) -> None:
    create_harbor(client)
    problem(client.delete(HARBOR), 428, "precondition-required")
    problem(client.delete(HARBOR, headers={"If-Match": '"stale"'}), 412, "etag-mismatch")
    pin = NVR + "/alarm-inputs/soft/2"
    assert client.delete(pin, headers={"If-Match": client.get(pin).headers["etag"]}).status_code == 204
    assert client.get(NVR + "/alarm-inputs/hardware/2").status_code == 200
    assert client.delete(HARBOR, headers={"If-Match": client.get(HARBOR).headers["etag"]}).status_code == 204
    for path in (HARBOR, NVR, NVR + "/alarm-inputs/hardware/2"):
        problem(client.get(path), 404, "not-found")
    problem(client.delete(HARBOR, headers={"If-Match": "*"}), 404, "not-found")


def test_a_put_that_changes_nothing_keeps_etag_and_revision(client: httpx.Client, lab: Lab) -> None:
    create_harbor(client)
    before, writes = client.get(NVR).json(), lab.portal.counters.writes
    same = client.put(NVR, json=DEVICE | {"password": "first-password"}, headers={"If-Match": before["etag"]})
    assert same.json() == before
    assert lab.portal.counters.writes == writes
    other = client.put(NVR, json=DEVICE | {"model": "Other"}, headers={"If-Match": before["etag"]}).json()
    assert (other["revision"], other["smtp"]) == (before["revision"] + 1, before["smtp"])
    assert other["etag"] != before["etag"]


def test_a_password_is_written_kept_and_never_shown(client: httpx.Client, lab: Lab) -> None:
    create_harbor(client)
    first = client.get(NVR).json()
    seen = first["password_fingerprint"]
    expected = hmac.new(seen["salt"].encode(), b"first-password", hashlib.sha256).hexdigest()
    assert seen["digest"] == expected
    kept = client.put(NVR, json=DEVICE | {"web_server_port": 8080}, headers={"If-Match": "*"}).json()
    assert kept["password_fingerprint"] == seen
    changed = client.put(NVR, json=DEVICE | {"password": "second-password"}, headers={"If-Match": "*"})
    assert changed.json()["password_fingerprint"] != seen
    refused = client.put(NVR, json=DEVICE | {"password": ["third-password"]}, headers={"If-Match": "*"})
    problem(refused, 422, "validation")
    texts = [first, changed.text, refused.text, client.get("/sites?include=devices").text]
    assert not any(
        word in str(text)
        for text in texts
        for word in ("first-password", "second-password", "third-password")
    )
    assert b"second-password" not in (lab.directory / "portal.sqlite3").read_bytes()


def test_nested_objects_carry_the_etags_of_their_own_reads(client: httpx.Client) -> None:
    create_harbor(client)
    page = client.get("/sites?include=devices,alarm_inputs").json()["results"]
    assert page[0] == client.get(HARBOR + "?include=devices,alarm_inputs").json()
    device = page[0]["devices"][0]
    assert page[0]["etag"] == client.get(HARBOR).headers["etag"]
    assert device["etag"] == client.get(NVR).headers["etag"]
    for each in device["alarm_inputs"]:
        found = client.get(f"{NVR}/alarm-inputs/{each['source']}/{each['pin']}")
        assert (found.headers["etag"], found.json()) == (each["etag"], each)
    assert [each.get("payload") for each in device["alarm_inputs"]] == [None, "2 S"]
    assert "alarm_inputs" not in client.get(HARBOR + "?include=devices").json()["devices"][0]
    assert "devices" not in client.get(HARBOR).json()


def test_pages_hold_every_site_once(client: httpx.Client) -> None:
    for number in range(25):
        body = SITE | {"labels": {"parity": "even" if number % 2 == 0 else "odd"}, "name": f"Site {number}"}
        assert client.put(f"/sites/s-{number:02d}", json=body).status_code == 201
    keys, mark = [], ""
    while True:
        page = client.get("/sites", params={"page_size": 10} | ({"page_token": mark} if mark else {})).json()
        assert page["total_size"] == 25
        keys += [each["key"] for each in page["results"]]
        mark = page["next_page_token"]
        if mark is None:
            break
    assert keys == [f"s-{number:02d}" for number in range(25)]
    assert client.get("/sites?label=parity=odd&page_size=1").json()["total_size"] == 12
    assert client.get("/sites?status=inactive").json()["total_size"] == 0
    late = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert client.get("/sites", params={"updated_since": late}).json()["total_size"] == 0
    problem(client.get("/sites?page_token=abc"), 400, "malformed")
    for query in (
        "page_size=0",
        "page_size=201",
        "page_size=x",
        "include=all",
        "status=on",
        "label=x",
        "updated_since=now",
    ):
        problem(client.get(f"/sites?{query}"), 422, "validation")


def test_every_error_is_a_problem(client: httpx.Client) -> None:
    problem(client.get("/nothing"), 404, "not-found")
    answer = client.patch(HARBOR)
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "DELETE, GET, PUT"
    json_type = {"Content-Type": "application/json"}
    hostile = (b"{", b'{"name": NaN}', b'{"a":1,"a":2}', b'{"name":"\\ud800"}', b"\xff", b"[" * 100_000)
    for body in hostile:
        problem(client.put(HARBOR, content=body, headers=json_type), 400, "malformed")
    problem(client.put(HARBOR, content=b"x" * (1024 * 1024 + 1), headers=json_type), 413, "too-large")
    problem(client.put(HARBOR, content=b"{}"), 415, "unsupported-media-type")
    problem(client.put("/sites/No%20Slug", json=SITE), 422, "validation")
    problem(client.put(NVR, json=DEVICE), 404, "not-found")
    wrong = SITE | {
        "clip": {"pre_seconds": 2, "post_seconds": 61},
        "entry_delay_seconds": 241,
        "colour": "red",
    }
    errors = problem(client.put(HARBOR, json=wrong), 422, "validation")["errors"]
    assert isinstance(errors, list)
    assert {each["pointer"] for each in errors} == {
        "",
        "/clip/pre_seconds",
        "/clip/post_seconds",
        "/entry_delay_seconds",
    }


def test_an_account_number_belongs_to_one_site_of_a_station(client: httpx.Client) -> None:
    body = SITE | {"monitoring": {"station": "north", "account_number": "1234"}}
    assert client.put("/sites/one", json=body).status_code == 201
    problem(client.put("/sites/two", json=body), 409, "account-number-in-use")
    other = SITE | {"monitoring": {"station": "south", "account_number": "1234"}}
    assert client.put("/sites/two", json=other).status_code == 201


def test_fire_needs_a_key_and_says_why_a_recorder_is_not_reached(client: httpx.Client) -> None:
    create_harbor(client, event_port=9)
    path = NVR + "/alarm-inputs/soft/2:fire"
    problem(client.post(path), 400, "idempotency-key-required")
    refused = client.post(path, headers={"Idempotency-Key": "k1"})
    assert "test session" in str(problem(refused, 409, "site-not-in-test-mode")["detail"])
    assert open_window(client).status_code == 201
    answer = client.post(path, headers={"Idempotency-Key": "k1"})
    assert "127.0.0.1:9" in str(problem(answer, 409, "device-unreachable")["detail"])
    client.put(HARBOR, json=SITE | {"location_address": "203.0.113.10"}, headers={"If-Match": "*"})
    answer = client.post(path, headers={"Idempotency-Key": "k2"})
    assert "loopback" in str(problem(answer, 409, "device-unreachable")["detail"])
    assert "loopback" in client.get(NVR + "/alarm-inputs/soft/2").json()["last_result"]


def test_event_types_are_those_of_the_manual(client: httpx.Client) -> None:
    found = client.get("/event-types").json()["results"]
    assert [(each["key"], each["evidence"]) for each in found] == [
        ("entry_delay", "manual"),
        ("perimeter", "manual"),
    ]


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("http_429", 429, "rate-limited"),
        ("http_503", 503, "unavailable"),
        ("http_500", 500, ""),
        ("html", 200, ""),
    ],
)
def test_faults_that_answer(client: httpx.Client, lab: Lab, name: str, status: int, kind: str) -> None:
    lab.fault("portal", name)
    answer = client.get("/sites")
    assert answer.status_code == status
    if kind:
        assert problem(answer, status, kind)["retryable"] is True
        assert answer.headers["retry-after"] == "1"
    else:
        assert answer.text.startswith("<!DOCTYPE html>")
    lab.fault("portal", name, on=False)
    assert client.get("/sites").status_code == 200


def test_faults_that_break_the_connection(client: httpx.Client, lab: Lab) -> None:
    for name, error in (("reset", httpx.RemoteProtocolError), ("truncate", httpx.RemoteProtocolError)):
        lab.fault("portal", name)
        with pytest.raises(error):
            client.get("/sites")
        lab.fault("portal", name, on=False)
    lab.fault("portal", "hang")
    with pytest.raises(httpx.ReadTimeout):
        client.get("/sites", timeout=0.3)
    with pytest.raises(LabError, match="no fault 'flood'"):
        lab.fault("portal", "flood")


def test_requests_are_counted_by_route(client: httpx.Client, lab: Lab) -> None:
    create_harbor(client)
    before = lab.portal.counters.requests
    client.get("/sites?include=devices")
    assert lab.portal.counters.requests == before + 1
    assert lab.portal.counters.requests_by_route["GET /sites"] == 1
    assert (lab.portal.counters.writes, lab.portal.counters.auth) == (4, 1)
    assert lab.portal.requests[-1].path == "/api/v1/sites?include=devices"


def test_people_change_the_portal_too(client: httpx.Client, lab: Lab) -> None:
    create_harbor(client)
    lab.tamper("harbor-marina", "site", fields={"clip.pre_seconds": "5", "name": "Renamed"})
    lab.tamper("harbor-marina", "pin", "2H", {"camera": "11"})
    site = client.get(HARBOR).json()
    assert (site["clip"]["pre_seconds"], site["name"], site["revision"]) == (5, "Renamed", 2)
    assert client.get(NVR + "/alarm-inputs/hardware/2").json()["camera"] == 11
    lab.remove("harbor-marina", "pin", "2S")
    problem(client.get(NVR + "/alarm-inputs/soft/2"), 404, "not-found")
    with pytest.raises(LabError, match="no pin '9H'"):
        lab.tamper("harbor-marina", "pin", "9H", {"camera": "1"})
    with pytest.raises(LabError, match="camera"):
        lab.tamper("harbor-marina", "pin", "2H", {"camera": "0"})


def test_what_happens_on_a_site_is_shown(client: httpx.Client, lab: Lab) -> None:
    create_harbor(client)
    etag = client.get(HARBOR).headers["etag"]
    assert client.get(HARBOR).json()["alarm_state"] == {"armed": False, "open_incident": None}
    with lab.control(lambda: None):
        command = ["portal-state", "harbor-marina", "--dir", str(lab.directory)]
        done = CliRunner().invoke(lab_command, [*command, "--armed", "--incident", "Door 3 forced"])
        assert done.output == "harbor-marina is armed, with an open incident: Door 3 forced.\n"
        shown = client.get(HARBOR)
        assert shown.json()["alarm_state"] == {"armed": True, "open_incident": "Door 3 forced"}
        assert shown.headers["etag"] == etag
        done = CliRunner().invoke(lab_command, [*command, "--incident", ""])
        assert done.output == "harbor-marina is armed, with no incident.\n"
        done = CliRunner().invoke(lab_command, [*command, "--disarmed"])
        assert done.output == "harbor-marina is disarmed, with no incident.\n"
        done = CliRunner().invoke(lab_command, ["portal-state", "nowhere", "--dir", str(lab.directory)])
        assert isinstance(done.exception, LabError)
        assert "no site 'nowhere'" in str(done.exception)
    with pytest.raises(LabError, match="one line"):
        lab.portal_state("harbor-marina", incident="two\nlines")


# the end of a test session has to be near, and an Idempotency-Key is for one request: no schema can say so
_MAY_REFUSE = (
    '[[operations]]\ninclude-operation-id = "%s"\n'
    '[operations.checks.positive_data_acceptance]\nexpected-statuses = ["2xx", "400", "404", "409", "422"]\n'
)


def test_schemathesis_finds_nothing(client: httpx.Client, lab: Lab, tmp_path: Path) -> None:
    """The published contract against the running portal: boundaries, fuzzing, stateful."""
    create_harbor(client)
    config = tmp_path / "schemathesis.toml"
    config.write_text(
        # client secrets, preconditions, page tokens and unique account numbers refuse what the schema alone allows
        '[checks.positive_data_acceptance]\nexpected-statuses = ["2xx", "400", "401", "404", "409", "412", "423", "428"]\n'
        "[checks.negative_data_rejection]\n"
        'expected-statuses = ["400", "401", "403", "404", "405", "409", "412", "415", "422", "423", "428"]\n'
        + "".join(_MAY_REFUSE % name for name in ("openTestSession", "fireSoftTrigger", "checkConnectivity"))
    )
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", str(CONTRACT)]
    command += [
        "--url",
        lab.portal_url,
        "--tls-verify",
        str(lab.ca_file),
        "--seed",
        "7",
        "--max-examples",
        "3",
    ]
    command += ["-H", f"Authorization: {client.headers['authorization']}", "--no-color"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert lab.portal.counters.requests > 200
