"""The accounts of a camera and `/axis-cgi/pwdgrp.cgi` (facts/axis.md, 7). All its answers are HTTP 200 with HTML."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from ivn_provision.lab.camera.calls import Call, Right
from ivn_provision.lab.nvr.http_wire import HttpResponse

_NAME = re.compile(r"[A-Za-z0-9]{1,14}")
_GROUPS = {"viewer": Right.VIEWER, "operator": Right.OPERATOR, "admin": Right.ADMIN}


@dataclass(frozen=True, slots=True)
class Account:
    """`groups` are of `viewer`, `operator`, `admin`, `ptz`."""

    name: str
    password: str
    groups: tuple[str, ...]

    @property
    def right(self) -> Right:
        return max((_GROUPS[each] for each in self.groups if each in _GROUPS), default=Right.ANYONE)


class _Refused(Exception):
    """The text says why."""


class Accounts:
    """Kept by name; `write` is entered around each change, `changed` called after it."""

    def __init__(
        self, write: Callable[[str], AbstractContextManager[None]], changed: Callable[[], None]
    ) -> None:
        self.all: dict[str, Account] = {}
        self._write, self._changed = write, changed

    def answer(self, call: Call) -> HttpResponse:
        """Raises Cut, if a fault says so."""
        action = call.fields.get("action", "")
        if action == "get":
            return HttpResponse(200, [("Content-Type", "text/plain")], self._listed().encode())
        known = {"add": self._add, "update": self._update, "remove": self._remove}
        if action not in known:
            return _page("Error: unknown action.")
        try:
            with self._write(f"pwdgrp.{action}"):
                text = known[action](call)
                self._changed()
        except _Refused as refused:
            return _page(str(refused))
        return _page(text)

    def who(self, call: Call) -> HttpResponse:
        """`usergroup.cgi`: the account that asks, then its groups, as public clients read it."""
        found = self.all.get(call.user)
        text = f"{call.user}\n{' '.join((call.user, *found.groups))}\n" if found else "\n"
        return HttpResponse(200, [("Content-Type", "text/plain")], text.encode())

    def _listed(self) -> str:
        lines = []
        for line, group in (
            ("admin", "admin"),
            ("operator", "operator"),
            ("viewer", "viewer"),
            ("ptz", "ptz"),
        ):
            lines.append(f'{line}="{self._names(group)}"')
        return "".join(f"{line}\r\n" for line in [*lines, f'digusers="{",".join(self.all)}"'])

    def _names(self, group: str) -> str:
        return ",".join(each.name for each in self.all.values() if group in each.groups)

    def _add(self, call: Call) -> str:
        name, password = call.fields.get("user", ""), call.fields.get("pwd", "")
        if not _NAME.fullmatch(name):
            raise _Refused("Error: account user name.")
        if name in self.all:
            raise _Refused("Error: this user name already exists, consult the system log file.")
        self.all[name] = Account(name, _password(password), _groups(call.fields.get("sgrp", "")))
        return f"Created account {name}."

    def _update(self, call: Call) -> str:
        old = self.all.get(call.fields.get("user", ""))
        if old is None:
            raise _Refused("Error: account user name.")
        password, groups = call.fields.get("pwd"), call.fields.get("sgrp")
        new = old if password is None else replace(old, password=_password(password))
        self.all[old.name] = new if groups is None else replace(new, groups=_groups(groups))
        return f"Modified account {old.name}."

    def _remove(self, call: Call) -> str:
        name = call.fields.get("user", "")
        if name not in self.all or name == "root":
            raise _Refused("Error: account user name.")
        del self.all[name]
        return f"Removed account {name}."


def _password(text: str) -> str:
    if not text or not text.isascii() or not text.isprintable():
        raise _Refused("Error: invalid password.")
    return text


def _groups(text: str) -> tuple[str, ...]:
    groups = tuple(dict.fromkeys(each for each in text.split(":") if each))
    if not set(groups) <= {*_GROUPS, "ptz"} or "viewer" not in groups:
        raise _Refused("Error: invalid group.")
    return groups


def _page(text: str) -> HttpResponse:
    body = f"<html><head><title>User accounts</title></head><body bgcolor=#ffffff>{text}\n</body></html>\n"
    return HttpResponse(200, [("Content-Type", "text/html")], body.encode())
