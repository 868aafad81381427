"""TLS contexts that only the site file decides on: no SSL_CERT_FILE, no SSLKEYLOGFILE, no bundle of a library."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from ivn_provision.errors import TlsFailed
from ivn_provision.secret import Secret
from ivn_provision.spec.site import ClientCertificate
from ivn_provision.spec.values import Tls


class _Context(ssl.SSLContext):
    """Shared by threads, so nothing may change it any more; urllib3 would, for every connection."""

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """HTTP/1.1 needs none."""


def context_of(
    tls: Tls,
    *,
    endpoint: str,
    field: str,
    certificate: ClientCertificate | None = None,
    passphrase: Secret | None = None,
) -> ssl.SSLContext:
    """The context for `tls`, shared: making one costs up to 60 ms. `field` names it in the site file.

    With a fingerprint the context verifies nothing: the connection must compare it. One that shows a client
    `certificate` is made anew, and ends at TLS 1.2. Raises TlsFailed.
    """
    try:
        if certificate is None:
            return _shared(tls)
        context = _made(tls)
    except (OSError, ValueError) as error:
        raise TlsFailed(
            "the CA file that verifies the server cannot be read",
            endpoint=endpoint,
            where=tls.value,
            next_step=f"look at {field}; the lab writes its own when it starts (`ivn-provision lab up`)",
        ) from error
    _show(context, certificate, passphrase, endpoint)
    return context


def _show(
    context: ssl.SSLContext, certificate: ClientCertificate, passphrase: Secret | None, endpoint: str
) -> None:
    """Windows' HTTP.sys asks for it after the handshake, which TLS 1.3 forbids (facts/winrm.md, part 5)."""
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        # always given: without one OpenSSL would ask on the terminal
        context.load_cert_chain(
            certificate.file, certificate.key_file, lambda: passphrase.reveal() if passphrase else ""
        )
    except (OSError, ValueError) as error:
        raise TlsFailed(
            "the client certificate cannot be used: it or its key cannot be read, or they do not belong together",
            endpoint=endpoint,
            where=certificate.file,
            next_step="look at nvr.connect.certificate (two PEM files), and at key_passphrase if the key has one",
        ) from error


def _shared(tls: Tls) -> ssl.SSLContext:
    if tls.mode == "ca":
        return _authority(tls.value, Path(tls.value).stat().st_mtime_ns)
    return _system() if tls.mode == "verify" else _trusting_nobody(tls.mode == "fingerprint")


def _made(tls: Tls) -> ssl.SSLContext:
    if tls.mode == "ca":
        return _authority.__wrapped__(tls.value, 0)
    return (
        _system.__wrapped__()
        if tls.mode == "verify"
        else _trusting_nobody.__wrapped__(tls.mode == "fingerprint")
    )


@lru_cache(maxsize=32)
def _authority(path: str, _changed: int) -> ssl.SSLContext:
    context = _fresh()
    context.load_verify_locations(cafile=path)
    return context


@lru_cache(maxsize=1)
def _system() -> ssl.SSLContext:
    """The authorities of the system, at the places built into OpenSSL; else those that certifi brings."""
    context = _fresh()
    places = ssl.get_default_verify_paths()
    if Path(places.openssl_cafile).is_file():
        context.load_verify_locations(cafile=places.openssl_cafile)
    if Path(places.openssl_capath).is_dir() and any(Path(places.openssl_capath).iterdir()):
        context.load_verify_locations(capath=places.openssl_capath)
    elif not context.cert_store_stats()["x509_ca"]:
        import certifi

        context.load_verify_locations(cafile=certifi.where())
    return context


@lru_cache(maxsize=2)
def _trusting_nobody(pinned: bool) -> ssl.SSLContext:
    context = _fresh()
    if pinned:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _fresh() -> _Context:
    """Verifies certificate and host name, TLS 1.2 or newer, and knows no authority yet."""
    context = _Context(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
