"""`nvr.connect` -> what a WinRM connection needs, or why it cannot be."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from ivn_provision.errors import Refused
from ivn_provision.secret import Secret
from ivn_provision.spec.site import ClientCertificate, Connect
from ivn_provision.spec.values import Tls

ENCRYPTING = frozenset({"ntlm", "kerberos", "credssp"})
"""Kinds of authentication that encrypt the messages themselves, so that plain HTTP will do."""

PASSWORDLESS = frozenset({"kerberos", "certificate"})
_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?")


@dataclass(frozen=True, slots=True)
class WinRmSettings:
    """`url` is the whole endpoint; `auth` one of pywinrm's transports."""

    url: str
    auth: str
    username: str
    password: Secret | None
    tls: Tls
    certificate: ClientCertificate | None = None
    passphrase: Secret | None = None

    @property
    def endpoint(self) -> str:
        """`host:port`, for people."""
        return urlsplit(self.url).netloc


def settings_of(connect: Connect, password: Secret | None, passphrase: Secret | None = None) -> WinRmSettings:
    """Settings for a recorder. `tls: off` means plain HTTP with message encryption, loopback only."""
    _check(connect, password)
    scheme = "http" if connect.tls.mode == "off" else "https"
    url = f"{scheme}://{url_host(connect.host)}:{connect.port}/wsman"
    return WinRmSettings(
        url, connect.auth, connect.username, password, connect.tls, connect.certificate, passphrase
    )


def _check(connect: Connect, password: Secret | None) -> None:
    if connect.tls.mode == "off" and not is_loopback(connect.host):
        raise Refused("tls: off is allowed on loopback only", next_step="set nvr.connect.tls to verify")
    if connect.tls.mode == "off" and connect.auth not in ENCRYPTING:
        what = (
            "cannot do without TLS" if connect.auth == "certificate" else "would send the password in clear"
        )
        raise Refused(f"{connect.auth} {what}", next_step="set nvr.connect.auth to ntlm")
    if connect.auth == "certificate" and connect.certificate is None:
        raise Refused(
            "auth: certificate names no certificate",
            next_step="give nvr.connect.certificate a file and a key_file",
        )
    if password is None and connect.auth not in PASSWORDLESS:
        raise Refused("nvr.connect has no password", next_step="give it a !secret reference")


def url_host(host: str, field: str = "nvr.connect") -> str:
    """A host as it stands in a URL. Raises Refused where it is no address and cannot be a name."""
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host_name(host, field)


def host_name(host: str, field: str = "nvr.connect") -> str:
    """A host's address or name in ASCII. Raises Refused where it is neither; `field` is where the site has it."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        name = host.encode("idna").decode()
    except UnicodeError:
        name = ""
    if not _NAME.fullmatch(name):
        raise Refused(
            f"{field}.host is neither a name nor an address: {host!r}",
            next_step=f"write the host alone; its port goes into {field}.port",
        )
    return name


def is_loopback(host: str) -> bool:
    """Is this an address of the machine itself? Names other than `localhost` are not trusted to be."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
