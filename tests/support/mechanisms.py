"""CredSSP and Kerberos for the lab's listeners, accepted by pyspnego: not our code, so a check of it.

A KDC of one realm on loopback, with files of its own; nothing of the machine's Kerberos is touched.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import spnego
from spnego.exceptions import SpnegoError

from ivn_provision.lab.nvr import Nvr
from ivn_provision.lab.nvr.gate import Acceptor
from ivn_provision.lab.nvr.ntlm import Refused
from ivn_provision.lab.nvr.ntlm_seal import BadSeal
from tests.support.ways import PASSWORD, USERNAME

REALM = "IVN-LAB.EXAMPLE"


class _Accepting:
    """One connection's context of pyspnego."""

    def __init__(self, context: Any) -> None:
        self._context = context

    @property
    def complete(self) -> bool:
        return bool(self._context.complete)

    def step(self, token: bytes) -> bytes:
        try:
            return self._context.step(token) or b""
        except (SpnegoError, OSError, ValueError) as error:
            raise Refused(str(error)) from error


class CredsspAcceptor(_Accepting):
    """Logs on the accounts of NTLM_USER_FILE."""

    def __init__(self) -> None:
        options = spnego.NegotiateOptions.use_negotiate
        super().__init__(spnego.server(protocol="credssp", options=options))

    def seal(self, plain: bytes) -> tuple[bytes, bytes]:
        return b"", self._context.wrap(plain).data

    def unseal(self, signature: bytes, sealed: bytes) -> bytes:
        try:
            return bytes(self._context.unwrap(signature + sealed).data)
        except (SpnegoError, OSError) as error:
            raise BadSeal(str(error)) from error


class KerberosAcceptor(_Accepting):
    """Takes tickets for HTTP/localhost, with the key table of KRB5_KTNAME."""

    def __init__(self) -> None:
        options = spnego.NegotiateOptions.use_gssapi
        super().__init__(
            spnego.server(hostname="localhost", service="HTTP", protocol="kerberos", options=options)
        )

    def seal(self, plain: bytes) -> tuple[bytes, bytes]:
        sealed = self._context.wrap_winrm(plain)
        return sealed.header, sealed.data

    def unseal(self, signature: bytes, sealed: bytes) -> bytes:
        try:
            return bytes(self._context.unwrap_winrm(signature, sealed))
        except SpnegoError as error:
            raise BadSeal(str(error)) from error


@contextlib.contextmanager
def accepting(nvr: Nvr, name: str, acceptor: Callable[[], Acceptor]) -> Iterator[None]:
    """The recorder's listeners take this mechanism too."""
    before = [each._rules for each in nvr._listeners]
    for each in nvr._listeners:
        each._rules = replace(each._rules, others={**each._rules.others, name: acceptor})
    try:
        yield
    finally:
        for each, rules in zip(nvr._listeners, before, strict=True):
            each._rules = rules


@contextlib.contextmanager
def credssp(nvr: Nvr, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The recorder takes CredSSP. Skips where its client is not installed."""
    if importlib.util.find_spec("requests_credssp") is None:
        pytest.skip("requests-credssp is not installed: pip install 'ivn-provision[credssp]'")
    accounts = folder / "accounts"
    accounts.write_text(
        f"{socket.gethostname()}:{USERNAME}:{PASSWORD}\n:{USERNAME}:{PASSWORD}\n", encoding="utf-8"
    )
    monkeypatch.setenv("NTLM_USER_FILE", str(accounts))
    with accepting(nvr, "credssp", CredsspAcceptor):
        yield


@contextlib.contextmanager
def kerberos(nvr: Nvr, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The recorder takes tickets of a realm of the test's, and this process has one. Skips without a KDC."""
    _need_kerberos()
    port = _free_port()
    _write_files(folder, port)
    monkeypatch.setenv("KRB5_CONFIG", str(folder / "krb5.conf"))
    monkeypatch.setenv("KRB5_KDC_PROFILE", str(folder / "kdc.conf"))
    monkeypatch.setenv("KRB5_KTNAME", str(folder / "keytab"))
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{folder / 'tickets'}")
    admin = shutil.which("kadmin.local", path="/usr/sbin:/usr/bin") or ""
    _run(
        [
            shutil.which("kdb5_util", path="/usr/sbin:/usr/bin") or "",
            "create",
            "-s",
            "-P",
            "master",
            "-r",
            REALM,
        ]
    )
    _run([admin, "-q", f"addprinc -pw client-password {USERNAME}"])
    _run([admin, "-q", "addprinc -randkey HTTP/localhost"])
    _run([admin, "-q", f"ktadd -k {folder / 'keytab'} HTTP/localhost"])
    with (folder / "kdc.log").open("wb") as log:
        kdc = subprocess.Popen(
            [shutil.which("krb5kdc", path="/usr/sbin") or "", "-n"], stdout=log, stderr=log
        )
        try:
            _ticket(kdc)
            with accepting(nvr, "kerberos", KerberosAcceptor):
                yield
        finally:
            kdc.terminate()
            kdc.wait(10)


def _need_kerberos() -> None:
    programs = ("krb5kdc", "kadmin.local", "kdb5_util", "kinit")
    absent = [each for each in programs if shutil.which(each, path="/usr/sbin:/usr/bin") is None]
    modules = [each for each in ("kerberos", "gssapi", "krb5") if importlib.util.find_spec(each) is None]
    if absent or modules:
        pytest.skip(
            f"no Kerberos here (Debian: krb5-kdc, krb5-admin-server, krb5-user): {absent + modules} missing"
        )


def _write_files(folder: Path, port: int) -> None:
    (folder / "krb5.conf").write_text(
        f"""[libdefaults]
default_realm = {REALM}
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
[realms]
{REALM} = {{
  kdc = 127.0.0.1:{port}
}}
[domain_realm]
localhost = {REALM}
""",
        encoding="ascii",
    )
    (folder / "kdc.conf").write_text(
        f"""[realms]
{REALM} = {{
  database_name = {folder}/principal
  key_stash_file = {folder}/stash
  acl_file = {folder}/acl
  kdc_listen = 127.0.0.1:{port}
  kdc_tcp_listen = 127.0.0.1:{port}
}}
""",
        encoding="ascii",
    )


def _ticket(kdc: subprocess.Popen[bytes]) -> None:
    for _ in range(50):
        assert kdc.poll() is None, "the KDC does not run"
        got = subprocess.run(
            ["kinit", USERNAME], input=b"client-password\n", capture_output=True, check=False, timeout=20
        )
        if got.returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError(got.stderr)


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=30, env=dict(os.environ))


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
