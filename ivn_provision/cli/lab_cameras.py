"""What `lab status` says of the Axis cameras that a lab plays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_MOST = 10
Status = Mapping[str, Any]


def place_lines(site: Status) -> list[str]:
    """Where the cameras of a site are."""
    return [
        f"camera   {site['key']}/{each['target']}  {each['host']}  VAPIX https {each['https_port']}, "
        f"http {each['http_port']}  user {each['username']}  ({each['product']}, {each['firmware']})"
        for each in site["axis_cameras"]
    ]


def counter_lines(status: Status) -> list[str]:
    """A line for each of the first cameras."""
    return [
        f"  {name}: {each['requests']} requests, {each['writes']} writes, {each['rules_fired']} rules fired, "
        f"{each['mails_sent']} mails sent"
        for name, each in list(status["counters"]["cameras"].items())[:_MOST]
    ]


def camera_lines(status: Status) -> list[str]:
    """What each has; with a heading, or nothing without cameras."""
    lines = [
        f"  {name}: {each['product']} {each['firmware']}, {_count(each['rules'], 'rule')}, "
        f"{_count(each['configurations'], 'action configuration')}, {_count(each['recipients'], 'recipient')}"
        for name, each in _all(status)
    ]
    return ["", "Axis cameras", *lines[:_MOST]] if lines else []


def faults(status: Status) -> Iterator[tuple[str, list[str]]]:
    """Those that are on, by camera."""
    yield from ((name, each["faults"]) for name, each in _all(status) if each["faults"])


def failed_mails(status: Status) -> list[str]:
    """Mails that no server took."""
    return [
        f"  {mail['at']}  {name}: {mail['rule']} NOT SENT to {mail['server']}: {mail['error']}"
        for name, each in _all(status)
        for mail in each["last_mails"]
        if mail["error"]
    ]


def _count(found: Sequence[object], word: str) -> str:
    return f"{len(found)} {word}{'' if len(found) == 1 else 's'}"


def _all(status: Status) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for site in status["sites"]:
        yield from ((f"{site['key']}/{each['target']}", each) for each in site["axis_cameras"])
