"""Sections that go together."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.diagnostics import Severity
from ivn_provision.spec.rules.context import Context
from ivn_provision.spec.rules.registry import Finding, rule


@rule(
    "IVN079",
    "recorder-declared",
    Severity.ERROR,
    title="What stands on the recorder is declared together with the recorder",
    requirements=("R-01", "R-27"),
)
def recorder_declared(context: Context) -> Iterator[Finding]:
    """Without `nvr` nothing would read or write these sections, and the site would look as declared.

    Cameras that are all managed or looked at by themselves (`axis`, `onvif`) need no recorder.
    """
    site = context.site
    if site.nvr is not None:
        return
    sections = {
        "cameras": [each for each in site.cameras or () if not (each.axis or each.onvif)],
        "hardware_events": site.hardware_events,
        "generic_events": site.generic_events,
        "mail": site.mail,
        "alarms": site.alarms,
    }
    for name, section in sections.items():
        if section:
            yield Finding(
                f"/{name}", f"{name} is declared, but no recorder", "declare nvr with its product and connect"
            )
