"""The way to the agent on the recorder: one request, one process, one reply."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from ivn_provision.drivers.xprotect_e import bootstrap
from ivn_provision.errors import Conflict, ProtocolFault, Refused, TargetError
from ivn_provision.transports.breaker import Attempt
from ivn_provision.transports.deadline import Deadline
from ivn_provision.transports.remote import CommandResult, ConnectionLost, Way, uncertain

Step = Mapping[str, Any]
Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """Answers in the order asked; `undone` are those of the undo steps that ran, in the order they ran."""

    steps: list[Answer]
    undone: list[Answer]
    always: list[Answer]


class AgentLink(Protocol):
    """Carries requests to the agent. `endpoint` is for people."""

    endpoint: str
    is_loopback: bool

    def call(self, steps: Sequence[Step], always: Sequence[Step] = (), *, writes: bool = False) -> Reply:
        """One remote process for all steps. Raises TargetError.

        With `writes` nothing is sent twice, the remote process is left to end its work when the line breaks,
        and `Uncertain` is raised once the request may have reached it.
        """
        ...


class RemoteAgent:
    """The agent at the end of a way, WinRM or SSH: each call is one connection and one process."""

    def __init__(
        self,
        way: Way,
        *,
        is_loopback: bool,
        deadline: Callable[[], Deadline],
        guard: Callable[[], AbstractContextManager[Attempt]],
    ) -> None:
        self.endpoint = way.endpoint
        self.is_loopback = is_loopback
        self._way = way
        self._deadline = deadline
        self._guard = guard

    def call(self, steps: Sequence[Step], always: Sequence[Step] = (), *, writes: bool = False) -> Reply:
        """See AgentLink. A read is asked once more, within the same deadline, when its line broke."""
        marker = secrets.token_hex(16)
        request = {"protocol": 1, "marker": marker, "steps": list(steps), "always": list(always)}
        payload = bootstrap.stdin_payload(bootstrap.agent_text(), request)
        deadline = self._deadline()

        def once() -> Reply:
            with self._guard() as attempt:
                result = self._ran(bootstrap.split_sends(payload), deadline, attempt, writes=writes)
            reply = self._decoded(result, marker, writes=writes)
            counts = (len(steps), len(always))
            return _reply(reply, counts)

        try:
            return _once_more(once, writes=writes)
        except ConnectionLost as lost:
            raise lost.plain() from lost

    def _ran(
        self, stdin: Sequence[bytes], deadline: Deadline, attempt: Attempt, *, writes: bool
    ) -> CommandResult:
        command, arguments = bootstrap.command_line()
        return self._way.shell(deadline).run(command, arguments, stdin, attempt, writes=writes)

    def _decoded(self, result: CommandResult, marker: str, *, writes: bool) -> dict[str, Any]:
        try:
            return bootstrap.decode_reply(result.stdout, marker, result.stderr)
        except ProtocolFault as fault:
            if writes:
                raise uncertain(fault, self.endpoint) from fault
            if result.resumed:
                raise ConnectionLost(
                    f"{self.endpoint} broke the connection, and a part of the answer is lost",
                    endpoint=self.endpoint,
                    next_step="try again",
                ) from fault
            raise


def _once_more(once: Callable[[], Reply], *, writes: bool) -> Reply:
    """Reads do no harm twice; a write goes out once."""
    try:
        return once()
    except ConnectionLost:
        if writes:
            raise
    return once()


def _reply(reply: Mapping[str, Any], counts: tuple[int, int]) -> Reply:
    steps, always = counts
    return Reply(
        _answers(reply, "steps", steps), _answers(reply, "undone"), _answers(reply, "always", always)
    )


def _answers(reply: Mapping[str, Any], name: str, count: int | None = None) -> list[Answer]:
    answers = reply.get(name, [])
    if not isinstance(answers, list) or (count is not None and len(answers) != count):
        raise ProtocolFault(
            "the agent did not answer every step",
            next_step="is another version of the agent installed there?",
        )
    return answers


def failure(answers: Sequence[Answer]) -> TargetError | None:
    """The first failed step as an error."""
    for answer in answers:
        if answer.get("ok"):
            continue
        error = answer.get("error") or {}
        return _error(str(error.get("code", "")), str(error.get("message", "")), str(error.get("path", "")))
    return None


def _error(code: str, message: str, path: str) -> TargetError:
    where = path
    if code == "conflict":
        return Conflict(
            "the recorder's configuration changed since it was read; nothing was written",
            where=where,
            next_step="run the command again: it plans from what is there now",
        )
    steps = {
        "busy": "close the Management Application on the recorder: it would overwrite the change when it saves",
        "locked": "another program holds the file; try again in a minute",
        "missing": "is XProtect installed there, and is it the product that nvr.product names?",
        "timeout": "look at the service on the recorder: it did not stop or start in time",
        "io": "look at free space and rights on the recorder; the file there is as it was",
        "locked_by_agent": "wait until the other run is done, then run the command again",
        "too_large": "move what does not belong to the configuration out of its folder, then run apply again",
    }
    return Refused(
        f"the recorder's agent could not do a step: {message}",
        where=where,
        next_step=steps.get(code, "look at the recorder, then plan again"),
    )
