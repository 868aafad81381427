"""The `tls-server-end-point` channel binding of a server context (RFC 5929; facts/winrm.md, part 10)."""

from __future__ import annotations

import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ivn_provision.lab.nvr.ntlm import channel_binding


def end_point_binding(server: ssl.SSLContext) -> bytes:
    """The MD5 that NTLM clients send for this server's certificate."""
    certificate = served_certificate(server)
    algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    if algorithm is None or isinstance(algorithm, hashes.MD5 | hashes.SHA1):
        algorithm = hashes.SHA256()
    digest = hashes.Hash(algorithm)
    digest.update(certificate)
    return channel_binding(digest.finalize())


def served_certificate(server: ssl.SSLContext) -> bytes:
    """The DER certificate a server context presents: found by a handshake in memory, no socket.

    A context does not tell its own certificate, and whoever made it need not keep it.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE  # our own certificate is only looked at
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(to_client, to_server)
    two = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(10):
        if all([_advanced(one), _advanced(two)]):
            break
    certificate = one.getpeercert(binary_form=True)
    if certificate is None:
        raise ssl.SSLError("the server context presents no certificate")
    return certificate


def _advanced(side: ssl.SSLObject) -> bool:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
