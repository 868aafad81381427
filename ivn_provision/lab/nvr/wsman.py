"""The WS-Man service above authentication: one SOAP request in, one SOAP reply out (facts/winrm.md, parts 1, 10)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from xml.sax.saxutils import escape

from lxml import etree

from ivn_provision.lab.nvr.counters import Counters
from ivn_provision.lab.nvr.shells import Output, Shells
from ivn_provision.lab.nvr.wsman_faults import (
    ACTION_UNKNOWN,
    ENVELOPE_TOO_SMALL,
    RESOURCE_UNKNOWN,
    SCHEMA,
    WsmanFault,
)
from ivn_provision.lab.nvr.wsman_xml import (
    CMD_SHELL,
    RSP,
    A,
    WsmanRequest,
    X,
    attribute,
    fault,
    parse,
    reply,
    seconds,
)

_IDLE_TIMEOUT = 7200.0  # seconds, WinRM 3.0 and later
_ENVELOPE_ROOM = 4096  # bytes of a reply that are not base64
_STATE = f"{RSP}/CommandState"
_Handler = Callable[["WsmanService", str, WsmanRequest], Awaitable[str]]


class WsmanService:
    """Verbs of the remote shell. `receive_bytes` caps one Receive below the envelope (None = no own cap)."""

    def __init__(self, shells: Shells, counters: Counters) -> None:
        self._shells = shells
        self._counters = counters
        self.receive_bytes: int | None = None

    async def answer(self, owner: str, content: bytes) -> tuple[int, bytes]:
        """HTTP status and envelope for the envelope that `owner` sent."""
        message_id = ""
        try:
            request = parse(content)
            message_id = request.message_id
            self._counters.posts_by_action[_short(request.action)] += 1
            return 200, await self._dispatch(owner, request)
        except WsmanFault as error:
            return 500, fault(error, message_id)

    async def _dispatch(self, owner: str, request: WsmanRequest) -> bytes:
        handler = _VERBS.get(request.action)
        if handler is None:
            raise WsmanFault(ACTION_UNKNOWN)
        if request.resource != CMD_SHELL:
            raise WsmanFault(RESOURCE_UNKNOWN)
        if request.max_envelope < 8192:
            raise WsmanFault(ENVELOPE_TOO_SMALL)
        return reply(request, f"{request.action}Response", await handler(self, owner, request))

    async def _create(self, owner: str, request: WsmanRequest) -> str:
        wanted = _required(request, "rsp:Shell")
        idle = request.text("rsp:Shell/rsp:IdleTimeOut")
        shell = self._shells.create(owner, wanted.get("ShellId", ""), _idle(idle))
        selector = f'<w:SelectorSet><w:Selector Name="ShellId">{shell.id}</w:Selector></w:SelectorSet>'
        streams = (
            "<rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams>"
        )
        return (
            f"<x:ResourceCreated><a:Address>{A}/role/anonymous</a:Address><a:ReferenceParameters>"
            f"<w:ResourceURI>{CMD_SHELL}</w:ResourceURI>{selector}</a:ReferenceParameters></x:ResourceCreated>"
            f"<rsp:Shell><rsp:ShellId>{shell.id}</rsp:ShellId><rsp:ResourceUri>{CMD_SHELL}</rsp:ResourceUri>"
            f"<rsp:Owner>{escape(owner)}</rsp:Owner>{streams}</rsp:Shell>"
        )

    async def _command(self, owner: str, request: WsmanRequest) -> str:
        shell = self._shells.get(owner, request.shell_id)
        wanted = _required(request, "rsp:CommandLine").get("CommandId", "")
        line = " ".join(
            [request.text("rsp:CommandLine/rsp:Command"), *request.texts("rsp:CommandLine/rsp:Arguments")]
        )
        command = self._shells.run(shell, line, wanted)
        self._counters.processes += 1
        return f"<rsp:CommandResponse><rsp:CommandId>{command.id}</rsp:CommandId></rsp:CommandResponse>"

    async def _send(self, owner: str, request: WsmanRequest) -> str:
        shell = self._shells.get(owner, request.shell_id)
        stream = _required(request, "rsp:Send/rsp:Stream")
        if stream.get("Name") != "stdin":
            raise WsmanFault(SCHEMA, "only stdin can be sent")
        end = stream.get("End", "false").strip().casefold() in {"true", "1"}
        shell.command(stream.get("CommandId", "")).send(_unbase64(stream.text or ""), end=end)
        return "<rsp:SendResponse/>"

    async def _receive(self, owner: str, request: WsmanRequest) -> str:
        shell = self._shells.get(owner, request.shell_id)
        command_id = _required(request, "rsp:Receive/rsp:DesiredStream").get("CommandId", "")
        room = (request.max_envelope - _ENVELOPE_ROOM) // 4 * 3
        limit = min(room, self.receive_bytes or room)
        command = shell.command(command_id)
        return _received(command.id, await command.receive(request.operation_timeout, limit))

    async def _signal(self, owner: str, request: WsmanRequest) -> str:
        shell = self._shells.get(owner, request.shell_id)
        command = shell.command(_required(request, "rsp:Signal").get("CommandId", ""))
        command.terminate()
        return "<rsp:SignalResponse/>"

    async def _delete(self, owner: str, request: WsmanRequest) -> str:
        self._shells.delete(self._shells.get(owner, request.shell_id))
        return ""


_VERBS: Mapping[str, _Handler] = {
    f"{X}/Create": WsmanService._create,  # noqa: SLF001 - the table of the class, next to it
    f"{RSP}/Command": WsmanService._command,  # noqa: SLF001
    f"{RSP}/Send": WsmanService._send,  # noqa: SLF001
    f"{RSP}/Receive": WsmanService._receive,  # noqa: SLF001
    f"{RSP}/Signal": WsmanService._signal,  # noqa: SLF001
    f"{X}/Delete": WsmanService._delete,  # noqa: SLF001
}


def _short(action: str) -> str:
    return action.rsplit("/", 1)[-1] if action in _VERBS else "other"


def _required(request: WsmanRequest, path: str) -> etree._Element:
    found = request.find(path)
    if found is None:
        raise WsmanFault(SCHEMA, f"{path} is missing")
    return found


def _idle(duration: str) -> float:
    return seconds(duration) if duration else _IDLE_TIMEOUT


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise WsmanFault(SCHEMA, "the stream is not base64") from error


def _received(command_id: str, output: Output) -> str:
    streams = _stream(command_id, "stdout", output.stdout) + _stream(command_id, "stderr", output.stderr)
    owner = attribute(command_id)
    if output.exit_code is None:
        state = f'<rsp:CommandState CommandId="{owner}" State="{_STATE}/Running"/>'
        return f"<rsp:ReceiveResponse>{streams}{state}</rsp:ReceiveResponse>"
    ends = "".join(
        f'<rsp:Stream Name="{name}" CommandId="{owner}" End="true"/>' for name in ("stdout", "stderr")
    )
    code = f"<rsp:ExitCode>{output.exit_code}</rsp:ExitCode>"
    state = f'<rsp:CommandState CommandId="{owner}" State="{_STATE}/Done">{code}</rsp:CommandState>'
    return f"<rsp:ReceiveResponse>{streams}{ends}{state}</rsp:ReceiveResponse>"


def _stream(command_id: str, name: str, data: bytes) -> str:
    if not data:
        return ""
    content = base64.b64encode(data).decode("ascii")
    return f'<rsp:Stream Name="{name}" CommandId="{attribute(command_id)}">{content}</rsp:Stream>'
