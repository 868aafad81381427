"""Sites as they are read: one, or a page of them, with what was asked for beside them."""

from __future__ import annotations

from collections import defaultdict

from starlette.responses import JSONResponse, Response

from ivn_provision.lab.portal import paging, requests
from ivn_provision.lab.portal.calls import Call, existing
from ivn_provision.lab.portal.events import newest_mails
from ivn_provision.lab.portal.objects import show_alarm_input, show_device, show_site
from ivn_provision.lab.portal.store import Chosen, Json, Stored


async def list_sites(call: Call) -> Response:
    """`GET /sites`: filtered, then cut into pages by key."""
    size, after = requests.page_size(call.request), paging.position(call.request)
    included = requests.include(call.request, of_list=True)
    chosen = Chosen(
        requests.status(call.request),
        requests.since(call.request, "updated_since"),
        tuple(requests.labels(call.request)),
    )
    store = call.core.store
    found, total = store.sites(chosen, after, size + 1)
    page, more = found[:size], len(found) > size
    answer: Json = {
        "results": _shown(call, page, included),
        "next_page_token": paging.make_token(page[-1].path.site) if more else None,
        "total_size": total,
    }
    if "vacant_leases" in included and not after:
        answer["vacant_leases"] = call.core.leases.vacant(store.site_keys())
    return JSONResponse(answer)


async def get_site(call: Call) -> Response:
    """`GET /sites/{site_key}`"""
    included = requests.include(call.request)
    site = existing(call, "site")
    (shown,) = _shown(call, [site], included)
    return JSONResponse(shown, headers={"ETag": site.etag})


def show(call: Call, stored: Stored) -> Json:
    """A site with what the portal knows of it besides."""
    held, key = call.core.leases, stored.path.site
    more = {
        "test_mode": call.core.sessions.test_mode(key),
        "lease": held.show(key),
        "alarm_state": held.show_alarm(key),
    }
    return {**show_site(stored), **more}


def _shown(call: Call, page: list[Stored], included: frozenset[str]) -> list[Json]:
    if not page:
        return []
    beside = _Beside(call, page, included)
    return [{**show(call, each), **beside(each.path.site)} for each in page]


class _Beside:
    """What was asked for beside the sites of a page: one query a kind, whatever the page's size."""

    def __init__(self, call: Call, page: list[Stored], included: frozenset[str]) -> None:
        store, first, last = call.core.store, page[0].path.site, page[-1].path.site
        self.with_devices = "devices" in included
        self.with_inputs = "alarm_inputs" in included
        self.with_mail = "newest_mail" in included and _may_read_events(call)
        self.devices: dict[str, list[Stored]] = defaultdict(list)
        self.inputs: dict[tuple[str, str], list[Json]] = defaultdict(list)
        for each in store.between("device", first, last) if self.with_devices else ():
            self.devices[each.path.site].append(each)
        for each in store.between("alarm_input", first, last) if self.with_inputs else ():
            self.inputs[each.path.site, each.path.device].append(show_alarm_input(each))
        self.mails = newest_mails(call.core, [each.path.site for each in page]) if self.with_mail else {}

    def __call__(self, site: str) -> Json:
        found: Json = {}
        if self.with_devices:
            found["devices"] = [self._device(each) for each in self.devices[site]]
        if self.with_mail:
            found["newest_mail"] = self.mails.get(site)
        return found

    def _device(self, device: Stored) -> Json:
        inputs = self.inputs[device.path.site, device.path.device]
        return show_device(device, inputs if self.with_inputs else None)


def _may_read_events(call: Call) -> bool:
    return call.grant is not None and "events:read" in call.grant.scopes
