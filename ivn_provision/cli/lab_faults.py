"""`lab faults`: the names that `lab fault` knows, with what they do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ivn_provision.errors import LabError
from ivn_provision.lab.fault_list import CAMERA, MACHINE, MAIL, ONVIF, PORTAL, RECORDER, Fault

_WIDTH = 26


def lines(place: str | None) -> Iterator[str]:
    """A line for each fault of `SITE`, `camera`, `onvif`, `portal` or `mail`; of all of them for None. Raises LabError."""
    yield f"{'PLACE':<6}  {'FAULT':<{_WIDTH}}  ROW  WHAT HAPPENS"
    places = (
        ("SITE", _recorder()),
        ("camera", CAMERA),
        ("onvif", ONVIF),
        ("portal", _portal()),
        ("mail", MAIL),
    )
    for name, faults in places:
        if place in {None, name}:
            yield from _table(name, faults)


def _table(place: str, faults: Sequence[Fault]) -> Iterator[str]:
    for each in faults:
        yield f"{place:<6}  {each.name:<{_WIDTH}}  {each.row or '-':>3}  {each.text}"


def _recorder() -> Sequence[Fault]:
    try:
        from ivn_provision.lab.nvr.endpoint import FAULTS
    except ModuleNotFoundError as error:
        raise _not_installed(error) from None
    wire = [Fault(each, "on the wire") for each in sorted(FAULTS) if "-at-" not in each]
    verbs = Fault("KIND-at-VERB", "at one verb of the wire: see docs/how-to/use-the-lab.md")
    return (*RECORDER, *MACHINE, *wire, verbs)


def _portal() -> Sequence[Fault]:
    try:
        from ivn_provision.lab.portal.front import FAULTS
    except ModuleNotFoundError as error:
        raise _not_installed(error) from None
    told = {each.name: each for each in PORTAL}
    return [told.get(each, Fault(each, "of the HTTP API")) for each in FAULTS]


def _not_installed(error: ModuleNotFoundError) -> LabError:
    return LabError(
        f"the lab needs packages that are not installed ({error.name})",
        next_step="pip install 'ivn-provision[lab]'",
    )
