"""The machine below the recorder: services, versions, disks, prerequisites, and what a camera does itself."""

from __future__ import annotations

from collections.abc import Iterator

from ivn_provision.drivers.xprotect_e.windows_seen import free_bytes
from ivn_provision.verify.drift import Part, compared, differences
from ivn_provision.verify.evidence import Evidence
from ivn_provision.verify.registry import check
from ivn_provision.verify.result import Found, failed, passed, unknown, warned

GIB = 1 << 30
LOW_GIB, NONE_GIB = 5, 1


@check("services", title="The recorder's services run", target="nvr", refs=("R-23", "row 40"))
def services(evidence: Evidence) -> Iterator[Found]:
    """All services of the product that start by themselves, and those that are declared."""
    if evidence.windows is None:
        yield unknown(evidence.missing.get("nvr", "the services were not read"))
        return
    risk = "the recorder would do only a part of its work"
    found = differences(evidence, Part("windows_service", risk), Part("windows", risk, ()))
    named = {each.subject.rpartition("/")[2] for each in found}
    for service in evidence.windows.services:
        role = next((name for name, each in evidence.windows.by_role.items() if each is service), "")
        if service["start_mode"] == "Auto" and service["state"] != "Running" and role not in named:
            found.append(
                failed(
                    f"{service['name']} is {str(service['state']).lower()}",
                    "start it in Windows' services, and look into its log if it does not stay",
                    str(service["name"]),
                )
            )
    if found or evidence.windows.services:
        yield from found or [passed(f"{len(evidence.windows.services)} services of the product run")]
    else:
        yield unknown("no service of the product is shown", "is it installed on this machine? (R-23)")


@check(
    "product",
    title="The product is the declared one, in a known version",
    target="nvr",
    refs=("R-01", "R-23", "row 40"),
)
def product(evidence: Evidence) -> Iterator[Found]:
    """A version without a layout is by hand."""
    facts = evidence.facts.get("nvr")
    if facts is None:
        yield unknown(evidence.missing.get("nvr", "the recorder was not read"))
        return
    text = f"{facts.product} {facts.version}"
    unread = facts.capabilities.unread & {"camera", "generic_event", "mail_message"}
    if unread:
        yield warned(
            f"{text}: no layout describes how this version keeps its settings",
            "`ivn-provision learn` finds it out; until then a person works by the runbook",
        )
    else:
        yield passed(text)


@check("disk", title="There is room on the recorder's disks", target="nvr", refs=("row 40",))
def disk(evidence: Evidence) -> Iterator[Found]:
    """Of Windows and the product's programs; recordings fill their own drives by design."""
    if evidence.windows is None or evidence.windows.about is None:
        yield unknown(evidence.missing.get("nvr", "the disks were not shown"))
        return
    risk = "the product may stop when a disk is full"
    found = differences(evidence, Part("windows", risk, ("free_gib",), whole=False))
    found += [_room(drive, free) for drive, free in free_bytes(evidence.windows).items()]
    yield from found or [unknown("none of the drives of Windows and the product is shown")]


def _room(drive: str, free: int) -> Found:
    text, subject = f"{free / GIB:.1f} GiB are free on {drive}", f"drive {drive}"
    if free < NONE_GIB * GIB:
        return failed(text, "make room on the drive: the product may stop", subject)
    if free < LOW_GIB * GIB:
        return warned(text, "make room on the drive", subject)
    return passed(text, subject)


@check(
    "prerequisites", title="Windows has what the product needs", target="nvr", refs=("R-21", "R-22", "row 40")
)
def prerequisites(evidence: Evidence) -> Iterator[Found]:
    """As far as `nvr.windows.prerequisites` demands it: .NET Framework 4.0, Service Pack 1 on Windows 7."""
    part = Part("windows", "the product may not run", ("dotnet", "service_pack"), whole=False)
    yield from compared(evidence, "prerequisites (nvr.windows.prerequisites)", part)
