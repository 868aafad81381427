"""Which camera is managed, and how its objects are named: nothing is managed twice, nothing is prefixed twice."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.diagnostics import Severity
from ivn_provision.spec.rules.axis import managed
from ivn_provision.spec.rules.context import Context
from ivn_provision.spec.rules.registry import Finding, rule, show

PREFIX = "ivn-provision:"


@rule(
    "IVN101",
    "axis-managed-once",
    Severity.ERROR,
    title="A camera is managed by one declaration",
    requirements=("axis part 5",),
)
def axis_managed_once(context: Context) -> Iterator[Finding]:
    """Lists of rules and recipients are complete: two declarations would remove each other's, apply after apply."""
    seen: dict[tuple[str, int], tuple[int, str]] = {}
    for camera, axis in managed(context):
        place = (axis.connect.host.casefold(), axis.connect.port)
        pointer = f"{axis.connect.pointer}/host"
        if place in seen:
            number, before = seen[place]
            yield Finding(
                pointer,
                f"cameras {number} and {camera.number} are both reached at {place[0]}:{place[1]}",
                "correct one address; of an encoder with several channels declare axis at one camera only",
                ((before, "here first"),),
            )
        seen.setdefault(place, (camera.number, pointer))


@rule(
    "IVN102",
    "axis-name-without-prefix",
    Severity.ERROR,
    title="Names of rules and recipients are written without our prefix",
    requirements=("axis part 5",),
)
def axis_name_without_prefix(context: Context) -> Iterator[Finding]:
    """The tool puts `ivn-provision: ` before them on the camera, and would do so twice."""
    for _, axis in managed(context):
        names = [(each.name, each.pointer) for each in axis.action_rules or ()]
        for name, pointer in (*names, *((each.name, each.pointer) for each in axis.recipients or ())):
            if name.casefold().startswith(PREFIX):
                yield Finding(
                    f"{pointer}/name",
                    f"{show(name)} begins with the prefix that the tool puts there itself",
                    f"write {show(name[len(PREFIX) :].strip())}",
                )
