"""How the tool logs in to the recorder: what belongs together, and what is of the other transport."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.diagnostics import Severity
from ivn_provision.spec.rules.addresses import parse
from ivn_provision.spec.rules.context import Context
from ivn_provision.spec.rules.registry import Finding, rule, show
from ivn_provision.spec.site import Connect

_PASSWORDLESS = frozenset({"kerberos", "certificate"})


def _connect(context: Context, transport: str) -> Connect | None:
    connect = context.nvr.connect if context.nvr else None
    return connect if connect and connect.transport == transport else None


@rule(
    "IVN084",
    "login-declared",
    Severity.ERROR,
    title="There is something to log in with",
    requirements=("winrm part 5", "winrm part 9"),
)
def login_declared(context: Context) -> Iterator[Finding]:
    """A password for WinRM, unless a Kerberos ticket or a certificate stands in; for SSH a key, agent or password."""
    if (connect := _connect(context, "winrm")) and connect.auth not in _PASSWORDLESS and not connect.password:
        yield Finding(
            connect.pointer, f"auth: {connect.auth} needs a password", "write password: !secret env:NAME"
        )
    if (connect := _connect(context, "ssh")) and not (connect.password or connect.key_file or connect.agent):
        yield Finding(
            connect.pointer,
            "there is nothing to log in with",
            "write key_file: PATH, agent: true, or password: !secret env:NAME",
        )


@rule(
    "IVN085",
    "certificate-login",
    Severity.ERROR,
    title="A client certificate and `auth: certificate` go together",
    requirements=("winrm part 5",),
)
def certificate_login(context: Context) -> Iterator[Finding]:
    """Either alone is a login that was not meant. The certificate is shown over HTTPS only."""
    connect = _connect(context, "winrm")
    if not connect:
        return
    by_certificate = connect.auth == "certificate"
    if by_certificate and connect.certificate is None:
        yield Finding(
            f"{connect.pointer}/auth",
            "auth: certificate names no certificate",
            "write certificate: {file: PATH, key_file: PATH}",
        )
    if connect.certificate is not None and not by_certificate:
        yield Finding(
            f"{connect.pointer}/certificate",
            f"the certificate is not used with auth: {connect.auth}",
            "write auth: certificate, or leave the certificate out",
        )
    if by_certificate and connect.tls.mode == "off":
        yield Finding(
            f"{connect.pointer}/tls", "a certificate cannot be shown without TLS", "write tls: verify"
        )


@rule(
    "IVN086",
    "transport-fields",
    Severity.ERROR,
    title="The fields of a connection are those of its transport",
    requirements=("winrm part 9",),
)
def transport_fields(context: Context) -> Iterator[Finding]:
    """What the transport does not use would look as if it protected the connection. `tls` and `auth` pass with SSH."""
    if connect := _connect(context, "winrm"):
        used = (("host_key", connect.host_key), ("known_hosts", connect.known_hosts))
        for key, value in (*used, ("key_file", connect.key_file), ("agent", connect.agent)):
            if value:
                yield _unused(connect, key, "ssh")
    if (connect := _connect(context, "ssh")) and connect.certificate is not None:
        yield _unused(connect, "certificate", "winrm")


def _unused(connect: Connect, key: str, other: str) -> Finding:
    return Finding(
        f"{connect.pointer}/{key}",
        f"{key} means nothing to {connect.transport}",
        f"leave it out, or write transport: {other}",
    )


@rule(
    "IVN087",
    "host-key-one-way",
    Severity.ERROR,
    title="A host key is either pinned or looked up",
    requirements=("winrm part 9",),
)
def host_key_one_way(context: Context) -> Iterator[Finding]:
    """With both, one of them would not be looked at."""
    connect = _connect(context, "ssh")
    if connect and connect.host_key and connect.known_hosts:
        yield Finding(
            f"{connect.pointer}/known_hosts",
            "host_key is declared too, and then known_hosts is not looked at",
            "leave one of the two out",
        )


@rule(
    "IVN088",
    "passphrase-has-key",
    Severity.ERROR,
    title="A passphrase belongs to a key",
    requirements=("winrm part 9",),
)
def passphrase_has_key(context: Context) -> Iterator[Finding]:
    """Without a key it opens nothing: a forgotten key_file, or a password under the wrong name."""
    connect = context.nvr.connect if context.nvr else None
    if connect and connect.key_passphrase and not connect.key_file and connect.certificate is None:
        yield Finding(
            f"{connect.pointer}/key_passphrase",
            "there is no key that this passphrase would open",
            "write key_file: PATH, or write it as password",
        )


@rule(
    "IVN089",
    "kerberos-by-name",
    Severity.WARNING,
    title="Kerberos reaches a recorder by its name",
    requirements=("winrm part 5",),
)
def kerberos_by_name(context: Context) -> Iterator[Finding]:
    """A ticket is for `HTTP/NAME`; a domain has none for an IP address unless somebody registered it."""
    connect = _connect(context, "winrm")
    if connect and connect.auth == "kerberos" and parse(connect.host) is not None:
        yield Finding(
            f"{connect.pointer}/host",
            f"{show(connect.host)} is an address, and Kerberos knows machines by name",
            "write the recorder's name in the domain",
        )
