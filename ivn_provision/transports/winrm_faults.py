"""What went wrong on a WinRM connection, in words and with a next step (`facts/winrm.md`, 6)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from ivn_provision.errors import (
    AuthenticationFailed,
    IvnError,
    ProtocolFault,
    Refused,
    TargetError,
    TlsFailed,
    Unreachable,
)
from ivn_provision.transports.deadline import exceeded
from ivn_provision.transports.remote import ConnectionLost

_WAIT = "wait three minutes for idle shells to end, or log off other remote sessions"
_SHELLS = ("this account has as many WinRM shells as the recorder allows (MaxShellsPerUser)", _WAIT)
_USERS = ("others hold all of the recorder's WinRM sessions (MaxConcurrentUsers)", _WAIT)
_OPERATIONS = (
    "the recorder's WinRM quota of operations is used up (MaxConcurrentOperationsPerUser)",
    "wait a minute, then try again",
)
_COMMANDS = (
    "the recorder's WinRM quota of commands in a shell is used up (MaxProcessesPerShell)",
    "try again",
)
_RATE = ("the recorder's WinRM quota of requests is used up", "wait a minute, then try again")
_GONE = ("the WinRM shell ended on the recorder", "try again; look whether the machine restarted")
_DENIED = (
    "access denied",
    "the account needs to be a local administrator with an unfiltered token (LocalAccountTokenFilterPolicy)",
)
_FAULTS: Mapping[int, tuple[str, str]] = {
    2150859173: _SHELLS,
    2150859236: _SHELLS,
    2150859179: _USERS,
    2150859237: _USERS,
    2150859174: _OPERATIONS,
    2150859240: _OPERATIONS,
    2150859241: _COMMANDS,
    2150859175: _RATE,
    2150859176: _RATE,
    2150858843: _GONE,
    2150859204: _GONE,
    2150859230: _GONE,
    995: _GONE,
    1223: _GONE,
    2147943418: _GONE,
    5: _DENIED,
    2147942405: _DENIED,
}
_QUOTAS = frozenset({_SHELLS, _USERS, _OPERATIONS, _COMMANDS, _RATE})


def is_lost(error: TargetError) -> bool:
    """Did an open connection break, or the shell end?"""
    return isinstance(error, ConnectionLost)


def is_stale(error: TargetError) -> bool:
    """Could the host not decrypt the message: HTTP 400 without XML? Then it was not read (facts, part 3)."""
    from winrm.exceptions import WinRMTransportError

    cause = error.__cause__
    return isinstance(cause, WinRMTransportError) and cause.code == 400 and not cause.response_text.strip()


def is_fault(error: TargetError) -> bool:
    """Did the host answer with a SOAP fault?"""
    from winrm.exceptions import WSManFaultError

    return isinstance(error.__cause__, WSManFaultError)


def passes_by_itself(error: TargetError) -> bool:
    """A quota, a service that starts, or a broken line: what has not begun may be tried again."""
    return (
        is_lost(error) or _meaning(error.__cause__) in _QUOTAS or getattr(error.__cause__, "code", 0) == 503
    )


def wants_a_new_shell(error: TargetError) -> bool:
    """Was a Command refused for its shell: gone, or with no operation left (facts/winrm.md, part 4)?"""
    return _meaning(error.__cause__) in {_GONE, _OPERATIONS, _COMMANDS}


def _meaning(cause: BaseException | None) -> tuple[str, str] | None:
    codes: tuple[int, ...] = (getattr(cause, "wsman_fault_code", 0), getattr(cause, "wmierror_code", 0))
    return next((_FAULTS[code] for code in codes if code in _FAULTS), None)


def classify(error: Exception, *, endpoint: str, username: str, doing: str, seconds: float) -> IvnError:
    """Any exception of pywinrm, requests, urllib3 or the XML parser -> one of our errors."""
    if isinstance(error, IvnError):
        return error
    from requests import exceptions as http
    from winrm import exceptions as winrm

    ways: tuple[tuple[tuple[type[Exception], ...], Callable[[], TargetError]], ...] = (
        ((winrm.InvalidCredentialsError,), lambda: _refused_account(endpoint, username)),
        ((http.ConnectTimeout,), lambda: _silent(endpoint)),
        ((http.ReadTimeout, TimeoutError), lambda: exceeded(seconds, endpoint=endpoint, doing=doing)),
        ((http.SSLError,), lambda: _tls(error, endpoint)),
        ((http.ConnectionError, http.ChunkedEncodingError), lambda: _connection(error, endpoint, doing)),
        ((winrm.WSManFaultError,), lambda: _fault(error, endpoint)),
        ((winrm.WinRMTransportError,), lambda: _status(int(getattr(error, "code", 0)), endpoint)),
    )
    for classes, make in ways:
        if isinstance(error, classes):
            return make()
    # of packages that need not be installed
    if type(error).__name__ in {"KerberosExchangeError", "MutualAuthenticationError"}:
        return _no_ticket(error, endpoint)
    if type(error).__module__.startswith("requests_credssp."):
        return _credssp(error, endpoint, username)
    return _strange(error, endpoint, doing)


def _no_ticket(error: Exception, endpoint: str) -> TargetError:
    host = endpoint.rpartition(":")[0]
    text = " ".join(str(error).split())[:200]
    return Refused(
        f"Kerberos has no way to HTTP/{host}: {text}",
        endpoint=endpoint,
        next_step="get a ticket (`kinit USER@REALM`), and name the recorder by its name in the domain, not by address",
    )


def _credssp(error: Exception, endpoint: str, username: str) -> TargetError:
    if "did not response CredSSP" not in str(error):  # its own words
        return _refused_account(endpoint, username)
    return Refused(
        f"{endpoint} does not offer CredSSP",
        endpoint=endpoint,
        next_step='use auth: ntlm, or allow it there: winrm set winrm/config/service/auth @{CredSSP="true"}',
    )


def _silent(endpoint: str) -> TargetError:
    return Unreachable(
        f"no answer from {endpoint}",
        endpoint=endpoint,
        next_step="is the machine on? A firewall (or a Public network profile) swallows WinRM silently",
    )


def _strange(error: Exception, endpoint: str, doing: str) -> TargetError:
    return ProtocolFault(
        f"{endpoint} did not answer as WinRM does while {doing} ({_kind(error)})",
        endpoint=endpoint,
        next_step="see what listens on that port; WinRM is 5985 (HTTP) or 5986 (HTTPS)",
    )


def _kind(error: Exception) -> str:
    """StopIteration is how pywinrm says that an element it needs is not in the answer."""
    return "no WS-Man answer" if isinstance(error, StopIteration) else type(error).__name__


def _refused_account(endpoint: str, username: str) -> TargetError:
    return AuthenticationFailed(
        f"the recorder refused the account {username!r}",
        endpoint=endpoint,
        next_step="check nvr.connect.username and its secret; it is not tried again, so that the account is not locked",
    )


def _tls(error: Exception, endpoint: str) -> TargetError:
    text = str(error)
    if "UNSUPPORTED_PROTOCOL" in text or "WRONG_VERSION_NUMBER" in text:
        summary = f"{endpoint} speaks no TLS that this machine accepts"
        step = "is it an HTTP port? Windows 7 and 2008 R2 offer TLS 1.0 only: enable TLS 1.2 there"
    elif "ingerprint" in text:
        summary = f"the certificate of {endpoint} is not the pinned one"
        step = "compare nvr.connect.tls.fingerprint with the certificate on the recorder"
    else:
        cause = re.search(r"certificate verify failed: ([^(]+)", text)
        summary = f"the certificate of {endpoint} is not trusted" + (
            f": {cause.group(1).strip()}" if cause else ""
        )
        step = "give nvr.connect.tls a CA file or the certificate's SHA-256 fingerprint"
    return TlsFailed(summary, endpoint=endpoint, next_step=step)


def _connection(error: Exception, endpoint: str, doing: str) -> TargetError:
    text = str(error)
    if "Connection refused" in text:
        return Unreachable(
            f"nothing listens on {endpoint}",
            endpoint=endpoint,
            next_step="run `winrm quickconfig` on the recorder, and check host and port in nvr.connect",
        )
    if "Name or service not known" in text or "getaddrinfo" in text or "resolve" in text:
        return Unreachable(
            f"the name in {endpoint} is unknown",
            endpoint=endpoint,
            next_step="check nvr.connect.host; an IP address needs no DNS",
        )
    if "IncompleteRead" in text or "aborted" in text or "reset" in text:
        return ConnectionLost(
            f"{endpoint} broke the connection while {doing}",
            endpoint=endpoint,
            next_step="try again; if it stays, look at the recorder's WinRM event log",
        )
    return Unreachable(
        f"no connection to {endpoint}", endpoint=endpoint, next_step="check the route and the firewall"
    )


def _fault(error: Exception, endpoint: str) -> TargetError:
    code = getattr(error, "wsman_fault_code", None)
    known = _meaning(error)
    if known == _GONE:
        return ConnectionLost(f"{known[0]} (WinRM fault {code})", endpoint=endpoint, next_step=known[1])
    if known:
        return Refused(f"{known[0]} (WinRM fault {code})", endpoint=endpoint, next_step=known[1])
    return ProtocolFault(
        f"{endpoint} answered with a WinRM fault ({code})",
        endpoint=endpoint,
        next_step="look the number up in the recorder's WinRM event log",
    )


def _status(code: int, endpoint: str) -> TargetError:
    steps = {
        400: "another program may have used the connection; try again",
        404: "this is a web server, but not WinRM: check the port",
        405: "this is a web server, but not WinRM: check the port",
        413: "the recorder takes smaller messages only: raise MaxEnvelopeSizekb there",
        500: "the recorder wants encryption: use auth ntlm, or HTTPS",
        502: "a proxy answers for the recorder: connect without it",
        503: "the WinRM service is starting or overloaded: wait and try again",
    }
    return ProtocolFault(
        f"{endpoint} answered HTTP {code}",
        endpoint=endpoint,
        next_step=steps.get(code, "see what listens on that port"),
    )
