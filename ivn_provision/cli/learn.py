"""`ivn-provision learn`: find out how a recorder keeps a kind, by changes that a person makes."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ivn_provision.cli.choosing import Choice, fleet_option, load_sites
from ivn_provision.cli.shared import DEADLINE, echo, now, opener
from ivn_provision.errors import IvnError, Refused, SpecError, UsageProblem

if TYPE_CHECKING:
    from ivn_provision.drivers.xprotect_e.layout import KindLayout
    from ivn_provision.drivers.xprotect_e.learning.findings import KindFinding
    from ivn_provision.drivers.xprotect_e.learning.layout_out import Heading
    from ivn_provision.drivers.xprotect_e.learning.passes import Pass
    from ivn_provision.drivers.xprotect_e.learning.session import Learning
    from ivn_provision.spec.site import Nvr, Site

KINDS = ("generic_event", "hardware_event", "mail_message", "mail_server", "alarm")
_SEEN_DEADLINE = 120.0


@click.command("learn")
@click.argument("name", metavar="SITE")
@click.argument("kind", metavar="KIND", type=click.Choice(KINDS))
@fleet_option
@click.option(
    "--out", "-o", type=click.Path(path_type=Path), help="Another layout file than layouts/NAME.yml."
)
@click.option("--by", default="", help="Who does it: stands in the layout file.")
@click.option(
    "--file", "wanted", default="", help="The recorder's file to look into, if several change alike."
)
@click.option("--yes", is_flag=True, help="Replace what an existing layout file says of this kind.")
@click.option("--deadline", default=_SEEN_DEADLINE, show_default=True, type=DEADLINE)
@click.option(
    "--technician",
    type=click.Choice(["person", "lab"]),
    default="person",
    show_default=True,
    help="Who works in the Management Application: you, or the embedded lab.",
)
@click.option(
    "--lab-dir",
    type=click.Path(path_type=Path),
    default=Path(".ivn/lab"),
    help="The files of the running lab.",
)
def command(  # noqa: PLR0917 - click calls it by keyword
    name: str,
    kind: str,
    folder: Path,
    out: Path | None,
    by: str,
    wanted: str,
    yes: bool,
    deadline: float,
    technician: str,
    lab_dir: Path,
) -> None:
    """Learn how the recorder of SITE keeps KIND in its files.

    KIND is generic_event, hardware_event, mail_message, mail_server or alarm.

    Named changes are made in the Management Application, one after the other; after each the tool looks what
    became of the recorder's files. It writes nothing on the recorder. The result is a layout file for review.
    """
    from ivn_provision.drivers.xprotect_e.learning.remote import Machine
    from ivn_provision.drivers.xprotect_e.learning.session import Learning

    site = load_sites(Choice(folder, (name,)))[0]
    nvr = _nvr(site)
    machine = Machine(opener(deadline, [site]).link(nvr))
    heading = _heading(site, nvr, machine, by or technician)
    path = out or _root(folder) / "layouts" / f"{heading.name}.yml"
    existing = _existing(path, kind, yes=yes)
    who = _Lab(lab_dir, name) if technician == "lab" else _Person()
    learning = Learning(machine, who)
    finding = _learnt(learning, kind, _known(existing.encode(), path), wanted)
    _write(path, heading, finding, existing)


def _nvr(site: Site) -> Nvr:
    if site.nvr is None:
        raise UsageProblem(f"{site.name} has no recorder", next_step="Declare one under nvr.")
    return site.nvr


def _heading(site: Site, nvr: Nvr, machine: Any, by: str) -> Heading:
    """Product and version as the recorder states them. Refuses another product than the declared one."""
    from ivn_provision import __version__
    from ivn_provision.drivers.xprotect_e.learning.layout_out import Heading
    from ivn_provision.drivers.xprotect_e.learning.remote import CONFIGURATION
    from ivn_provision.drivers.xprotect_e.learning.session import product_of
    from ivn_provision.drivers.xprotect_e.reading import agree

    frame = machine.frame()
    if frame is None:
        raise Refused(
            "the Management Application is open on the recorder",
            next_step="close it there, then start again: each pass begins with it closed",
        )
    product, version = product_of(frame)
    agree(nvr.product, product)
    if not version:
        raise Refused(
            "the recorder does not state its version: a layout is of one version",
            where=CONFIGURATION,
            next_step="look for ProductVersion in that file, and report what stands there",
        )
    return Heading(product, version, now(), by, site.name, __version__, CONFIGURATION, machine.log_folder)


def _root(folder: Path) -> Path:
    from ivn_provision.spec.discovery import fleet_root

    return Path(fleet_root(str(folder)))


def _existing(path: Path, kind: str, *, yes: bool) -> str:
    """The layout file so far. Refuses one that cannot be used, or that says something of the kind already."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise IvnError(
            f"cannot read {path}: {error.strerror}", next_step="Choose another with --out."
        ) from error
    if kind in _known(raw, path) and not yes:
        raise UsageProblem(
            f"{path} says already how {kind} is kept",
            next_step="Give --yes to replace that, or --out for another file.",
        )
    return raw.decode("utf-8")


