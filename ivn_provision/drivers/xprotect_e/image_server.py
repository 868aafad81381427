"""The image server on the recorder, asked by the agent at 127.0.0.1: does a user log in, which cameras show?

`GET /systeminfo.xml` with Basic credentials: 200 with the user's cameras, 401 for a wrong user or password
(`facts/xprotect-e.md`, 6 and 7.1). The line is clear text, so it is never asked across the network.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ivn_provision.drivers.xprotect_e.agent_link import Answer, Step
from ivn_provision.drivers.xprotect_e.store import bare
from ivn_provision.model.resource import Resource
from ivn_provision.plan.plan import Change, Observation, Unverified, Work
from ivn_provision.secret import Secret

SECONDS = 5
CHECK_SECONDS = 30
MOST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Login:
    """A declared basic user with its declared password, and the port of the image server."""

    name: str
    password: Secret
    port: int

    @property
    def is_sent(self) -> bool:
        """Basic credentials are in the server's own code page, which nobody can ask for: plain ASCII only."""
        text = self.name + self.password.reveal()
        return text.isascii() and text.isprintable() and ":" not in self.name and bool(self.name)


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """What the image server answered to a login: HTTP status, and the text of systeminfo.xml."""

    login: Login
    status: int
    body: str


def login_steps(logins: Iterable[Login]) -> list[Step]:
    """One step for each login; whether one fails is no failure of the reading."""
    return [{"verb": "http", **_request(each, SECONDS)} for each in logins]


def _request(login: Login, seconds: int) -> Step:
    return {
        "port": login.port,
        "method": "GET",
        "path": "/systeminfo.xml",
        "headers": {},
        "body": "",
        "username": login.name,
        "password": login.password.reveal(),
        "timeout_seconds": seconds,
        "max_bytes": MOST_BYTES,
    }


def logged_in(logins: Sequence[Login], answers: Sequence[Answer]) -> tuple[LoggedIn, ...]:
    """The answers that came; a server that does not answer says nothing."""
    return tuple(
        LoggedIn(login, int(answer["status"]), _text(answer))
        for login, answer in zip(logins, answers, strict=True)
        if answer.get("ok")
    )


def _text(answer: Answer) -> str:
    return base64.b64decode(str(answer["body"])).decode("utf-8", "replace")


def observations(questions: Iterable[Unverified], seen: Iterable[LoggedIn]) -> tuple[Observation, ...]:
    """What the logins say about passwords of declared users."""
    by_name = {each.login.name: each.status for each in seen}
    found = []
    for question in questions:
        if question.address[1:3] != ("nvr", "user") or question.name != "password":
            continue
        name = question.address.key
        status = by_name.get(name, 0)
        if status == 200:
            evidence = f"{name} logged in to the image server with the declared password"
            found.append(Observation(question.address, question.name, confirmed=True, evidence=evidence))
        elif status == 401:
            evidence = f"the image server refuses {name} with the declared password (HTTP 401)"
            found.append(Observation(question.address, question.name, confirmed=False, evidence=evidence))
    return tuple(found)


def camera_check(seen: Iterable[LoggedIn], cameras: Sequence[Resource], work: Work) -> Step | None:
    """After a write: the cameras that a user saw before are seen again, and those that were switched on.

    None where no user is known who sees any camera. A camera that the user did not see before is not asked
    for: rights are per camera.
    """
    for each in seen:
        found = {camera.handle: _as_written(each.body, camera.handle) for camera in cameras}
        before = [camera for camera in cameras if camera.fields.get("enabled") is True]
        visible = [camera for camera in before if found[camera.handle]]
        if each.status != 200 or not visible:
            continue
        switched = {change.handle: _wanted(change, work) for change in work.changes}
        texts = [found[camera.handle] for camera in visible if switched.get(camera.handle) is not False]
        if len(visible) == len(before):
            spelt = _spelling(texts or [found[visible[0].handle]])
            texts += [spelt(bare(each.handle)) for each in cameras if switched.get(each.handle) is True]
        return {
            "verb": "require_http",
            **_request(each.login, CHECK_SECONDS),
            "status": 200,
            "contains": list(dict.fromkeys(texts)),
        }
    return None


def _wanted(change: Change, work: Work) -> bool | None:
    """The new state of a camera that is switched on or off."""
    if change.address.kind != "camera" or all(field.name != "enabled" for field in change.fields):
        return None
    return bool(work.desired[change.address]["enabled"])


def _spelling(seen: Sequence[str]) -> Callable[[str], str]:
    """Small or capital letters, as in what was seen."""
    return str.upper if any(text != text.lower() for text in seen) else str.lower


def _as_written(body: str, handle: str) -> str:
    """A camera's GUID in the spelling of systeminfo.xml, "" if it is not there."""
    wanted = bare(handle).lower()
    at = body.lower().find(wanted) if wanted else -1
    return body[at : at + len(wanted)] if at >= 0 else ""
