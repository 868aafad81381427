"""Reading events: the list, and the mail that an event came of."""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from starlette.responses import JSONResponse, Response

from ivn_provision.lab.clock import parse_rfc3339, rfc3339
from ivn_provision.lab.mail.message import Mail
from ivn_provision.lab.portal import paging, requests
from ivn_provision.lab.portal.calls import Call, Core, existing
from ivn_provision.lab.portal.problems import not_found
from ivn_provision.lab.portal.releases import shown_release
from ivn_provision.lab.portal.store import Json, Store, Wanted

LARGEST_MAIL = 256 * 1024
_LATE = timedelta(seconds=3)
_OLD = timedelta(days=100)
# what an event of an older database does not have
_UNSAID: Json = {"peer": None, "release": None, "test_session": None}
_SESSION = re.compile(r"[a-z0-9-]{1,40}")


async def list_events(call: Call) -> Response:
    """`GET /sites/{site_key}/events`, newest first. A deleted site's events are not reachable."""
    size, position = requests.page_size(call.request), paging.position(call.request)
    if position and not position.isdigit():
        raise paging.bad_token()
    wanted = Wanted(
        existing(call, "site").path.site,
        after=requests.whole_number(call.request, "after_id"),
        since=requests.since(call.request, "received_since"),
        session=_session(call),
        until=_until(call.core),
    )
    before = min(int(position), sys.maxsize) if position else sys.maxsize
    found = events_of(call.core, replace(wanted, before=before), size + 1)
    page = found[:size]
    return JSONResponse(
        {
            "results": page,
            "next_page_token": paging.make_token(str(page[-1]["id"])) if len(found) > size else None,
            "total_size": call.core.store.count_events(wanted),
        }
    )


def events_of(core: Core, wanted: Wanted, limit: int) -> list[Json]:
    """Events as the API shows them, newest first. Under the fault `events-old` they came 100 days earlier."""
    return _shown(core, core.store.events(wanted, limit))


def newest_mails(core: Core, sites: Sequence[str]) -> dict[str, Json]:
    """By site the newest event that could be read, as the API shows it."""
    return {each["site"]: each for each in _shown(core, core.store.newest_mails(sites, _until(core)))}


def _shown(core: Core, events: list[Json]) -> list[Json]:
    now = rfc3339(core.clock())
    found = [_UNSAID | each for each in events]
    if "events-old" in core.faults:
        found = [each | {"received_at": _older(each["received_at"])} for each in found]
    return [each | {"release": shown_release(each["release"], now)} for each in found]


async def get_mail(call: Call) -> Response:
    """`GET /sites/{site_key}/events/{event_id}/mail`"""
    site = existing(call, "site").path.site
    text = call.request.path_params["event_id"]
    number = int(text) if re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) else 0
    sql = "SELECT raw, envelope FROM mails JOIN events ON events.id=event WHERE event=? AND site=?"
    rows = call.core.store.rows(sql, (number, site))
    if not rows:
        raise not_found(f"mail of such an event of site {site}")
    raw, envelope = rows[0]
    return JSONResponse({"raw": base64.b64encode(raw).decode(), **json.loads(envelope)})


def keep_mail(store: Store, number: int, mail: Mail, peer: str) -> None:
    """Keep what an event came of, at most 256 KiB of it."""
    envelope = {
        "sender": mail.sender,
        "recipients": list(mail.recipients),
        "peer": peer,
        "received_at": rfc3339(mail.received_at),
        "tls": mail.tls,
        "truncated": len(mail.raw) > LARGEST_MAIL,
    }
    row = (number, mail.raw[:LARGEST_MAIL], json.dumps(envelope))
    store.execute("INSERT OR REPLACE INTO mails VALUES (?,?,?)", row)


def _older(received_at: str) -> str:
    return rfc3339(parse_rfc3339(received_at) - _OLD)


def _session(call: Call) -> str:
    text = call.request.query_params.get("test_session")
    if text is not None and not _SESSION.fullmatch(text):
        raise requests.bad_parameter("test_session", "test_session is the id of a test session")
    return text or ""


def _until(core: Core) -> str:
    """Under the fault `events-late` an event is seen three seconds after it came."""
    late = _LATE if "events-late" in core.faults else timedelta()
    return rfc3339(core.clock() - late) if late else Wanted("").until
