"""The agent's verb `smtp`: the dialogue that the recorder would have with a mail server, up to RCPT, never DATA."""

from __future__ import annotations

import base64
import ipaddress
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ivn_provision.lab.nvr.agent_line import (
    Line,
    LineFailure,
    Route,
    hider,
    latin,
    opened,
    plain,
    short_text,
    whole_within,
)
from ivn_provision.lab.nvr.agent_machine import Windows
from ivn_provision.lab.nvr.agent_tls import Seen, entered
from ivn_provision.lab.nvr.agent_values import Json, Object, bad_arguments, text, texts

_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")
_ADDRESS = re.compile(r"[!-;=?-~]{1,254}")
_USERNAME = re.compile(r"[^\x00- \x7f-\x9f<>]*")
_ROW = re.compile(r"([2-5][0-9][0-9])(?:([ -])(.*))?")
_EXTENSION = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]{0,39})(?:[ =](.*))?")
_LONGEST_ROW = 2000
_MOST_ROWS = 100


@dataclass(frozen=True, slots=True, repr=False)
class _Asked:
    host: str
    port: int
    security: str
    username: str
    password: str
    sender: str
    recipients: Sequence[str]
    seconds: int
    trust_any: bool

    def login(self) -> str:
        """AUTH PLAIN's answer (RFC 4616)."""
        return _base64(f"\0{self.username}\0{self.password}")

    def secrets(self) -> list[str]:
        """The login in every form that was sent or may come back."""
        found = [self.login()] if self.username else []
        for each in (self.password, self.username):
            found += [_base64(each), latin(each), each]
        return found

    def plan(self) -> list[str]:
        """The stages to come."""
        return [
            "connect",
            *(["tls"] if self.security == "tls" else []),
            "banner",
            "ehlo",
            *(["starttls", "tls", "ehlo"] if self.security == "starttls" else []),
            *(["auth"] if self.username else []),
            "mail",
            *["rcpt" for _ in self.recipients],
            "quit",
        ]


@dataclass(frozen=True, slots=True)
class _Result:
    ok: bool
    code: int = 0
    text: str = ""
    rows: tuple[str, ...] = ()


@dataclass(slots=True)
class _Talk:
    """One dialogue under way."""

    asked: _Asked
    windows: Windows
    deadline: float
    route: Route | None = None
    line: Line | None = None
    local: str = ""
    seen: Seen | None = None
    words: dict[str, str] = field(default_factory=dict)
    asked_for: int = 0

    def send(self, command: str) -> _Result:
        """A command and its answer."""
        self.open_line.write(f"{command}\r\n".encode("latin-1"))
        return self.answer()

    @property
    def open_line(self) -> Line:
        assert self.line is not None
        return self.line

    def answer(self) -> _Result:
        """A reply of one or more rows (RFC 5321, 4.2.1)."""
        rows: list[str] = []
        code = ""
        while True:
            found = _ROW.fullmatch(self._row())
            if not found or (code and found[1] != code) or len(rows) >= _MOST_ROWS:
                raise LineFailure("not an SMTP answer")
            code = found[1]
            rows.append(found[3] or "")
            if found[2] != "-":
                break
        shown = " ".join(rows)
        hides = hider(self.asked.secrets())
        shown = hides.sub("***", shown) if hides else shown
        return _Result(code.startswith("2"), int(code), plain(shown, 200), tuple(rows))

    def _row(self) -> str:
        line = self.open_line
        while b"\n" not in line.received:
            if len(line.received) > _LONGEST_ROW:
                raise LineFailure("not an SMTP answer")
            line.read_more()
        row, _, line.received = line.received.partition(b"\n")
        if len(row) > _LONGEST_ROW:
            raise LineFailure("not an SMTP answer")
        return row.rstrip(b"\r").decode("latin-1")


def smtp(step: Object, windows: Windows) -> Object:
    """Verb `smtp`."""
    asked = _asked(step)
    talk = _Talk(asked, windows, time.monotonic() + asked.seconds)
    try:
        stages = _stages(talk)
    finally:
        if talk.line is not None:
            talk.line.close()
    return {
        "stages": stages,
        "extensions": sorted(talk.words),
        "tls": talk.seen.as_json() if talk.seen else None,
        "local_address": talk.local,
        "address": talk.route.real[0] if talk.route and talk.line else "",
    }


