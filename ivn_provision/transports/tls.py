"""TLS contexts that only the site file decides on: no SSL_CERT_FILE, no SSLKEYLOGFILE, no bundle of a library."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from ivn_provision.errors import TlsFailed
from ivn_provision.spec.site import Tls


class _Context(ssl.SSLContext):
    """Shared by threads, so nothing may change it any more; urllib3 would, for every connection."""

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """HTTP/1.1 needs none."""


def context_of(tls: Tls, *, endpoint: str, field: str) -> ssl.SSLContext:
    """The context for `tls`, shared: making one costs up to 60 ms. `field` names it in the site file.

    With a fingerprint the context verifies nothing: the connection must compare it. Raises TlsFailed.
    """
    if tls.mode not in {"verify", "ca"}:
        return _trusting_nobody(tls.mode == "fingerprint")
    if tls.mode == "verify":
        return _system()
    try:
        return _authority(tls.value, Path(tls.value).stat().st_mtime_ns)
    except (OSError, ValueError) as error:
        raise TlsFailed(
            "the CA file that verifies the server cannot be read",
            endpoint=endpoint,
            where=tls.value,
            next_step=f"look at {field}; the lab writes its own when it starts (`ivn-provision lab up`)",
        ) from error


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
