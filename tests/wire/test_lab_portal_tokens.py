"""Who may do what at the lab's portal: clients, tokens, their scopes and their end."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from ivn_provision.lab.lab import Lab
from tests.support.world import Hands
from tests.wire.portal_client import (
    DEVICE,
    HARBOR,
    NVR,
    SITE,
    anonymous,
    authorised,
    problem,
)


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("GET", HARBOR, "sites:read"),
        ("PUT", HARBOR, "sites:write"),
        ("DELETE", HARBOR, "sites:write"),
        ("GET", HARBOR + "/events", "events:read"),
        ("POST", NVR + "/alarm-inputs/soft/2:fire", "tests:run"),
        ("POST", HARBOR + "/test-sessions", "tests:run"),
        ("GET", HARBOR + "/test-sessions/ts-1", "tests:run"),
        ("POST", HARBOR + "/test-sessions/ts-1:close", "tests:run"),
        ("POST", HARBOR + "/connectivity-checks", "tests:run"),
        ("GET", HARBOR + "/events/1/mail", "tests:run"),
    ],
)
def test_each_operation_needs_its_scope(lab: Lab, method: str, path: str, needed: str) -> None:
    others = {"sites:read", "sites:write", "secrets:write", "tests:run", "events:read"} - {needed}
    with authorised(lab, " ".join(sorted(others))) as client:
        problem(client.request(method, path), 403, "forbidden-scope")


def test_a_password_needs_a_scope_of_its_own(lab: Lab) -> None:
    with authorised(lab, "sites:read sites:write") as client:
        assert client.put(HARBOR, json=SITE).status_code == 201
        assert client.put(NVR, json=DEVICE).status_code == 201
        answer = client.put(NVR, json=DEVICE | {"password": "x"}, headers={"If-Match": "*"})
        assert "secrets:write" in str(problem(answer, 403, "forbidden-scope")["detail"])


def test_tokens_expire(tmp_path: Path) -> None:
    clock = Hands()
    with Lab(tmp_path, free_ports=True, recorders=False, clock=clock) as lab, authorised(lab) as client:
        clock.now += timedelta(seconds=1799)
        assert client.get("/sites").status_code == 200
        clock.now += timedelta(seconds=2)
        answer = client.get("/sites")
        assert "expired" in str(problem(answer, 401, "unauthorized")["detail"])
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_wrong_clients_are_refused(lab: Lab) -> None:
    with anonymous(lab) as client:
        wrong = {"grant_type": "client_credentials", "client_id": "northside", "client_secret": "wrong"}
        answer = client.post("/oauth/token", data=wrong)
        assert problem(answer, 401, "invalid-client")["error"] == "invalid_client"
        problem(client.post("/oauth/token", data=wrong | {"grant_type": "password"}), 400, "malformed")
        problem(client.post("/oauth/token", json={}), 415, "unsupported-media-type")
        answer = client.get("/sites")
        problem(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        secret = lab.secret_file("portal-client").read_text().strip()
        basic = client.post(
            "/oauth/token", data={"grant_type": "client_credentials"}, auth=("northside", secret)
        )
        assert basic.status_code == 200