def _asked(step: Object) -> _Asked:
    host, security, sender = text(step, "host"), text(step, "security"), text(step, "sender")
    port, seconds = whole_within(step, "port", 1, 65535), whole_within(step, "timeout_seconds", 1, 60)
    username, password = short_text(step, "username", 255), short_text(step, "password", 255)
    recipients, trust_any = texts(step, "recipients"), step.get("trust_any", False)
    if not isinstance(trust_any, bool) or not 1 <= len(recipients) <= 10:
        raise bad_arguments()
    if not (_HOST.fullmatch(host) and security in {"none", "starttls", "tls"}):
        raise bad_arguments()
    if not _USERNAME.fullmatch(username) or not all(map(_ADDRESS.fullmatch, (sender, *recipients))):
        raise bad_arguments()
    return _Asked(host, port, security, username, password, sender, recipients, seconds, trust_any)


def _stages(talk: _Talk) -> list[Json]:
    """Every stage up to the first that fails."""
    found: list[Json] = []
    for stage in talk.asked.plan():
        try:
            result = _STAGES[stage](talk)
        except LineFailure as failure:
            result = _Result(ok=False, text=str(failure))
        found.append({"stage": stage, "ok": result.ok, "code": result.code, "text": result.text})
        if not result.ok:
            if stage not in {"connect", "tls", "quit"}:
                _leave(talk)
            break
    return found


def _leave(talk: _Talk) -> None:
    """Good manners after a failure; whatever is answered."""
    talk.open_line.deadline = min(talk.deadline, time.monotonic() + 1)
    try:
        talk.send("QUIT")
    except LineFailure:
        return


def _connect(talk: _Talk) -> _Result:
    talk.route = talk.windows.route(talk.asked.host, talk.asked.port)
    if talk.route is None:
        raise LineFailure("the name is not known")
    talk.line = opened(talk.route, talk.deadline)
    talk.local = str(talk.line.sock.getsockname()[0])
    return _Result(ok=True)


def _hello(talk: _Talk) -> _Result:
    is_old = ipaddress.ip_address(talk.local).version == 4
    answer = talk.send(f"EHLO [{talk.local}]" if is_old else f"EHLO [IPv6:{talk.local}]")
    talk.words = {}
    for row in answer.rows[1:] if answer.ok else ():
        if found := _EXTENSION.fullmatch(row):
            word = found[1].upper()
            talk.words[word] = f"{talk.words.get(word, '')} {found[2] or ''} "
    return answer


def _starttls(talk: _Talk) -> _Result:
    if "STARTTLS" not in talk.words:
        return _Result(ok=False, text="not offered")
    answer = talk.send("STARTTLS")
    if answer.ok and talk.open_line.received:
        # what came behind it in clear text may be anybody's
        raise LineFailure("not an SMTP answer")
    return answer


def _tls(talk: _Talk) -> _Result:
    talk.seen = entered(talk.open_line, talk.asked.host, talk.windows.system.trusted_roots)
    return _Result(ok=True)


def _login(talk: _Talk) -> _Result:
    asked = talk.asked
    if talk.seen is None and not (talk.route and talk.route.is_own):
        return _Result(ok=False, text="not sent in clear text")
    if talk.seen is not None and not talk.seen.valid and not asked.trust_any:
        return _Result(ok=False, text="the certificate is not trusted here")
    ways = talk.words.get("AUTH", "")
    if re.search(r" [Pp][Ll][Aa][Ii][Nn] ", ways):
        return talk.send(f"AUTH PLAIN {asked.login()}")
    if not re.search(r" [Ll][Oo][Gg][Ii][Nn] ", ways):
        return _Result(ok=False, text="neither PLAIN nor LOGIN is offered")
    answer = talk.send("AUTH LOGIN")
    for each in (asked.username, asked.password):
        if answer.code == 334:
            answer = talk.send(_base64(each))
    return answer


def _rcpt(talk: _Talk) -> _Result:
    recipient = talk.asked.recipients[talk.asked_for]
    talk.asked_for += 1
    return talk.send(f"RCPT TO:<{recipient}>")


def _base64(value: str) -> str:
    return base64.b64encode(value.encode("utf-8")).decode("ascii")


_STAGES: dict[str, Callable[[_Talk], _Result]] = {
    "connect": _connect,
    "tls": _tls,
    "banner": _Talk.answer,
    "ehlo": _hello,
    "starttls": _starttls,
    "auth": _login,
    "mail": lambda talk: talk.send(f"MAIL FROM:<{talk.asked.sender}>"),
    "rcpt": _rcpt,
    "quit": lambda talk: talk.send("QUIT"),
}
