"""A lab recorder and every way to its agent: `nvr.connect` as a site would declare it, over real sockets."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ivn_provision.drivers.xprotect_e.agent_link import RemoteAgent, Reply
from ivn_provision.lab.clock import system_clock
from ivn_provision.lab.nvr import Nvr
from ivn_provision.lab.scenario import LabSite
from ivn_provision.lab.tls import LabTls, prepare_tls
from ivn_provision.secret import Secret, SecretRef
from ivn_provision.spec.site import ClientCertificate, Connect
from ivn_provision.spec.values import Tls
from ivn_provision.transports.breaker import Breaker
from ivn_provision.transports.deadline import Deadline
from ivn_provision.transports.ways import way_of
from tests.wire.nvr_fixture import LoopThread

USERNAME = "ivn-provision"
PASSWORD = 'Päss "word" & <1>'
PASSPHRASE = "a passphrase"
VALUES = {"PASSWORD": PASSWORD, "WRONG": "wr0ng w0rd", "PASSPHRASE": PASSPHRASE}
FILE = r"C:\ProgramData\ivn-provision-test\file.bin"


REDACT_KEY = base64.b64encode(bytes(32)).decode()


def read_step() -> Mapping[str, Any]:
    """Reads FILE."""
    return {"verb": "read_files", "files": [{"path": FILE, "redact": []}], "redact_key": REDACT_KEY}


def reference(name: str) -> SecretRef:
    return SecretRef("env", name)


def resolve(ref: SecretRef) -> Secret:
    return Secret(VALUES[ref.name], ref)


def agent_of(connect: Connect, *, seconds: float = 20.0, breaker: Breaker | None = None) -> RemoteAgent:
    """The agent as `run/targets.py` opens it."""
    way, guarded = way_of(connect, resolve), breaker or Breaker()
    return RemoteAgent(
        way,
        is_loopback=True,
        deadline=lambda: Deadline(seconds),
        guard=lambda: guarded.guard(way.account, way.endpoint),
    )


@dataclass
class Bench:
    """A started recorder. `connects` are good ways to it by name."""

    nvr: Nvr
    loop: LoopThread
    tls: LabTls
    folder: Path
    connects: dict[str, Connect] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        der = ssl.PEM_cert_to_DER_cert(self.tls.certificate.read_text(encoding="ascii"))
        return hashlib.sha256(der).hexdigest()

    def put(self, content: bytes) -> str:
        """Make FILE; its hash."""
        self.nvr.windows.tree.write(FILE, content)
        return hashlib.sha256(content).hexdigest()

    def content(self) -> bytes:
        """FILE, once everything that runs on the recorder has ended."""
        shells = self.nvr._shells
        assert shells is not None
        self.loop.run(shells.idle())
        return self.nvr.windows.tree.locate(FILE).read_bytes()

    @property
    def shells(self) -> int:
        assert self.nvr._shells is not None
        return len(self.nvr._shells)

    def winrm(self, auth: Any, **more: Any) -> Connect:
        plain = more.pop("plain", False)
        tls = Tls("off") if plain else Tls("ca", str(self.tls.ca_file))
        port = self.nvr.http_port if plain else self.nvr.https_port
        connect = Connect("winrm", "127.0.0.1", port, USERNAME, reference("PASSWORD"), tls, auth)
        return replace(connect, **more)


def facts(agent: RemoteAgent) -> Mapping[str, Any]:
    return agent.call([{"verb": "facts"}]).steps[0]


def overwrite(agent: RemoteAgent, old: bytes, new: bytes) -> Reply:
    """One write: FILE from `old` to `new`."""
    return agent.call([write_step(old, new)], writes=True)


def write_step(old: bytes, new: bytes) -> Mapping[str, Any]:
    write = {
        "path": FILE,
        "base_sha256": hashlib.sha256(old).hexdigest(),
        "result_sha256": hashlib.sha256(new).hexdigest(),
        "splices": [[0, len(old), base64.b64encode(new).decode()]],
    }
    return {"verb": "write_files", "files": [write]}


@contextlib.contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """A recorder on free ports that also takes client certificates of its own authority."""
    tls = prepare_tls(folder, ["127.0.0.1"], system_clock)
    context = tls.server_context()
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(tls.ca_file)
    site = LabSite("test-site", http_port=0, https_port=0, event_port=0, username=USERNAME, password=PASSWORD)
    thread = LoopThread()
    nvr = Nvr(site, folder / "nvr", context)
    try:
        thread.run(nvr.start())
        made = Bench(nvr, thread, tls, folder)
        made.connects = {
            "winrm http ntlm": made.winrm("ntlm", plain=True),
            "winrm https ntlm": made.winrm("ntlm"),
            "winrm https pinned": made.winrm("ntlm", tls=Tls("fingerprint", made.fingerprint)),
            "winrm https basic": made.winrm("basic"),
            "winrm https certificate": made.winrm(
                "certificate", certificate=client_certificate(folder, USERNAME), password=None
            ),
        }
        yield made
    finally:
        thread.run(nvr.stop())
        thread.close()


def client_certificate(folder: Path, name: str, *, passphrase: str = "") -> ClientCertificate:
    """A certificate for `name` by the lab's authority, with its key."""
    ca = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    ca_key = serialization.load_pem_private_key((folder / "ca-key.pem").read_bytes(), None)
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ca.not_valid_before_utc)
        .not_valid_after(ca.not_valid_after_utc)
        .sign(ca_key, hashes.SHA256())
    )
    locked: Any = serialization.NoEncryption()
    if passphrase:
        locked = serialization.BestAvailableEncryption(passphrase.encode())
    stem = f"client-{name}-locked" if passphrase else f"client-{name}"
    pem, private = folder / f"{stem}.pem", folder / f"{stem}.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    )
    os.chmod(private, 0o600)
    return ClientCertificate(str(pem), str(private))
