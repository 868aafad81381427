"""What can go wrong on the way to a camera, as errors of ours."""

from __future__ import annotations

from ivn_provision.errors import (
    AuthenticationFailed,
    IvnError,
    ProtocolFault,
    Refused,
    TargetError,
    TlsFailed,
    Uncertain,
    Unreachable,
)
from ivn_provision.transports.deadline import exceeded

WAITING = "waiting for the camera"


class Lost(ProtocolFault):
    """The camera was spoken to and the line broke: what only reads may be asked once more."""

    def plain(self) -> ProtocolFault:
        """The same as an error of the tree in errors.py."""
        return ProtocolFault(self.summary, endpoint=self.endpoint, next_step=self.next_step)


def transport_fault(error: Exception, endpoint: str, seconds: float) -> IvnError:
    """For an error of httpx. Connecting is told apart: before that nothing can have been done."""
    import httpx

    if isinstance(error, httpx.ConnectTimeout):
        return Unreachable(
            f"no answer from {endpoint}", endpoint=endpoint, next_step="check the route and the firewall"
        )
    if isinstance(error, httpx.TimeoutException):
        return exceeded(seconds, endpoint=endpoint, doing=WAITING)
    if isinstance(error, httpx.ConnectError) and ("SSL" in str(error) or "TLS" in str(error)):
        return _tls_fault(str(error), endpoint)
    if isinstance(error, (httpx.ConnectError, httpx.InvalidURL, httpx.UnsupportedProtocol)):
        return Unreachable(
            f"nothing listens on {endpoint}",
            endpoint=endpoint,
            next_step="check axis.connect.host and port; is the camera on?",
        )
    return Lost(
        f"{endpoint} broke off its answer ({type(error).__name__})",
        endpoint=endpoint,
        next_step="try again; old firmware ends a connection when something else asks at the same time",
    )


def _tls_fault(text: str, endpoint: str) -> TlsFailed:
    if "CERTIFICATE" in text:
        return TlsFailed(
            f"the certificate of {endpoint} is not trusted, or not made for that host",
            endpoint=endpoint,
            next_step="give axis.connect.tls the CA file that signed it, or the certificate's fingerprint",
        )
    return TlsFailed(
        f"{endpoint} speaks no TLS that this machine accepts",
        endpoint=endpoint,
        next_step="is that the port of HTTPS? Firmware 5.x may know only TLS that is refused today: "
        'there `tls: "off"` with its Digest login, and the port of HTTP, is the better way',
    )


def wrong_certificate(endpoint: str) -> TlsFailed:
    return TlsFailed(
        f"the certificate of {endpoint} is not the one of the fingerprint",
        endpoint=endpoint,
        next_step="see whether the camera got a new certificate, then correct axis.connect.tls",
    )


def uncertain(cause: TargetError, endpoint: str) -> Uncertain:
    """For a write whose request may have arrived and whose answer did not."""
    return Uncertain(
        f"the camera was given a change, and its answer was lost: {cause.summary}",
        endpoint=endpoint,
        next_step="plan again: it shows whether the change was made",
    )


def refused_login(account: str, endpoint: str, path: str, *, before: bool) -> AuthenticationFailed:
    """`before`: the camera had let the account in for other requests."""
    if before:
        return AuthenticationFailed(
            f"{endpoint} let {account} in before, and refuses it for {path} (HTTP 401)",
            endpoint=endpoint,
            next_step="the account needs the role administrator; or was its password changed just now?",
        )
    return AuthenticationFailed(
        f"{endpoint} refused {account} (HTTP 401)",
        endpoint=endpoint,
        next_step="check axis.connect.username and its password; it was tried once",
    )


def asks_nobody(endpoint: str) -> Refused:
    """A mail account's password would go to whoever answers there."""
    return Refused(
        f"{endpoint} lets everybody in without a login: nothing is written to it",
        endpoint=endpoint,
        next_step="is it the camera? A new one wants its first account: make it on the camera's own page",
    )


def redirected(endpoint: str, status: int, *, encrypted: bool) -> Refused:
    """Never followed: a login or a change would go to a place of the camera's choice."""
    if encrypted:
        return Refused(
            f"{endpoint} sends elsewhere (HTTP {status}), which a camera's API does not",
            endpoint=endpoint,
            next_step="see what listens on that port; connect to the camera itself, without a proxy",
        )
    return Refused(
        f"{endpoint} sends elsewhere (HTTP {status}): it most likely answers over HTTPS only",
        endpoint=endpoint,
        next_step="set axis.connect.tls, and the port of HTTPS",
    )


def off(endpoint: str, what: str) -> ProtocolFault:
    return ProtocolFault(
        f"{endpoint} {what}",
        endpoint=endpoint,
        next_step="see what listens on that port: is it the camera itself, without a proxy?",
    )
