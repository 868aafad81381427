"""What a run may break."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.diagnostics import Severity
from ivn_provision.spec.rules.context import Context
from ivn_provision.spec.rules.registry import Finding, rule

_OF_A_RUN = ("sites", "fleet_percent")


@rule(
    "IVN090",
    "limits-of-a-run",
    Severity.ERROR,
    title="Limits of a whole run stand in fleet.yml",
    requirements=("tool limits",),
)
def limits_of_a_run(context: Context) -> Iterator[Finding]:
    """`limits.sites` and `limits.fleet_percent` count over all sites of a run.

    In a group or a site file one site would decide for the others, or seem to.
    """
    for name in _OF_A_RUN:
        pointer = f"/limits/{name}"
        levels = [each.level for each in context.site.places.origins(pointer)]
        if levels and levels[-1] != "fleet":
            yield Finding(
                pointer,
                f"limits.{name} is a limit of a whole run, not of a {levels[-1].partition(' ')[0]}",
                "move it to fleet.yml",
            )
