"""Talking to a running lab over its control API, with the standard library only."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivn_provision.cli import lab_cameras
from ivn_provision.errors import LabError

STATE_FILE = "lab.json"
_CALL_SECONDS = 60.0
_STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Running:
    """What `lab.json` says."""

    pid: int
    control_url: str
    token: str


def load(directory: Path) -> Running | None:
    """The lab whose files are in `directory`; None if no state file is there. Raises LabError if it is broken."""
    file = directory / STATE_FILE
    try:
        state = json.loads(file.read_text("utf-8"))
        running = Running(int(state["pid"]), str(state["control_url"]), str(state["token"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LabError(
            f"{file} cannot be read: {error}", where=str(file), next_step="delete it if no lab runs"
        ) from None
    if not running.control_url.startswith("http://127."):
        raise LabError(
            f"{file} names no loopback address", where=str(file), next_step="delete it if no lab runs"
        )
    return running


def refuse_if_running(directory: Path) -> None:
    """Raises LabError if a lab answers here; a state file that a dead one left is removed."""
    running = load(directory)
    if running is None:
        return
    if _answers(running):
        raise LabError(
            f"a lab runs already in {directory} (process {running.pid})",
            next_step=f"use it, or stop it with `ivn-provision lab down --dir {directory}`",
        )
    (directory / STATE_FILE).unlink(missing_ok=True)


def forget(directory: Path, pid: int) -> None:
    """Remove the state file of process `pid`, and of no other."""
    running = load(directory)
    if running is not None and running.pid == pid:
        (directory / STATE_FILE).unlink(missing_ok=True)


def call(directory: Path, action: str, arguments: Mapping[str, Any] | None = None) -> Any:
    """Ask the running lab to do something; its result as JSON. Raises LabError."""
    running = load(directory)
    if running is None:
        raise not_running(directory)
    try:
        return _request(running, action, arguments or {}, _CALL_SECONDS)
    except OSError as error:
        raise not_running(directory, f"it does not answer: {getattr(error, 'reason', error)}") from None


def stop(directory: Path) -> None:
    """Stop the lab and wait until it is gone. Raises LabError."""
    call(directory, "shutdown")
    deadline = time.monotonic() + _STOP_SECONDS
    while (directory / STATE_FILE).exists():
        if time.monotonic() > deadline:
            raise LabError(
                f"the lab did not stop within {_STOP_SECONDS:g} s", next_step="end its process by hand"
            )
        time.sleep(0.05)


def not_running(directory: Path, why: str = "") -> LabError:
    """The error of every command that needs a lab."""
    detail = f": {why}" if why else ""
    return LabError(
        f"no lab runs in {directory}{detail}",
        where=str(directory),
        next_step="start one with `ivn-provision lab up --detach`",
    )


def _answers(running: Running) -> bool:
    try:
        _request(running, "counters", {}, 5.0)
    except (OSError, LabError):
        return False
    return True


def _request(running: Running, action: str, arguments: Mapping[str, Any], timeout: float) -> Any:
    from urllib.error import HTTPError
    from urllib.request import ProxyHandler, Request, build_opener

    request = Request(  # noqa: S310 - `load` made sure that it is http on loopback
        f"{running.control_url}/{action}",
        data=json.dumps(arguments).encode(),
        headers={"Authorization": f"Bearer {running.token}", "Content-Type": "application/json"},
    )
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=timeout) as answer:
            return json.load(answer)["result"]
    except HTTPError as error:
        with error:
            body = _json_or_empty(error.read())
        summary = body.get("error") or f"the lab's control answered {error.code}"
        raise LabError(str(summary), next_step=str(body.get("next_step", ""))) from None


def _json_or_empty(raw: bytes) -> Mapping[str, Any]:
    try:
        parsed = json.loads(raw)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def endpoint_lines(status: Mapping[str, Any]) -> list[str]:
    """Where everything is, for people."""
    mail = status["mail"]
    lines = [
        f"portal   {status['portal']['url']}  (PROPOSED API, simulated)",
        f"mail     {mail['host']}:{mail['port']}  ({mail['security']}, with login)",
        f"CA       {status['ca_file']}",
        f"secrets  {status['secrets']}/",
    ]
    sites = status["sites"]
    for site in sites[:10]:
        ports = (
            f"https {site['winrm_https_port']}, http {site['winrm_http_port']}, events {site['event_port']}"
        )
        lines.append(f"site     {site['key']}  {site['host']}  WinRM {ports}  user {site['username']}")
        lines += lab_cameras.place_lines(site)
    return [*lines, f"         … and {len(sites) - 10} more sites"] if len(sites) > 10 else lines


def status_lines(status: Mapping[str, Any]) -> list[str]:
    """`lab status` for people."""
    portal, mail = status["counters"]["portal"], status["counters"]["mail"]
    lines = [f"lab      {status['directory']}  (process {status['pid']})", *endpoint_lines(status)]
    lines += [
        "",
        "Counters",
        f"  portal: {portal['requests']} requests, {portal['writes']} writes, {portal['events']} events",
        f"  station: {portal['alarms']} alarms that were no test",
    ]
    lines += [f"  mail: {mail['mails']} taken, {mail['login_failures']} logins refused"]
    for key, counters in list(status["counters"]["recorders"].items())[:10]:
        shown = ", ".join(
            f"{name} {value}" for name, value in counters.items() if isinstance(value, int) and value
        )
        lines.append(f"  {key}: {shown or 'nothing yet'}")
    lines += lab_cameras.counter_lines(status)
    lines += ["", "Recorders", *_recorders(status)]
    lines += lab_cameras.camera_lines(status)
    lines += ["", "Faults", *(_faults(status) or ["  none"])]
    lines += ["", "Test windows", *(_windows(status) or ["  none"])]
    lines += ["", "Last mails", *(_mails(status) or ["  none"])]
    lines += [
        "",
        "Last portal events",
        *(_events(status["last_events"] + status["unknown_mails"]) or ["  none"]),
    ]
    lines += ["", "What the lab ASSUMES (not facts about the products)"]
    return lines + [f"  - {each}" for each in status["assumptions"]]


def alarm_words(state: Mapping[str, Any]) -> str:
    """What the portal shows of alarms on a site."""
    incident = f"an open incident: {state['open_incident']}" if state["open_incident"] else "no incident"
    return f"{'armed' if state['armed'] else 'disarmed'}, with {incident}"


def _recorders(status: Mapping[str, Any]) -> list[str]:
    return [
        f"  {site['key']}: {site['product']} {site['version']}, store {site['store']}, image server at "
        f"{site['host']}:{site['image_port']}"
        + (", ManagementApplication.exe is open" if site["management_application_open"] else "")
        + "".join(f", task {each['name']} at {each['due_at']}" for each in site["scheduled_tasks"])
        for site in status["sites"][:10]
    ]


def _faults(status: Mapping[str, Any]) -> list[str]:
    found = [(place, status[place]["faults"]) for place in ("portal", "mail")]
    found += [entry for site in status["sites"] for entry in _places(site)]
    return [f"  {place}: {', '.join(on)}" for place, on in (*found, *lab_cameras.faults(status)) if on]


def _places(site: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """A site and its cameras, with their faults."""
    yield site["key"], site["faults"]
    yield from ((each["place"], each["faults"]) for each in site["onvif"])


def _windows(status: Mapping[str, Any]) -> list[str]:
    return [
        f"  {each['site']}: run {each['run']} until {each['until']}: {each['reason']}"
        for each in status["test_windows"]
    ]


def _mails(status: Mapping[str, Any]) -> list[str]:
    taken = [
        f"  {mail['received_at']}  {mail['login'] or 'no login'}  to {', '.join(mail['to'])}"
        for mail in status["last_mails"]
    ]
    failed = [
        f"  {mail['at']}  {site['key']}: {mail['event']} NOT SENT to {mail['server']}: {mail['error']}"
        for site in status["sites"]
        for mail in site["last_recorder_mails"]
        if mail["error"]
    ]
    return taken + failed + lab_cameras.failed_mails(status)


def _events(events: Iterable[Mapping[str, Any]]) -> list[str]:
    return [
        f"  {event['received_at']}  {event['site'] or event['recipient']}  {event['trigger'] or '?'}  {event['parse_status']}"
        + _fate(event)
        + (f": {event['detail']}" if event["detail"] else "")
        for event in events
    ]


def _fate(event: Mapping[str, Any]) -> str:
    """Test or alarm, how it was released, and its clips."""
    release = event["release"]["status"] if event["release"] else ""
    clips = ", ".join(f"clip {each['status']}" for each in event["clips"])
    said = [word for word in ("test" if event["test"] else "", release, clips) if word]
    return f" ({', '.join(said)})" if said else ""
