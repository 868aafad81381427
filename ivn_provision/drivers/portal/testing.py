"""The portal during an acceptance test: a test window, soft triggers, and what arrived.

Speaks the API that this project proposes (`schemas/portal.openapi.yaml`); no public API of the real portal exists.
What may be asked twice is asked twice: each POST carries an Idempotency-Key, so that a broken line fires nothing
again and opens no second window.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, TypeVar
from urllib.parse import quote

from ivn_provision.drivers.portal.testing_values import (
    MAX_ID,
    Connectivity,
    EventPage,
    Fired,
    PortalEvent,
    ReceivedMail,
    TestWindow,
    connectivity_of,
    fired_of,
    mail_of,
    page_of,
    window_of,
)
from ivn_provision.drivers.portal.tokens import TokenSource
from ivn_provision.errors import (
    Conflict,
    DeadlineExceeded,
    ProtocolFault,
    Refused,
    TargetError,
    Unreachable,
)
from ivn_provision.strict_json import Node, WrongShape
from ivn_provision.transports.http import JsonClient, Reply

PAGE_SIZE = 200
MOST_PAGES = 50
_ATTEMPTS = 2
_CLOSE_ATTEMPTS = 3
_BROKEN = (Unreachable, DeadlineExceeded, ProtocolFault)
_RUN = re.compile(r"[A-Za-z0-9._-]{1,120}", re.ASCII)
_KEY = re.compile(r"[A-Za-z0-9._:-]{1,255}", re.ASCII)
T = TypeVar("T")


class PortalTesting:
    """Tests one site. `account` is the site's key in the portal. Used by one thread at a time; `close` it."""

    def __init__(self, site: str, account: str, client: JsonClient, tokens: TokenSource) -> None:
        self.site = site
        self.endpoint = client.endpoint
        self._account = account
        self._path = f"/sites/{quote(account, safe='')}"
        self._client = client
        self._tokens = tokens

    def open_window(self, run: str, until: datetime, reason: str) -> TestWindow:
        """Take the site off watch until a time (with zone; at most four hours ahead). May be repeated.

        A window that the same run has open already is the answer, whatever its end. Raises Conflict while another
        run tests the site, Refused if the portal or the station will not.
        """
        body = {"run": _sound_run(run), "until": _rfc3339(until), "reason": reason}
        digest = hashlib.sha256("\0".join((self._account, *body.values())).encode()).hexdigest()
        known = ("test-session-open", "test-session-refused")
        reply = self._post("/test-sessions", f"{run}.window.{digest[:24]}", known, json=body)
        if reply.status >= 400:
            return self._not_opened(run, reply)
        return self._checked(self._understood(window_of, reply), run)

    def close_window(self, window: str) -> TestWindow:
        """End it now; one that has ended stays so. Tried three times: an open window hides real alarms."""
        path = f"{self._path}/test-sessions/{quote(window, safe='')}:close"
        reply = self._tried(_CLOSE_ATTEMPTS, lambda: self._call("POST", path))
        found = self._same(self._understood(window_of, reply), window)
        if found.status == "open":
            raise self._off("/status says that the window is still open")
        return found

    def window(self, window: str) -> TestWindow:
        """How it stands now."""
        path = f"{self._path}/test-sessions/{quote(window, safe='')}"
        return self._same(self._understood(window_of, self._call("GET", path)), window)

    def events_after(self, event: int) -> tuple[PortalEvent, ...]:
        """All events of the site that came after the one with this id, oldest first."""
        found: list[PortalEvent] = []
        token = ""
        for _ in range(MOST_PAGES):
            page = self._page(event, PAGE_SIZE, token)
            self._check_order(page, event, found)
            found += page.events
            token = page.next_token
            if not token:
                return tuple(reversed(found))
        raise self._off(f"more than {MOST_PAGES * PAGE_SIZE} events came after event {event}")

    def newest_events(self) -> tuple[PortalEvent, ...]:
        """The newest PAGE_SIZE events of the site, newest first."""
        page = self._page(0, PAGE_SIZE, "")
        self._check_order(page, 0, [])
        return page.events

    def latest_event_id(self) -> int:
        """The id of the newest event, 0 if there is none: what comes later has a greater one."""
        page = self._page(0, 1, "")
        return page.events[0].id if page.events else 0

    def mail_of(self, event: int) -> ReceivedMail:
        """The mail that an event came of."""
        path = f"{self._path}/events/{event:d}/mail"
        return self._understood(mail_of, self._call("GET", path))

    def connectivity(self) -> Connectivity:
        """What the portal itself sees of the recorder's ports, now."""
        reply = self._post("/connectivity-checks", f"check-{secrets.token_hex(16)}", ("device-unreachable",))
        if reply.status >= 400:
            raise self._refusal(
                reply, "cannot check the recorder", "declare exactly one device in the portal"
            )
        return self._understood(connectivity_of, reply)

    def fire(self, device: str, pin: int, *, key: str = "") -> Fired:
        """Send the soft trigger of a pin, once for each `key` ("" takes a new one). Needs an open window.

        Raises Refused without a window, Unreachable if the portal does not reach the recorder.
        """
        path = f"/devices/{quote(device, safe='')}/alarm-inputs/soft/{pin:d}:fire"
        known = ("site-not-in-test-mode", "device-unreachable")
        reply = self._post(path, _sound_key(key) or f"fire-{secrets.token_hex(16)}", known)
        if _kind(reply) == "site-not-in-test-mode":
            raise self._refusal(
                reply, "fires nothing", "open a test window first: outside of one it is an alarm"
            )
        if _kind(reply) == "device-unreachable":
            raise Unreachable(
                f"the portal does not reach the recorder: {_words(reply)}",
                endpoint=self.endpoint,
                next_step="check location_address, the event server port, and the router's forwarding",
            )
        return self._understood(lambda body: fired_of(body, pin), reply)

    def close(self) -> None:
        """Close the connection; a window stays as it is."""
        self._client.close()

    def _not_opened(self, run: str, reply: Reply) -> TestWindow:
        """409: adopt the run's own window; else say whose it is."""
        if _kind(reply) == "test-session-refused":
            raise self._refusal(
                reply, "does not take the site off watch", "ask the station; nothing was fired"
            )
        body = Node(reply.body)
        try:
            other, until, window = (body[name].text() for name in ("run", "until", "session"))
        except WrongShape as error:
            raise self._off(str(error)) from error
        if other == run:
            return self._checked(self.window(window), run)
        raise Conflict(
            f"another run tests the site: {other}, until {until}",
            endpoint=self.endpoint,
            next_step="wait for that run; its window ends by itself at that time",
        )

    def _checked(self, window: TestWindow, run: str) -> TestWindow:
        """Nothing is fired into a window that is another run's, or over."""
        if window.run != run:
            raise self._off("/run is not the run that was asked for")
        if window.status != "open":
            raise Refused(
                f"the test window of run {run} has ended: it is {window.status}",
                endpoint=self.endpoint,
                next_step="begin a new run",
            )
        return window

    def _same(self, found: TestWindow, window: str) -> TestWindow:
        if found.id != window:
            raise self._off("/id is not the test session that was asked for")
        return found

    def _page(self, after: int, size: int, token: str) -> EventPage:
        params = {"page_size": str(size), "after_id": str(max(0, min(after, MAX_ID)))}
        if token:
            params["page_token"] = token
        reply = self._call("GET", f"{self._path}/events", params=params)
        return self._understood(lambda body: page_of(body, self._account), reply)

    def _check_order(self, page: EventPage, after: int, before: list[PortalEvent]) -> None:
        """Newest first and none twice, over all pages: a portal that pages in a circle is found out."""
        ids = [each.id for each in (*before[-1:], *page.events)]
        if any(first <= second for first, second in pairwise(ids)):
            raise self._off("/results is not in the order of ids, newest first")
        if ids and ids[-1] <= after:
            raise self._off("/results has an event that was not asked for")

    def _post(
        self, path: str, key: str, expected: tuple[str, ...], *, json: Mapping[str, Any] | None = None
    ) -> Reply:
        headers = {"Idempotency-Key": key}
        return self._tried(
            _ATTEMPTS,
            lambda: self._call("POST", self._path + path, json=json, headers=headers, expected=expected),
        )

    def _tried(self, times: int, ask: Callable[[], Reply]) -> Reply:
        """Ask again where the line broke; the portal knows the request by its key."""
        for _ in range(times - 1):
            try:
                return ask()
            except _BROKEN:
                continue
        return ask()

    def _call(self, method: str, path: str, **options: Any) -> Reply:
        token = {"Authorization": f"Bearer {self._tokens.token(self._client)}"}
        return self._client.request(method, path, headers={**token, **options.pop("headers", {})}, **options)

    def _understood(self, parse: Callable[[Mapping[str, Any]], T], reply: Reply) -> T:
        try:
            return parse(reply.body)
        except WrongShape as error:
            raise self._off(str(error)) from error

    def _off(self, what: str) -> ProtocolFault:
        return ProtocolFault(
            f"the portal's answer is not what its API promises: {what}",
            endpoint=self.endpoint,
            next_step="check portal.url and the version of the API; nothing was made of this answer",
        )

    def _refusal(self, reply: Reply, what: str, next_step: str) -> TargetError:
        return Refused(f"the portal {what}: {_words(reply)}", endpoint=self.endpoint, next_step=next_step)


def _words(reply: Reply) -> str:
    """Why the portal refused; the transport has made it safe to show."""
    return str(reply.body.get("detail") or reply.body.get("title") or "no reason")


def _kind(reply: Reply) -> str:
    kind = reply.body.get("type")
    return kind.rpartition(":")[2] if reply.status >= 400 and isinstance(kind, str) else ""


def _sound_run(run: str) -> str:
    if not _RUN.fullmatch(run):
        raise ValueError(f"{run!r} is no id of a run")
    return run


def _sound_key(key: str) -> str:
    if key and not _KEY.fullmatch(key):
        raise ValueError("an idempotency key has 1 to 255 plain characters")
    return key


def _rfc3339(moment: datetime) -> str:
    """UTC with milliseconds, as the portal writes it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
