"""Where the recorder and the portal are, and how connections to them are protected."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from ivn_provision.diagnostics import Severity
from ivn_provision.spec.rules.addresses import is_inside, is_loopback, parse
from ivn_provision.spec.rules.context import Context
from ivn_provision.spec.rules.registry import Finding, rule, show

WINRM_HTTP_PORT = 5985


@rule(
    "IVN060",
    "location-address-literal",
    Severity.WARNING,
    title="The location address is an IP address",
    requirements=("R-09", "R-78"),
)
def location_address_literal(context: Context) -> Iterator[Finding]:
    """The portal's field is `Location IP Address`. Whether it takes a (DDNS) host name is not known."""
    address = context.device.location_address if context.device else None
    if address is not None and parse(address) is None:
        yield Finding(
            "/portal/device/location_address",
            f"{show(address)} is not an IP address; whether the portal takes host names is not known",
            "write the site's external address, for example 203.0.113.10",
        )


@rule(
    "IVN061",
    "location-address-public",
    Severity.WARNING,
    title="The location address can be reached from the Internet",
    requirements=("R-09", "R-10", "portal row 24"),
)
def location_address_public(context: Context) -> Iterator[Finding]:
    """The address is the router's outside, not the recorder's own (R-07). Loopback is for the lab and passes."""
    address = context.device.location_address if context.device else None
    if address is not None and is_inside(address):
        yield Finding(
            "/portal/device/location_address",
            f"{address} is not an address of the Internet",
            "write the external address of the site's router, confirmed by its IT",
        )


@rule(
    "IVN062",
    "tls-off",
    Severity.ERROR,
    title="TLS is off only for loopback addresses",
    requirements=("winrm part 5",),
)
def tls_off(context: Context) -> Iterator[Finding]:
    """Passwords and commands go over these connections; without TLS anyone on the way can change them."""
    connect = context.nvr.connect if context.nvr else None
    places: list[tuple[str, str]] = []
    if connect and connect.transport == "winrm" and connect.tls.mode == "off":
        places.append((f"{connect.pointer}/tls", connect.host))
    if context.portal and context.portal.tls.mode == "off":
        places.append((f"{context.portal.pointer}/tls", _host(_split(context.portal.url))))
    for pointer, host in places:
        if not is_loopback(host):
            yield Finding(
                pointer,
                f"TLS is off for {show(host)}, which is not a loopback address",
                "write tls: verify, or {ca: PATH}, or {fingerprint: 'sha256:...'} for a self-signed certificate",
            )


@rule(
    "IVN063",
    "basic-needs-https",
    Severity.ERROR,
    title="Basic authentication needs HTTPS",
    requirements=("winrm part 5",),
)
def basic_needs_https(context: Context) -> Iterator[Finding]:
    """With basic authentication the password itself is sent. Port 5985 is WinRM over plain HTTP."""
    connect = context.nvr.connect if context.nvr else None
    if not connect or connect.transport != "winrm" or connect.auth != "basic":
        return
    if connect.tls.mode == "off" or connect.port == WINRM_HTTP_PORT:
        yield Finding(
            f"{connect.pointer}/auth",
            "basic authentication would send the password in clear text",
            "write auth: ntlm, or port: 5986 with tls: verify",
        )


@rule(
    "IVN064",
    "portal-url",
    Severity.ERROR,
    title="The portal's URL is HTTPS, without a login in it",
    requirements=("portal part 3.2",),
)
def portal_url(context: Context) -> Iterator[Finding]:
    """Plain HTTP is accepted for loopback only. A user name or password never stands in a URL."""
    if not context.portal:
        return
    pointer = f"{context.portal.pointer}/url"
    parts = _split(context.portal.url)
    if parts is None or not _host(parts) or parts.scheme not in {"http", "https"}:
        yield Finding(pointer, "this is not an HTTP URL", "write https://HOST/api/v1")
    elif "@" in parts.netloc:
        yield Finding(
            pointer, "the URL holds a login", "leave it out; write portal.auth with a !secret reference"
        )
    elif parts.scheme == "http" and not is_loopback(_host(parts)):
        yield Finding(pointer, "the portal would be spoken to without TLS", "write https://")


@rule(
    "IVN080",
    "portal-tls",
    Severity.ERROR,
    title="The portal is verified by a certificate authority",
    requirements=("portal part 3.2",),
)
def portal_tls(context: Context) -> Iterator[Finding]:
    """A fingerprint pins one recorder's own certificate; a portal renews its certificate all the time."""
    portal = context.portal
    if portal and portal.tls.mode == "fingerprint":
        yield Finding(
            f"{portal.pointer}/tls",
            "a portal cannot be verified by a fingerprint",
            "write verify, or {ca: FILE}",
        )


def _split(url: str) -> SplitResult | None:
    """The URL's parts; None where it is malformed (a bad port or bracket)."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _host(parts: SplitResult | None) -> str:
    return (parts.hostname or "") if parts else ""