def _known(raw: bytes, path: Path) -> Mapping[str, KindLayout]:
    """What the file says. Raises SpecError with every problem and its place."""
    if not raw:
        return {}
    from ivn_provision.drivers.xprotect_e.layout_file import read_layout

    return read_layout(str(path), raw).kinds


def _learnt(learning: Learning, kind: str, known: Mapping[str, KindLayout], wanted: str) -> KindFinding:
    from ivn_provision.report.learn_text import leftovers, summary

    try:
        finding = learning.run(kind, secrets.token_hex(2), known, file=wanted)
    except (KeyboardInterrupt, click.Abort, IvnError):
        if learning.left:
            echo(leftovers(list(learning.left.values())), err=True)
        raise
    echo(summary(finding.kind, finding.file, finding.learned, finding.unlearned))
    return finding


def _write(path: Path, heading: Heading, finding: KindFinding, existing: str) -> None:
    """The file, checked as it will be read, then printed for review."""
    from ivn_provision.drivers.xprotect_e.layout_file import check_layout
    from ivn_provision.drivers.xprotect_e.learning.layout_out import render

    text = render(heading, finding, existing)
    layout, found = check_layout(str(path), text.encode())
    if layout is None:
        raise SpecError(
            found,
            summary="what was learned is no valid layout; no file was written",
            next_step="look at the file above: this kind stays by hand",
        )
    _save(path, text)
    echo(f"\n{text}")
    echo(f"Wrote {path}. Next: review it, commit it, then `ivn-provision capabilities {heading.site}`.")


def _save(path: Path, text: str) -> None:
    """In one step: a file that is there is whole before and after."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(text, "utf-8")
        fresh.replace(path)
    except OSError as error:
        raise IvnError(
            f"cannot write {path}: {error.strerror}", next_step="Choose another with --out."
        ) from error


@dataclass(frozen=True, slots=True)
class _Person:
    """A person at a terminal."""

    def make(self, each: Pass, number: int, total: int) -> bool:
        from ivn_provision.drivers.xprotect_e.learning.words import instructions

        echo(instructions(each, number, total))
        skip = "; `s` to skip it" if each.optional else ""
        answer = click.prompt(
            f"    Enter when it is saved and the Management Application is closed{skip}",
            default="",
            show_default=False,
        )
        return not (each.optional and str(answer).strip().lower() == "s")

    def close(self) -> None:
        click.prompt(
            "    The Management Application is still open: close it, then Enter",
            default="",
            show_default=False,
        )

    def again(self, each: Pass) -> None:
        echo(f"    Nothing but noise changed. Was `{each.name}` saved? Once more:")

    def seen(self, each: Pass, changed: Sequence[str]) -> None:
        from ivn_provision.report.learn_text import changed as shown

        del each
        echo(shown(changed))


@dataclass(frozen=True, slots=True)
class _Lab:
    """The running lab as the technician."""

    directory: Path
    site: str

    def make(self, each: Pass, number: int, total: int) -> bool:
        from ivn_provision.cli import lab_control
        from ivn_provision.errors import LabError

        echo(f"[{number}/{total}] {each.name}")
        try:
            lab_control.call(self.directory, "gui", gui_arguments(self.site, each))
        except LabError:
            if each.optional:
                echo("    the lab has no such thing: skipped")
                return False
            raise
        return True

    def close(self) -> None:
        from ivn_provision.cli import lab_control

        lab_control.call(self.directory, "gui", {"site": self.site, "action": "close"})

    def again(self, each: Pass) -> None:
        raise Refused(f"the lab's pass `{each.name}` changed nothing", next_step="look at `lab status`")

    def seen(self, each: Pass, changed: Sequence[str]) -> None:
        from ivn_provision.report.learn_text import changed as shown

        del each
        echo(shown(changed))


def gui_arguments(site: str, each: Pass) -> dict[str, object]:
    """A pass as the lab's control takes it: texts, as its own command line would give them."""
    if each.action == "control":
        return {"site": site, "action": "save"}
    if each.action == "restore":
        return {"site": site, "kind": each.kind, "action": "restore", "key": "", "fields": {}}
    fields = dict(texts_of(each))
    return {"site": site, "kind": each.kind, "action": each.action, "key": each.key, "fields": fields}


def texts_of(each: Pass) -> Iterator[tuple[str, str]]:
    """A pass's fields as they are typed. The device comes with the camera, the name of a new object with its key."""
    for name, value in each.fields.items():
        if name != "device" and not (name == "name" and each.action == "add"):
            yield name, _word(value)


def _word(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ";".join(value) if isinstance(value, tuple) else str(value)
