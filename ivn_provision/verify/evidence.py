"""Everything that checks look at: gathered once, in one round trip to the recorder and a few probes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ivn_provision.drivers.axis.seen import CameraSeen
from ivn_provision.drivers.onvif.seen import OnvifSeen
from ivn_provision.drivers.portal.testing_values import Connectivity, PortalEvent
from ivn_provision.drivers.xprotect_e.camera_images import CameraImage
from ivn_provision.drivers.xprotect_e.smtp_probe import SmtpDialogue
from ivn_provision.drivers.xprotect_e.windows_seen import WindowsSeen
from ivn_provision.model.kinds import KINDS
from ivn_provision.model.live import Facts
from ivn_provision.model.resource import Address, Resource
from ivn_provision.model.site_targets import targets_of
from ivn_provision.model.targets import CAMERA, family
from ivn_provision.plan.plan import Action, Change, SitePlan
from ivn_provision.spec.site import Site


@dataclass(frozen=True, slots=True)
class Evidence:
    """`missing` says why a source is not there, by its name: `nvr`, `portal`, `smtp`, `images`, `connectivity`,
    `events`, `onvif` (all cameras), `onvif 10` (that one; `onvif` and `missing` are by camera number). `logins` are HTTP statuses of logins at the image server, by user. `foreign` are live objects that
    are neither ours nor declared. `images` are by camera number, None if the account could not ask for any.
    `cameras` are those that the site manages itself, by number; why one is not there is said by its target (`camera-10`).
    `test_until` is set while the site is on test. `events` are the portal's newest, newest first; `all_events`: are these all that there are?"""

    site: Site
    now: datetime
    plan: SitePlan | None = None
    facts: Mapping[str, Facts] = field(default_factory=dict)
    windows: WindowsSeen | None = None
    logins: Mapping[str, int] = field(default_factory=dict)
    foreign: tuple[Resource, ...] = ()
    smtp: SmtpDialogue | None = None
    images: Mapping[int, CameraImage] | None = None
    connectivity: Connectivity | None = None
    events: tuple[PortalEvent, ...] = ()
    all_events: bool = False
    test_until: str = ""
    cameras: Mapping[int, CameraSeen] = field(default_factory=dict)
    onvif: Mapping[int, OnvifSeen] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    def changes(self, kind: str) -> Iterator[tuple[Change, str]]:
        """Differences of a kind from what is declared: with the field, or "" for a whole object."""
        changes = [each for each in (self.plan.changes if self.plan else ()) if each.address.kind == kind]
        made = {each.address for each in changes if each.action is Action.CREATE}
        for change in changes:
            if change.action is not Action.UPDATE:
                yield change, ""
            elif change.address not in made:
                yield from ((change, each.name) for each in change.fields)

    def live(self, kind: str) -> Iterator[tuple[Address, Mapping[str, object]]]:
        """Live objects of ours, of a kind."""
        for address, fields in self.plan.live.items() if self.plan else ():
            if address.kind == kind:
                yield address, fields

    def is_unread(self, kind: str) -> bool:
        """Is it unknown whether objects of the kind are there at all?"""
        targets = self.targets_of(kind)
        facts = [self.facts.get(each) for each in targets if each not in self.missing]
        return not facts or any(each is None or kind in each.capabilities.unread for each in facts)

    def is_partly_read(self, kind: str) -> bool:
        """Were some of the targets read that have objects of a kind?"""
        return any(each in self.facts for each in self.targets_of(kind))

    def targets_of(self, kind: str) -> tuple[str, ...]:
        """The targets that have objects of a kind: one, or every camera that the site manages itself."""
        name = KINDS[kind].target
        if name != CAMERA:
            return (name,)
        return tuple(sorted(each for each in targets_of(self.site) if family(each) == CAMERA))

    def why_missing(self, kind: str) -> str:
        """Why targets of a kind were not read; "" if all were."""
        found = [(each, self.missing[each]) for each in self.targets_of(kind) if each in self.missing]
        if KINDS[kind].target != CAMERA:
            return "".join(why for _, why in found)
        return "; ".join(f"{target}: {why}" for target, why in found)
