"""NTLM over HTTP that begins with the first request. Imported late: spnego takes its time.

requests_ntlm sends the first request bare, to be asked for NTLM with a 401 that tells nothing new: WinRM offers
`Negotiate`, and takes raw NTLM in it (facts/winrm.md, part 10). Not waiting to be asked saves each connection a
round trip, and the body of the Create one of its three ways.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import urlsplit

import spnego
from requests import PreparedRequest, Response
from requests_ntlm import HttpNtlmAuth
from requests_ntlm.requests_ntlm import ShimSessionSecurity
from spnego.channel_bindings import GssChannelBindings

_SCHEME = "Negotiate"


class PromptNtlm(HttpNtlmAuth):
    """requests_ntlm's, whose way is taken wherever the host answers otherwise than WinRM does."""

    def __init__(self, username: str, password: str) -> None:
        super().__init__(username, password)
        self._context: Any = None
        self._begun = not (
            username and password
        )  # then spnego looks elsewhere, which is requests_ntlm's business

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Shows who we are not yet, only what we can: the password's proof comes with the answer."""
        prepared: PreparedRequest = super().__call__(request)
        if not self._begun:
            self._begun = True
            self._context = spnego.client(
                _credential(self.username or "", self.password or ""),
                hostname=urlsplit(request.url or "").hostname or "unspecified",
                service="http",
                protocol="ntlm",
                options=spnego.NegotiateOptions.use_ntlm,
            )
            prepared.headers["Authorization"] = _word(self._context.step())
        return prepared

    def response_hook(self, r: Response, **kwargs: Any) -> Response:
        """Answers the challenge; from then on the connection is logged on and nothing is said any more."""
        context, self._context = self._context, None
        if context is None or r.status_code != 401:
            return super().response_hook(r, **kwargs)
        challenge = _challenge(r)
        if not challenge:
            del r.request.headers["Authorization"]
            return super().response_hook(r, **kwargs)
        return self._answered(r, context, challenge, kwargs)

    def _answered(
        self, response: Response, context: Any, challenge: bytes, kwargs: dict[str, Any]
    ) -> Response:
        certificate = self._get_server_cert(response)
        binding = (
            GssChannelBindings(application_data=b"tls-server-end-point:" + certificate)
            if certificate
            else None
        )
        response.content  # noqa: B018 - read to its end, so that the connection can be used again
        response.raw.release_conn()
        request = response.request.copy()
        request.headers["Authorization"] = _word(context.step(challenge, channel_bindings=binding))
        last: Response = response.connection.send(request, **kwargs)
        last.history.append(response)
        self.session_security = ShimSessionSecurity(context)
        return last


def _credential(username: str, password: str) -> spnego.Credential:
    """The account with the hash that NTLMv2 is made of.

    Given the password spnego makes the LM hash as well, by a DES in Python, of which NTLMv2 uses nothing: it takes
    longer than all the rest of a logon (facts/winrm.md).
    """
    try:
        from spnego._ntlm_raw.crypto import ntowfv1  # no public way makes one hash alone
    except ImportError:
        return spnego.Password(username, password)
    return spnego.NTLMHash(username, nt_hash=ntowfv1(password).hex())


def _word(token: bytes | None) -> str:
    return f"{_SCHEME} {base64.b64encode(token or b'').decode('ascii')}"


def _challenge(response: Response) -> bytes:
    """The host's token; empty where it sent none under this scheme."""
    for offer in response.headers.get("WWW-Authenticate", "").split(","):
        scheme, _, value = offer.strip().partition(" ")
        if scheme.casefold() == _SCHEME.casefold() and value:
            try:
                return base64.b64decode(value.strip(), validate=True)
            except binascii.Error:
                return b""
    return b""
