"""What the library and httpx raise -> errors of ours."""

from __future__ import annotations

from ivn_provision.drivers.onvif.replies import off
from ivn_provision.drivers.onvif.wire import refused
from ivn_provision.errors import IvnError, Refused, TlsFailed, Unreachable
from ivn_provision.transports.deadline import exceeded
from ivn_provision.transports.masking import said

UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    RuntimeError,
)
"""What zeep raises for values that are not of their type, beside errors of its own."""


def as_error(error: Exception, endpoint: str, seconds: float, password: str) -> IvnError | None:
    """The error of ours for one of theirs, None for what is a defect. No text repeats the password."""
    import httpx
    from zeep.exceptions import Error, Fault

    if isinstance(error, IvnError):
        return error
    if isinstance(error, Fault):
        return _fault(error, endpoint, password)
    if isinstance(error, (httpx.HTTPError, httpx.InvalidURL, TimeoutError)):
        return _broken(error, endpoint, seconds)
    if isinstance(error, (Error, *UNREADABLE)):
        return off(f"an answer has values that ONVIF does not know ({type(error).__name__})", endpoint)
    return None


def _fault(error: Exception, endpoint: str, password: str) -> IvnError:
    from onvif.util import is_auth_error

    reason = said(getattr(error, "message", ""), (password,)) or "without a reason"
    if is_auth_error(error):
        return refused(endpoint, reason)
    return Refused(
        f"the camera answered with a fault: {reason}",
        endpoint=endpoint,
        next_step="look at what its firmware supports of ONVIF",
    )


def _broken(error: Exception, endpoint: str, seconds: float) -> IvnError:
    import httpx

    if isinstance(error, (TimeoutError, httpx.TimeoutException)) and not isinstance(
        error, httpx.ConnectTimeout
    ):
        return exceeded(seconds, endpoint=endpoint, doing="reading the camera")
    if isinstance(error, httpx.ConnectError) and ("SSL" in str(error) or "TLS" in str(error)):
        trusted = "CERTIFICATE" not in str(error)
        return TlsFailed(
            f"{endpoint} speaks no TLS that this machine accepts"
            if trusted
            else f"the certificate of {endpoint} is not trusted, or not made for that host",
            endpoint=endpoint,
            next_step="give cameras[].onvif.connect.tls the CA file or the fingerprint of the camera",
        )
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL)):
        return Unreachable(
            f"no camera answers at {endpoint}",
            endpoint=endpoint,
            next_step="check cameras[].onvif.connect, the route and the firewall",
        )
    return off(f"the camera broke off its answer ({type(error).__name__})", endpoint)
