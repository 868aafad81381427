"""The audit of a site within a play: is it as declared, and does every check pass? Cannot write.

The one place that says what `audit` means to a playbook.
"""

from __future__ import annotations

from ivn_provision.run.checking import check_site
from ivn_provision.run.events import Observer
from ivn_provision.run.play.standing import Result
from ivn_provision.run.play.words import differences, failing
from ivn_provision.run.site_plans import read_plan
from ivn_provision.run.targets import Opener
from ivn_provision.spec.site import Site


def audited(site: Site, opener: Opener, observer: Observer) -> Result:
    """A finding is a difference, not a failure: an audit that finds something has done its work. Raises IvnError."""
    plan = read_plan(site, opener, observer)
    found = [differences(plan), failing(check_site(site, opener, observer).results)]
    text = "; ".join(each for each in found if each)
    return Result(site.name, differs=bool(text), needs_person=bool(plan.open), text=text)
