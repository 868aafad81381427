"""The SOAP faults that the emulated WS-Man service gives (facts/winrm.md, part 6)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FaultKind:
    """Numeric code of wsmerror.h (0 = a code we have no source for is not invented), subcode, sentence."""

    code: int
    subcode: str
    reason: str


class WsmanFault(Exception):
    """A request that is answered with a SOAP fault."""

    def __init__(self, kind: FaultKind, detail: str = "") -> None:
        super().__init__(detail or kind.reason)
        self.kind = kind
        self.detail = detail


TIMED_OUT = FaultKind(
    2150858793,
    "w:TimedOut",
    "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.",
)
SCHEMA = FaultKind(
    2150858817,
    "w:SchemaValidationError",
    "The SOAP XML in the message does not match the corresponding XML schema definition.",
)
SHELL_NOT_FOUND = FaultKind(
    2150858843,
    "w:InvalidSelectors",
    "The request for the Windows Remote Shell failed because the shell was not found on the server.",
)
TOO_MANY_SHELLS = FaultKind(
    2150859173,
    "w:QuotaLimit",
    "The maximum number of concurrent shells for this user has been exceeded. Close existing shells.",
)
RECEIVE_IN_PROGRESS = FaultKind(
    2150859047, "w:InternalError", "Another Receive operation is still in progress for this command."
)
STDIN_CLOSED = FaultKind(232, "w:InternalError", "The pipe is being closed.")
ACTION_UNKNOWN = FaultKind(0, "a:ActionNotSupported", "The action is not supported by the emulated service.")
RESOURCE_UNKNOWN = FaultKind(
    0, "a:DestinationUnreachable", "The emulated service knows no such resource URI."
)
COMMAND_NOT_FOUND = FaultKind(
    0, "w:InvalidSelectors", "The emulated service knows no such command in this shell."
)
ENVELOPE_TOO_SMALL = FaultKind(0, "w:EncodingLimit", "MaxEnvelopeSize is below 8192.")
