"""Logins of the lab's cameras: scheme by policy, a real digest, nonces that end (facts/axis.md, 2 and 13.2)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ivn_provision.lab.lab import Lab
from tests.support.axis_camera import SITE, axis_lab, camera_of, password, vapix

LIST = "/axis-cgi/param.cgi?action=list&group=Brand.Brand"
SCHEMES = {
    "5.50": ("Digest", "Digest"),
    "10.12": ("Digest", "Digest"),
    "11.11": ("Basic", "Basic"),
    "12.9": ("Digest", "Basic"),
}


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Lab]:
    with axis_lab(tmp_path, "5.50") as lab:
        yield lab


@pytest.mark.parametrize("profile", SCHEMES)
def test_each_profile_asks_for_its_scheme(profile: str, tmp_path: Path) -> None:
    with axis_lab(tmp_path, profile) as lab:
        for tls, scheme in zip((False, True), SCHEMES[profile], strict=True):
            with vapix(lab, tls=tls, login=False) as client:
                reply = client.raw_soap("<x/>")
                assert reply.status_code == 401
                assert b"Envelope" not in reply.content, "a 401 has no SOAP body"
                (challenge,) = reply.headers.get_list("www-authenticate")
                assert challenge.startswith(f'{scheme} realm="AXIS_00408C123456"')
                assert "qop" not in challenge
            with vapix(lab, tls=tls) as client:
                assert client.params("Brand.Brand") == "Brand.Brand=AXIS\n"
            other = httpx.BasicAuth if scheme == "Digest" else httpx.DigestAuth
            with vapix(lab, tls=tls, auth=other("root", password(lab))) as client:
                assert client.http.get(LIST).status_code == 401
            with vapix(
                lab, tls=tls, auth=(httpx.DigestAuth if scheme == "Digest" else httpx.BasicAuth)("root", "x")
            ) as client:
                assert client.http.get(LIST).status_code == 401


def test_a_nonce_ends_and_a_new_challenge_says_so(old: Lab) -> None:
    with vapix(old) as client:
        assert client.http.get(LIST).status_code == 200
        requests = camera_of(old).counters.requests
        assert client.http.get(LIST).status_code == 200
        assert camera_of(old).counters.requests == requests + 1, "the nonce is used again"
        camera_of(old).expire_nonces()
        given = client.http.get(LIST).request.headers["authorization"]
        assert camera_of(old).counters.requests == requests + 3
        camera_of(old).expire_nonces()
    with vapix(old, login=False) as client:
        stale = client.http.get(LIST, headers={"Authorization": given})
    assert stale.status_code == 401
    assert "stale=true" in stale.headers["www-authenticate"]


def test_the_digest_is_for_one_target_and_method(old: Lab) -> None:
    with vapix(old) as client:
        client.http.get(LIST)
        given = client.http.get(LIST).request.headers["authorization"]
    with vapix(old, login=False) as client:
        headers = {"Authorization": given}
        assert client.http.get(LIST, headers=headers).status_code == 200
        assert client.http.get(LIST + "%2A", headers=headers).status_code == 401
        assert client.http.post(LIST, headers=headers).status_code == 401
        for bad in (
            "Digest",
            "Digest x",
            'Digest a="',
            "Basic",
            "Basic %%%",
            "Bearer x",
            "Digest username=root, uri",
        ):
            assert client.http.get(LIST, headers={"Authorization": bad}).status_code == 401


def test_special_characters_are_signed_as_they_are_sent(old: Lab) -> None:
    with vapix(old) as client:
        reply = client.http.get(r"/axis-cgi/io/virtualinput.cgi?action=1%3A%5C")
        assert (reply.status_code, reply.text) == (200, "OK\r\n")


def test_with_qop_the_longer_digest_is_asked_for(old: Lab) -> None:
    with vapix(old) as client:
        assert client.update(**{"root.Network.HTTP.AuthenticationWithQop": "yes"}) == "OK"
    with vapix(old) as client:
        assert client.params("Brand.Brand") == "Brand.Brand=AXIS\n"
    with vapix(old, login=False) as client:
        challenge = client.http.get(LIST).headers["www-authenticate"]
        assert 'qop="auth"' in challenge
        found = re.search(r'nonce="(\w+)"', challenge)
        assert found is not None
        secret = _md5(f"root:AXIS_00408C123456:{password(old)}")
        response = _md5(f"{secret}:{found[1]}:{_md5(f'GET:{LIST}')}")
        bare = f'Digest username="root", realm="AXIS_00408C123456", nonce="{found[1]}", uri="{LIST}", response="{response}"'
        assert client.http.get(LIST, headers={"Authorization": bare}).status_code == 401


def test_a_policy_that_is_changed_counts_at_once(old: Lab) -> None:
    with vapix(old) as client:
        assert client.update(**{"root.Network.HTTP.AuthenticationPolicy": "basic"}) == "OK"
        assert client.http.get(LIST).status_code == 401
    with vapix(old, auth=httpx.BasicAuth("root", password(old))) as client:
        assert client.http.get(LIST).status_code == 200


def test_accounts(old: Lab) -> None:
    def ask(action: str, **fields: str) -> str:
        reply = client.http.post("/axis-cgi/pwdgrp.cgi", data={"action": action, **fields})
        assert reply.status_code == 200
        found = re.search(r"bgcolor=#ffffff>(.*)\n</body>", reply.text)
        return found[1] if found else reply.text

    with vapix(old) as client:
        new = {"user": "guard1", "pwd": "pass word", "grp": "users", "sgrp": "operator:viewer:ptz"}
        assert ask("add", **new) == "Created account guard1."
        assert ask("add", **new) == "Error: this user name already exists, consult the system log file."
        assert ask("add", user="g-1", pwd="x", sgrp="viewer") == "Error: account user name."
        assert ask("add", user="g2", pwd="", sgrp="viewer") == "Error: invalid password."
        assert ask("update", user="guard1", pwd="other") == "Modified account guard1."
        assert ask("remove", user="nobody") == "Error: account user name."
        assert ask("get") == (
            'admin="root"\r\noperator="root,guard1"\r\nviewer="root,guard1"\r\nptz="root,guard1"\r\n'
            'digusers="root,guard1"\r\n'
        )
        assert camera_of(old).counters.writes_by_operation == {"pwdgrp.add": 1, "pwdgrp.update": 1}
    with vapix(old, auth=httpx.DigestAuth("guard1", "other")) as guard:
        assert guard.http.get(LIST).status_code == 200
    with vapix(old) as client:
        assert ask("remove", user="guard1") == "Removed account guard1."
    assert [each.user for each in camera_of(old).requests][-1] == "root"
    text = repr(list(camera_of(old).requests))
    assert "pass word" not in text
    assert "other" not in text


def test_system_ready_needs_no_login(tmp_path: Path) -> None:
    with axis_lab(tmp_path, "12.9") as lab, vapix(lab, login=False) as client:
        ready = client.json("systemready.cgi", "systemready")["data"]
        assert {**ready, "uptime": "0", "bootid": ""} == {
            "systemready": "yes",
            "needsetup": "no",
            "uptime": "0",
            "bootid": "",
            "passphrasepolicy": "none",
        }
        assert "propertyList" in client.json("basicdeviceinfo.cgi", "getAllUnrestrictedProperties")["data"]
        asked = {"apiVersion": "1.0", "method": "getAllProperties"}
        assert client.http.post("/axis-cgi/basicdeviceinfo.cgi", json=asked).status_code == 401


def test_the_password_is_a_secret_file_of_the_lab(old: Lab) -> None:
    file = old.secret_file(f"{SITE}-camera-10")
    assert file.stat().st_mode & 0o777 == 0o600
    assert password(old) not in repr(old.status())


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
