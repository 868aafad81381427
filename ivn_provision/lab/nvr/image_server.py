"""The Image Server's HTTP side: `systeminfo.xml` and the SOAP login (facts/xprotect-e.md, parts 6 and 7.1).

Paths, operations, Basic login and the names `camera`, `cameraid` and `guid` are certain; what else stands in
the answers is the lab's own. Opening and closing need no await, so that a service starts within one step.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hmac
import re
import socket
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from ivn_provision.lab.nvr.access import Access
from ivn_provision.lab.nvr.config_active import Unreadable, parse_document
from ivn_provision.lab.nvr.http_wire import Closed, HttpConnection, HttpRequest, HttpResponse, TooLarge

SYSTEM_INFO = "/systeminfo.xml"
SERVER_COMMAND = "/ServerCommandService/ServerCommandService.asmx"
_NAMESPACE = "http://videoos.net/2/XProtectCSServerCommand"
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_XML = ("Content-Type", "text/xml; charset=utf-8")
_LARGEST_BODY = 64 * 1024
_LOGIN_MICROSECONDS = 240_000_000  # four minutes
_ACTION = re.compile(rf'"?{re.escape(_NAMESPACE)}/(\w+)"?')
_REALM = [("WWW-Authenticate", 'Basic realm="Milestone Image Server"')]


class ImageServer:
    """Serves from construction to `close`. `passwords` are those of the basic users, in clear."""

    def __init__(
        self,
        sock: socket.socket,
        access: Access,
        passwords: Mapping[str, str],
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], datetime],
    ) -> None:
        self._sock, self._access, self._passwords = sock, access, passwords
        self._loop, self._clock = loop, clock
        self._tasks: set[asyncio.Task[None]] = set()
        self.address: tuple[str, int] = sock.getsockname()
        loop.add_reader(sock, self._accept)

    def close(self) -> None:
        """Stop listening and end every connection."""
        self._loop.remove_reader(self._sock)
        self._sock.close()
        for task in self._tasks:
            task.cancel()

    @property
    def busy(self) -> bool:
        """Whether a connection is still open."""
        return bool(self._tasks)

    async def closed(self) -> None:
        """Wait for what `close` ended."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self) -> None:
        try:
            sock, _ = self._sock.accept()
        except OSError:
            return
        sock.setblocking(False)
        task = self._loop.create_task(self._connection(sock))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connection(self, sock: socket.socket) -> None:
        try:
            reader, writer = await asyncio.open_connection(sock=sock)
        except BaseException:
            sock.close()
            raise
        try:
            http = HttpConnection(reader, writer, _LARGEST_BODY)
            with contextlib.suppress(Closed):
                while True:
                    try:
                        response = self._answer(await http.request())
                    except TooLarge:
                        response = HttpResponse(413, close=True)
                    await http.respond(replace(response, headers=[*response.headers, self._date()]))
                    if response.close:
                        break
        finally:
            writer.transport.abort()
            writer.close()

    def _date(self) -> tuple[str, str]:
        return "Date", format_datetime(self._clock().astimezone(UTC), usegmt=True)

    def _answer(self, request: HttpRequest) -> HttpResponse:
        path = request.target.split("?")[0]
        if path.casefold() == SYSTEM_INFO:
            return self._system_info(request)
        if path.casefold() == SERVER_COMMAND.casefold():
            return self._command(request)
        return HttpResponse(404)

    def _system_info(self, request: HttpRequest) -> HttpResponse:
        if request.method != "GET":
            return HttpResponse(405, [("Allow", "GET")])
        if not self._user(request):
            return HttpResponse(401, _REALM)
        return HttpResponse(200, [_XML], b"\xef\xbb\xbf" + system_info(self._access).encode("utf-8"))

    def _command(self, request: HttpRequest) -> HttpResponse:
        action = _ACTION.fullmatch(request.headers.get("soapaction", "").strip())
        if request.method != "POST":
            return HttpResponse(405, [("Allow", "POST")])
        if not self._user(request):
            return HttpResponse(401, _REALM)
        try:
            found = parse_document(request.body).getroot().find(f"{{{_SOAP}}}Body/{{{_NAMESPACE}}}*")
        except Unreadable:
            return _fault("The request is not a SOAP message.")
        name = "" if found is None else etree.QName(found).localname
        if found is None or action is None or action.group(1) != name:
            return _fault("SOAPAction and body do not agree.")
        return self._operation(name, found)

    def _operation(self, name: str, found: etree._Element) -> HttpResponse:
        if name == "GetVersion":
            return _result(name, f"<GetVersionResult>{escape(self._access.version)}</GetVersionResult>")
        if name not in {"Login", "Logout"}:
            return _fault(f"There is no operation {name}.")
        try:
            uuid.UUID((found.findtext(f"{{{_NAMESPACE}}}instanceId") or "").strip())
        except ValueError:
            return _fault("instanceId is not a GUID.")
        return _result(name, self._login() if name == "Login" else "")

    def _login(self) -> str:
        at = self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        life = f"<TimeToLive><MicroSeconds>{_LOGIN_MICROSECONDS}</MicroSeconds></TimeToLive>"
        return (
            f"<LoginResult><RegistrationTime>{at}</RegistrationTime>{life}"
            "<TimeToLiveLimited>true</TimeToLiveLimited><Token>BASIC</Token></LoginResult>"
        )

    def _user(self, request: HttpRequest) -> str:
        """The basic user whose name and password were given; empty if they are wrong."""
        kind, _, packed = request.headers.get("authorization", "").partition(" ")
        try:
            name, _, password = base64.b64decode(packed, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return ""
        known = self._passwords.get(name) if name in self._access.basic_users else None
        if kind.casefold() != "basic" or known is None:
            return ""
        return name if hmac.compare_digest(known.encode(), password.encode()) else ""


def system_info(access: Access) -> str:
    """The view that every user of the lab has: the cameras that are switched on, with name and GUID."""
    cameras = "".join(
        f"<camera cameraid={quoteattr(name)}><guid>{escape(guid)}</guid></camera>"
        for guid, name in access.cameras
    )
    return (
        f'<?xml version="1.0" encoding="utf-8"?><systeminfo><product>{escape(access.product)}</product>'
        f"<version>{escape(access.version)}</version><engines><engine>"
        f"<enginename>{escape(access.computer)}</enginename><cameras>{cameras}</cameras>"
        "</engine></engines></systeminfo>"
    )


def _result(name: str, content: str) -> HttpResponse:
    body = f'<{name}Response xmlns="{_NAMESPACE}">{content}</{name}Response>'
    return HttpResponse(200, [_XML], _envelope(body))


def _fault(text: str) -> HttpResponse:
    body = f"<soap:Fault><faultcode>soap:Client</faultcode><faultstring>{escape(text)}</faultstring></soap:Fault>"
    return HttpResponse(500, [_XML], _envelope(body))


def _envelope(body: str) -> bytes:
    text = f'<soap:Envelope xmlns:soap="{_SOAP}"><soap:Body>{body}</soap:Body></soap:Envelope>'
    return f'<?xml version="1.0" encoding="utf-8"?>{text}'.encode()
