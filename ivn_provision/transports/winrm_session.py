"""pywinrm's client and the HTTP session below it. Imported late: requests takes its time.

The host decides nothing about where we connect or how much we take: a redirect would lead the NTLM
handshake to a host of its choice, and a small compressed reply can unfold to gigabytes.
"""

from __future__ import annotations

import ssl
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from winrm import transport as kinds
from winrm.protocol import Protocol

from ivn_provision.errors import ProtocolFault, Refused
from ivn_provision.transports.line import Line
from ivn_provision.transports.pools import pools
from ivn_provision.transports.tls import context_of
from ivn_provision.transports.winrm_ntlm import PromptNtlm
from ivn_provision.transports.winrm_settings import WinRmSettings

MAX_REPLY = 4 * 1024 * 1024  # pywinrm asks for envelopes of 150 KiB at most

CREDSSP_VERSION = 5
"""The oldest that binds the password to the host's own key (CVE-2018-0886): it is handed over, after all."""


class Client(Protocol):
    """pywinrm's protocol, which can ask for output again under the id of the message that got no answer."""

    receive_id = ""

    def new_receive(self) -> str:
        """The message id of the next Receives, until the next call."""
        self.receive_id = str(uuid.uuid4())
        return self.receive_id

    def build_wsman_header(
        self,
        action: str,
        resource_uri: str,
        shell_id: str | None = None,
        message_id: str | uuid.UUID | None = None,
    ) -> dict[str, Any]:
        """As pywinrm makes it."""
        if action.endswith("/shell/Receive"):
            message_id = self.receive_id
        header: dict[str, Any] = super().build_wsman_header(action, resource_uri, shell_id, message_id)
        return header


def client_of(settings: WinRmSettings, line: Line, *, prepare: Callable[[Client], None]) -> Client:
    """A client on a session that keeps to `line`; over plain HTTP it authenticates right now.

    `prepare` sets the timeouts before that. Raises TargetError, and whatever the libraries raise.
    """
    _check_installed(settings)
    tls = context_of(
        settings.tls,
        endpoint=settings.endpoint,
        field="nvr.connect.tls",
        certificate=settings.certificate if settings.auth == "certificate" else None,
        passphrase=settings.passphrase,
    )
    client = Client(
        endpoint=settings.url,
        transport=settings.auth,  # type: ignore[arg-type] # checked by the schema
        username=settings.username,
        password=settings.password.reveal() if settings.password else "",
        cert_pem=settings.certificate.file if settings.certificate else None,
        cert_key_pem=settings.certificate.key_file if settings.certificate else None,
        proxy=None,
        ca_trust_path=None,  # type: ignore[arg-type] # none from the environment; ours is in the context
        server_cert_validation="validate",
        message_encryption="never",  # else it would shake hands before the session is secure
    )
    prepare(client)
    client.transport.credssp_minimum_version = CREDSSP_VERSION
    session = client.transport.build_session()
    if settings.auth == "ntlm":
        session.auth = PromptNtlm(settings.username, client.transport.password or "")
    session.cert = None  # it is in the context, which nothing else may add to
    pin = settings.tls.value if settings.tls.mode == "fingerprint" else ""
    secure(session, line, tls, fingerprint=pin, endpoint=settings.endpoint)
    try:
        if settings.tls.mode == "off":
            client.transport.setup_encryption(session)
    except BaseException:
        client.transport.close_session()
        raise
    return client


def _check_installed(settings: WinRmSettings) -> None:
    there = {"kerberos": kinds.HAVE_KERBEROS, "credssp": kinds.HAVE_CREDSSP}
    if there.get(settings.auth, True):
        return
    needs = " (it is built from source: libkrb5-dev and a C compiler)" if settings.auth == "kerberos" else ""
    raise Refused(
        f"auth: {settings.auth} needs a package that is not installed here",
        endpoint=settings.endpoint,
        next_step=f"pip install 'ivn-provision[{settings.auth}]'{needs}",
    )


def secure(session: Session, line: Line, context: ssl.SSLContext, *, fingerprint: str, endpoint: str) -> None:
    """Make `session` connect by `line` only, verify by `context` or fingerprint, and follow nothing."""
    session.trust_env = False
    session.verify = not fingerprint
    session.headers["Accept-Encoding"] = "identity"
    session.adapters.clear()
    adapter = _Adapter(line, context, fingerprint, endpoint)
    session.mount("http://", adapter)
    session.mount("https://", adapter)


class _Adapter(HTTPAdapter):
    def __init__(self, line: Line, context: ssl.SSLContext, fingerprint: str, endpoint: str) -> None:
        self._line = line
        self._tls: dict[str, Any] = {"ssl_context": context, "assert_fingerprint": fingerprint or None}
        self._endpoint = endpoint
        self._last: Response | None = None
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, **self._tls, **kwargs)
        self.poolmanager.pool_classes_by_scheme = dict(pools(self._line))

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing to add: the context knows its authority. The bundle of requests would widen it."""

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Also used by requests_ntlm within its handshake, past the session."""
        response = self._last = super().send(request, *args, **kwargs)
        if 300 <= response.status_code < 400:
            response.close()
            raise self._off(f"redirects to another address (HTTP {response.status_code})")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            response.close()
            raise self._off("compresses its answer, which was not asked for")
        self._bound(response)
        return response

    def close(self) -> None:
        """Also the connection of an answer that an error kept from being read to its end."""
        if self._last is not None:
            self._last.close()
        super().close()

    def _bound(self, response: Response) -> None:
        stream = response.raw.stream

        def bounded(amount: int, decode_content: bool | None = None) -> Iterator[bytes]:
            total = 0
            for piece in stream(amount, decode_content=decode_content):
                total += len(piece)
                if total > MAX_REPLY:
                    response.close()
                    raise self._off("answers with more than 4 MiB at once")
                yield piece

        response.raw.stream = bounded  # type: ignore[method-assign] # requests makes the class of it

    def _off(self, what: str) -> ProtocolFault:
        return ProtocolFault(
            f"{self._endpoint} {what}: WinRM does not",
            endpoint=self._endpoint,
            next_step="see what listens on that port; connect to the recorder itself, without a proxy",
        )
