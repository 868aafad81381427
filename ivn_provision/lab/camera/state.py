"""What a camera keeps between two runs of the lab: one JSON file that only its owner can read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ivn_provision.lab.camera.accounts import Account, Accounts
from ivn_provision.lab.camera.book import Book, from_json, to_json
from ivn_provision.lab.camera.params import Parameters
from ivn_provision.lab.tls import write_private


def save(file: Path, profile: str, params: Parameters, accounts: Accounts, book: Book) -> None:
    """Write all of it."""
    groups = {key: params.entries(each) for key, each in params.groups.items()}
    users = [[each.name, each.password, list(each.groups)] for each in accounts.all.values()]
    data = {"profile": profile, "values": params.values, "groups": groups, "users": users, **to_json(book)}
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(file, json.dumps(data, indent=1).encode())


def load(file: Path, profile: str) -> Mapping[str, Any] | None:
    """What was saved for this profile; None if there is nothing, or nothing that can be read."""
    try:
        data = json.loads(file.read_text("utf-8"))
        return data if data["profile"] == profile else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def restore(data: Mapping[str, Any], params: Parameters, accounts: Accounts) -> Book:
    """Put it back; the rules of it. The account that the lab logs in with is there in any case."""
    for key, entries in data["groups"].items():
        template = params.groups[key]
        for entry in set(params.entries(template)) - set(entries):
            params.remove(f"{template.group}.{entry}")
        for entry in entries:
            if entry not in params.entries(template):
                params.restore_group(key, entry)
    params.values.update(
        {name: value for name, value in data["values"].items() if name in params.definitions}
    )
    for name, password, groups in data["users"]:
        accounts.all[name] = Account(name, password, tuple(groups))
    return from_json(data)
