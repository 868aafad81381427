"""Gathers what the checks of a site look at: one round trip to the recorder, and the portal beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from ivn_provision.drivers.axis.seen import CameraSeen
from ivn_provision.drivers.base import Reader
from ivn_provision.drivers.onvif.seen import OnvifSeen
from ivn_provision.drivers.portal.testing import PAGE_SIZE
from ivn_provision.drivers.portal.testing_values import Connectivity, PortalEvent
from ivn_provision.drivers.xprotect_e.agent_link import Answer, Step
from ivn_provision.drivers.xprotect_e.camera_images import CameraImage, images_of, images_step, why_not
from ivn_provision.drivers.xprotect_e.driver import XProtectReader
from ivn_provision.drivers.xprotect_e.image_server import Login
from ivn_provision.drivers.xprotect_e.smtp_probe import Mailbox, SmtpDialogue, smtp_dialogue, smtp_step
from ivn_provision.drivers.xprotect_e.store import bare
from ivn_provision.errors import AuthenticationFailed, IvnError, Refused, SecretError
from ivn_provision.model.resource import Address
from ivn_provision.model.targets import CAMERA, camera_number, family
from ivn_provision.plan.plan import SitePlan, TargetFacts
from ivn_provision.run.cameras import camera_seen
from ivn_provision.run.events import Event, Observer
from ivn_provision.run.events import Step as Doing
from ivn_provision.run.onvif import ONVIF, cameras_seen
from ivn_provision.run.planning import CAMERAS_AT_ONCE, Vouched, plan_site
from ivn_provision.run.side_by_side import camera_named, guarded, name_place, side_by_side
from ivn_provision.run.targets import Opener
from ivn_provision.spec.site import Site
from ivn_provision.spec.values import Computed
from ivn_provision.transports.winrm_settings import is_loopback
from ivn_provision.verify.checks import CHECKS
from ivn_provision.verify.evidence import Evidence
from ivn_provision.verify.registry import run
from ivn_provision.verify.result import Result

T = TypeVar("T")
SMTP_SECONDS, IMAGE_SECONDS = 15, 30
"""At most; less where the deadline of the whole reading is short: a silent camera must not cost the rest."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the checks of a site found. `error`: a target did not answer, so that its checks are inconclusive;
    without results nothing could be looked at; a camera that is looked at over ONVIF is one. `images` by camera number. `facts` are of those that answered.
    `plan` is of these too, and `errors` has the others, by target."""

    site: str
    results: tuple[Result, ...] = ()
    images: Mapping[int, CameraImage] | None = None
    error: IvnError | None = None
    facts: tuple[TargetFacts, ...] = ()
    plan: SitePlan | None = None
    errors: Mapping[str, IvnError] = field(default_factory=dict)


def check_sites(sites: tuple[Site, ...], opener: Opener, observer: Observer) -> tuple[Checked, ...]:
    """Look at every site, side by side. Nothing is written anywhere."""

    def check(site: Site) -> Checked:
        return guarded(
            site.name,
            lambda: check_site(site, opener, observer),
            lambda error: Checked(site.name, error=error),
        )

    return side_by_side(check, sites)


def check_site(site: Site, opener: Opener, observer: Observer) -> Checked:
    """The checks of one site. A target that does not answer makes its checks inconclusive."""
    readers = dict(opener.readers(site))
    try:
        gathering = _Gathering(site, opener, observer, readers)
        evidence = gathering.evidence()
    finally:
        for reader in readers.values():
            reader.close()
    errors = {name: gathering.errors[name] for name in readers if name in gathering.errors}
    errors |= {name: each for name, each in gathering.errors.items() if name.startswith(ONVIF)}
    if "portal" not in errors:  # what it does not answer is a trouble too; what the client may not ask is not
        seen = {name: gathering.errors.get(name) for name in ("connectivity", "events")}
        errors |= {
            name: error
            for name, error in seen.items()
            if error is not None and not isinstance(error, (AuthenticationFailed, Refused))
        }
    for each in errors.values():
        name_place(each, site.name)
    plan = evidence.plan
    return Checked(
        site=site.name,
        results=run(CHECKS, evidence),
        images=evidence.images,
        error=next(iter(errors.values()), None),
        facts=plan.facts if plan else (),
        plan=plan,
        errors=errors,
    )


class _Gathering:
    """What is missing is noted with its reason, by the names of Evidence."""

    def __init__(self, site: Site, opener: Opener, observer: Observer, readers: dict[str, Reader]) -> None:
        self.site, self.opener, self.observer, self.readers = site, opener, observer, readers
        self.missing: dict[str, str] = {}
        self.errors: dict[str, IvnError] = {}
        self.onvif: Mapping[int, OnvifSeen] = {}
        self.cameras: Mapping[int, CameraSeen] = {}
        self._login = self._portals_login()

    def evidence(self) -> Evidence:
        """The portal first: it knows the address that mails go to. Then all else, side by side."""
        nothing: Mapping[str, str] = {}
        computed = self._try("portal", self._computed, nothing)
        cameras = [each for each in self.readers if family(each) == CAMERA]
        with ThreadPoolExecutor(max_workers=4 + min(CAMERAS_AT_ONCE, len(cameras))) as pool:
            onvif = pool.submit(cameras_seen, self.site, self.opener)
            recorder = pool.submit(self._try, "nvr", lambda: self._recorder(computed), None)
            seen = pool.submit(self._try, "connectivity", self._connectivity, None)
            events = pool.submit(self._try, "events", self._events, ())
            looked = {
                each: pool.submit(self._try, each, partial(self._camera, each), None) for each in cameras
            }
            nvr, connectivity, newest = recorder.result(), seen.result(), events.result()
            self.onvif, errors = onvif.result()
            found = {camera_number(name) or 0: each.result() for name, each in looked.items()}
        self.cameras = {number: each for number, each in found.items() if each is not None}
        self.missing |= {name: f"{each.summary}: {each.next_step}" for name, each in errors.items()}
        self.errors |= errors
        return self._evidence(nvr, connectivity, newest)

    def _evidence(
        self, nvr: XProtectReader | None, connectivity: Connectivity | None, events: tuple[PortalEvent, ...]
    ) -> Evidence:
        opener = self.opener
        there = {name: each for name, each in self.readers.items() if name not in self.missing}
        vouched = Vouched(opener.attestations(self.site.name), opener.clock())
        plan = plan_site(self.site, there, opener.secret, self.observer, vouched) if there else None
        reading = nvr.reading() if nvr else None
        live = [resource for each in there.values() for resource in each.read().resources]
        facts = {name: each.probe() for name, each in there.items()}
        paired = set(plan.references.values()) if plan else set()
        return Evidence(
            site=self.site,
            now=opener.clock(),
            plan=plan,
            facts=facts,
            windows=reading.windows if reading else None,
            logins={each.login.name: each.status for each in reading.logins} if reading else {},
            foreign=tuple(each for each in live if not each.owned and each.handle not in paired),
            smtp=self._dialogue(nvr),
            images=self._images(nvr, plan),
            connectivity=connectivity,
            events=events,
            all_events=len(events) < PAGE_SIZE,
            test_until=facts["portal"].holding.test_until if "portal" in facts else "",
            cameras=self.cameras,
            onvif=self.onvif,
            missing=self.missing,
        )

    def _try(self, name: str, work: Callable[[], T], otherwise: T) -> T:
        try:
            return work()
        except IvnError as error:
            self.missing[name] = error.summary
            self.errors[name] = error
            return otherwise

    def _computed(self) -> Mapping[str, str]:
        portal = self.readers.get("portal")
        return portal.read().computed if portal else {}

    def _recorder(self, computed: Mapping[str, str]) -> XProtectReader | None:
        nvr = self.readers.get("nvr")
        if not isinstance(nvr, XProtectReader):
            return None
        self.observer.notify(Event(self.site.name, Doing.READING, "nvr"))
        nvr.ask_also(self._also(computed))
        nvr.probe()
        return nvr

    def _camera(self, target: str) -> CameraSeen | None:
        self.observer.notify(Event(self.site.name, Doing.READING, target))
        with camera_named(self.site.name, target):
            return camera_seen(self.site, target, self.readers[target], self.opener.clock)

    def _also(self, computed: Mapping[str, str]) -> list[Step]:
        """The SMTP dialogue and the pictures, as far as what they need is known; in this order."""
        steps = []
        if (smtp := self._smtp(computed)) is not None:
            steps.append(smtp)
        if self._login is not None:
            steps.append(images_step(self._login, self._within(IMAGE_SECONDS, 2)))
        return steps

    def _smtp(self, computed: Mapping[str, str]) -> Step | None:
        mail = self.site.mail
        if mail is None or mail.server is None:
            return None
        server = mail.server
        sender = _known(server.sender, computed)
        recipients = [_known(each, computed) for each in (mail.message.recipients if mail.message else ())]
        if not sender or not recipients or not all(recipients):
            self.missing["smtp"] = "the address that the portal generates is not known"
            return None
        try:
            password = self.opener.secret(server.password) if server.password else None
        except SecretError as error:
            self.missing["smtp"] = error.summary
            return None
        mailbox = Mailbox(
            server.host, server.port, server.security, sender, recipients, server.username or "", password
        )
        # the lab's own certificate is trusted by no Windows
        in_lab = self.site.nvr is not None and is_loopback(self.site.nvr.connect.host)
        return smtp_step(mailbox, self._within(SMTP_SECONDS, 4), trust_any=in_lab)

    def _within(self, seconds: int, share: int) -> int:
        """These seconds, or one part in so many of the deadline."""
        return max(1, min(seconds, int(self.opener.deadline_seconds / share)))

    def _portals_login(self) -> Login | None:
        """The account that the portal logs in with."""
        nvr, device = self.site.nvr, self.site.portal.device if self.site.portal else None
        if nvr is None or device is None or not device.username or device.password is None:
            self.missing["images"] = "the site file declares no account for the portal"
            return None
        port = (nvr.server_access.local_port if nvr.server_access else None) or 80
        try:
            login = Login(device.username, self.opener.secret(device.password), port)
        except SecretError as error:
            self.missing["images"] = error.summary
            return None
        if not login.is_sent:
            self.missing["images"] = (
                "user or password is not plain ASCII: how the recorder reads it is unknown"
            )
            return None
        return login

    def _connectivity(self) -> Connectivity | None:
        if self.site.portal is None:
            self.missing["connectivity"] = "the site file declares no portal"
            return None
        with closing(self.opener.testing(self.site)) as testing:
            return testing.connectivity()

    def _events(self) -> tuple[PortalEvent, ...]:
        if self.site.portal is None:
            self.missing["events"] = "the site file declares no portal"
            return ()
        with closing(self.opener.testing(self.site)) as testing:
            return testing.newest_events()

    def _dialogue(self, nvr: XProtectReader | None) -> SmtpDialogue | None:
        answer = _answer(nvr, "smtp")
        if answer is None:
            if "nvr" in self.missing:
                self.missing.setdefault("smtp", self.missing["nvr"])
            return None
        if not answer.get("ok"):
            error = answer.get("error") or {}
            self.missing["smtp"] = f"the recorder's agent could not try it: {error.get('message', '')}"
            return None
        return smtp_dialogue(answer)

    def _images(self, nvr: XProtectReader | None, plan: SitePlan | None) -> Mapping[int, CameraImage] | None:
        answer = _answer(nvr, "exchange")
        if answer is None:
            self.missing.setdefault("images", self.missing.get("nvr", "no picture was asked for"))
            return None
        if not answer.get("ok"):
            self.missing["images"] = why_not(answer)
            return None
        handles = plan.references.items() if plan else ()
        numbers = {bare(handle).lower(): address.key for address, handle in handles if _is_numbered(address)}
        seen = images_of(answer)
        return {int(numbers[guid]): image for guid, image in seen.items() if guid in numbers}


def _answer(nvr: XProtectReader | None, verb: str) -> Answer | None:
    if nvr is None:
        return None
    return next((each for each in nvr.also() if each.get("verb") == verb), None)


def _known(value: str | Computed, computed: Mapping[str, str]) -> str:
    return value if isinstance(value, str) else computed.get(value.path, "")


def _is_numbered(address: Address) -> bool:
    """A camera that bears its number, or will: which one it is, its hardware says."""
    return address.kind == "camera" and address.key.isdecimal()
