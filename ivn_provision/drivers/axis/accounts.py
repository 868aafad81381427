"""`pwdgrp.cgi` and `usergroup.cgi`: the accounts on a camera (facts/axis.md, 7). Errors come as HTTP 200."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ivn_provision.drivers.axis.forms import Form
from ivn_provision.drivers.axis.replies import garbled, page_of, refused
from ivn_provision.secret import Secret
from ivn_provision.transports.masking import said
from ivn_provision.transports.vapix import VapixReply

PATH = "/axis-cgi/pwdgrp.cgi"
WHO = "/axis-cgi/usergroup.cgi"
NAME = re.compile(r"[A-Za-z0-9]{1,14}")
ROLES: Mapping[str, str] = {
    "administrator": "admin:operator:viewer",
    "operator": "operator:viewer",
    "viewer": "viewer",
}
_GROUPS = {"administrator": "admin", "operator": "operator", "viewer": "viewer"}
_LINE = re.compile(r'\s*([A-Za-z0-9_-]+)\s*=\s*"?([^"]*)"?\s*')
_ERROR = re.compile(r"Error:\s*([^<\n]*)")
_DONE = re.compile(r"(?:Created|Modified|Removed) account ([^<\n]{1,64}?)\.\s")
_MOST = 1000
"""Accounts. How many a camera can have is unknown; nobody has so many."""

GET = Form((("action", "get"),))


@dataclass(frozen=True, slots=True)
class Account:
    """A person's account; `role` is "" for one in none of the three groups."""

    name: str
    role: str
    ptz: bool


def parse_accounts(reply: VapixReply) -> tuple[Account, ...]:
    """The accounts of people: old firmware lists all groups of its system too. Raises Refused, ProtocolFault."""
    text = page_of(reply)
    if error := _ERROR.search(text):
        raise refused(reply, error[1])
    groups: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        if line.strip() and (found := _LINE.fullmatch(line)):
            groups[found[1].lower()] = tuple(each.strip() for each in found[2].split(",") if each.strip())
    people = groups.get("digusers", groups.get("users"))
    if people is None:
        raise garbled(reply, "a list of accounts without digusers or users")
    if max(map(len, groups.values())) > _MOST:
        raise garbled(reply, f"more than {_MOST} accounts")
    return tuple(Account(each, _role(each, groups), each in groups.get("ptz", ())) for each in people)


def _role(name: str, groups: Mapping[str, tuple[str, ...]]) -> str:
    return next((role for role, group in _GROUPS.items() if name in groups.get(group, ())), "")


def add_form(name: str, password: Secret, role: str, *, ptz: bool) -> Form:
    pairs = (("user", name), ("pwd", password), ("grp", "users"), ("sgrp", _groups(role, ptz=ptz)))
    return Form((("action", "add"), *pairs, ("comment", "ivn-provision")))


def update_form(name: str, password: Secret | None, role: str, *, ptz: bool) -> Form:
    """Without a password it stays as it is."""
    secret: tuple[tuple[str, str | Secret], ...] = (("pwd", password),) if password is not None else ()
    return Form((("action", "update"), ("user", name), *secret, ("sgrp", _groups(role, ptz=ptz))))


def remove_form(name: str) -> Form:
    return Form((("action", "remove"), ("user", name)))


def _groups(role: str, *, ptz: bool) -> str:
    return ROLES[role] + (":ptz" if ptz else "")


def check_done(reply: VapixReply, name: str, secrets: tuple[str, ...] = ()) -> None:
    """Raises Refused for an `Error:`, ProtocolFault where the change of this account is not confirmed."""
    text = page_of(reply)
    if _ERROR.search(text):
        shown = said(text, secrets)  # before anything is cut: half a secret is not masked
        error = _ERROR.search(shown)
        raise refused(reply, error[1] if error else shown)
    done = _DONE.search(text)
    if done is None or done[1] != name:
        raise garbled(reply, "neither a changed account nor an error")


def parse_who(reply: VapixReply) -> str:
    """The account that asked, "" where the answer does not say. Raises ProtocolFault."""
    lines = page_of(reply).splitlines()
    return lines[0].strip() if lines and "<" not in lines[0] else ""
