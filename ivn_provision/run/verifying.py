"""The acceptance of sites: what each is judged by, who fires, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

from ivn_provision.errors import IvnError, PlanError
from ivn_provision.run.accepting import Acceptance, Accepting, zone_of
from ivn_provision.run.cameras import inputs_of
from ivn_provision.run.events import Observer, begun, ended
from ivn_provision.run.side_by_side import guarded, side_by_side
from ivn_provision.run.targets import Opener
from ivn_provision.run.triggers import Ask, RecorderTrigger
from ivn_provision.run.watching import Time
from ivn_provision.spec.site import Acceptance as Declared
from ivn_provision.spec.site import Site
from ivn_provision.verify.acceptance.record import Terms
from ivn_provision.verify.acceptance.shots import shots_of
from ivn_provision.verify.mail.profile import profile_of

EVENT_PORT = 1234
PRE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Verified:
    """`error` where nothing was fired."""

    site: str
    acceptance: Acceptance | None = None
    error: IvnError | None = None


@dataclass(frozen=True, slots=True)
class Verifying:
    """What the acceptances of one run share. `ask` is None where nobody can trip inputs; with `cameras`, cameras that
    the site manages itself trip theirs."""

    opener: Opener
    observer: Observer
    time: Time
    ask: Ask | None = None
    hardware_seconds: float = 120.0
    cameras: bool = False
    stopping: Callable[[], bool] = lambda: False

    def sites(self, sites: Sequence[Site]) -> tuple[Verified, ...]:
        """Side by side; one after the other where a person is asked."""

        def verify(site: Site) -> Verified:
            verified = guarded(
                site.name,
                lambda: self._begun(site),
                lambda error: Verified(site.name, error=error),
            )
            return ended(verified, self.observer)

        if self.ask is not None:
            return tuple(verify(each) for each in sites)
        return side_by_side(verify, sites)

    def _begun(self, site: Site) -> Verified:
        begun(site.name, self.observer)
        return Verified(site.name, self.site(site))

    def site(self, site: Site) -> Acceptance:
        """Raises IvnError where nothing was fired: no pins, no window, a portal that does not answer."""
        shots = shots_of(site)
        if site.nvr is None or site.portal is None or not shots:
            raise PlanError(
                f"{site.name} declares no pins to fire: an acceptance needs a recorder, a portal and pins",
                where=site.path,
                next_step="declare portal.pins (and acceptance.pins, where not all are to be fired)",
            )
        port = (site.nvr.services.event_server_port if site.nvr.services else None) or EVENT_PORT
        cameras = inputs_of(site, self.opener.vapix) if self.cameras else None
        link = self.opener.link(site.nvr)
        trigger = RecorderTrigger(link, port, self.ask, self.hardware_seconds, cameras)
        terms = self._terms(site)
        with closing(self.opener.testing(site)) as tester:
            return Accepting(
                site=site,
                run=f"{self.opener.run_id}-{site.name}",
                shots=shots,
                terms=terms,
                tester=tester,
                trigger=trigger,
                time=self.time,
                observer=self.observer,
                stopping=self.stopping,
            ).go()

    def _terms(self, site: Site) -> Terms:
        assert site.nvr is not None
        assert site.portal is not None
        declared = site.acceptance or Declared()
        return Terms(
            account_id=self._account_id(site),
            within_seconds=declared.mail_within_seconds,
            zone=zone_of(site),
            location_address=(site.portal.device.location_address if site.portal.device else None) or "",
            pre_seconds=site.portal.clip.pre_seconds if site.portal.clip else PRE_SECONDS,
            entry_delay_seconds=site.portal.entry_delay_seconds,
            profile=profile_of(site.nvr.product),
        )

    def _account_id(self, site: Site) -> str:
        portal = self.opener.readers(site)["portal"]
        try:
            found = portal.read().computed.get("portal.smtp_account_id", "")
        finally:
            portal.close()
        if not found:
            raise PlanError(
                f"the portal has no device for {site.name} yet: it knows no mail of it",
                where=site.name,
                next_step=f"run `ivn-provision apply {site.name}` first",
            )
        return found
