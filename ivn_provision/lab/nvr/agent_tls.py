"""TLS of the emulated agent: any certificate is taken, and judged by what the machine trusts."""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from ivn_provision.lab.nvr.agent_line import Line, LineFailure, left, plain
from ivn_provision.lab.nvr.agent_values import Object


@dataclass(frozen=True, slots=True)
class Seen:
    """A TLS connection: its protocol, its certificate's common names and hash, and whether it is trusted."""

    protocol: str
    subject: str
    issuer: str
    sha256: str
    valid: bool

    def as_json(self) -> Object:
        """The `tls` object of an answer."""
        return {
            "protocol": self.protocol,
            "subject": self.subject,
            "issuer": self.issuer,
            "sha256": self.sha256,
            "valid": self.valid,
        }


def entered(line: Line, host: str, roots: str) -> Seen:
    """Put TLS on the line. `roots`: PEM of the authorities that the machine trusts. Raises LineFailure."""
    try:
        line.sock.settimeout(left(line.deadline))
        secure = _context().wrap_socket(line.sock, server_hostname=host)
    except TimeoutError as error:
        raise LineFailure("no answer in time") from error
    except (OSError, ValueError) as error:
        raise LineFailure("the TLS handshake failed") from error
    line.sock = secure
    content = secure.getpeercert(binary_form=True) or b""
    certificate = x509.load_der_x509_certificate(content)
    return Seen(
        secure.version() or "",
        _common_name(certificate.subject),
        _common_name(certificate.issuer),
        hashlib.sha256(content).hexdigest(),
        _is_trusted(certificate, host, roots),
    )


def _context() -> ssl.SSLContext:
    # agent.ps1 offers TLS 1.2 at most, as every .NET from 4.5 on can
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the default one would read all roots of this machine
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return plain(str(found[0].value), 200) if found else ""


def _is_trusted(certificate: x509.Certificate, host: str, roots: str) -> bool:
    trusted = x509.load_pem_x509_certificates(roots.encode("ascii")) if roots else []
    if not trusted:
        return False
    try:
        verifier = PolicyBuilder().store(Store(trusted)).build_server_verifier(_subject(host))
        verifier.verify(certificate, [])
    except (VerificationError, ValueError):
        return False
    return True


def _subject(host: str) -> x509.DNSName | x509.IPAddress:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
