"""`ivn-provision adopt`: what a camera has now, as the section of a site file whose plan is empty."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ivn_provision.cli.choosing import fleet_option
from ivn_provision.cli.progress import PlainLines
from ivn_provision.cli.shared import deadline_option, echo, exit_code, opener, paint, show_errors
from ivn_provision.secret import SecretRef

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ivn_provision.report.adopt.section import Section
    from ivn_provision.run.adopting import Adopted

    Read = Sequence[tuple[Adopted, Section]]


@click.command("adopt")
@click.argument("site")
@fleet_option
@click.option(
    "--camera", "numbers", type=int, multiple=True, metavar="N", help="Only this camera; repeatable."
)
@click.option("--profile", metavar="NAME", default="", help="Adopt the stream profile of this name too.")
@click.option("--write", is_flag=True, help="Put what is not declared yet into the site file.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@deadline_option
def command(
    site: str,
    *,
    folder: Path,
    numbers: tuple[int, ...],
    profile: str,
    write: bool,
    form: str,
    deadline: float,
) -> None:
    """Show what the cameras of SITE have now as `axis:` sections, so that their plan is empty. Cannot write to them.

    Only cameras with `axis.connect` are read. What a site file cannot say is told on standard error. With --write the
    site file gets those parts of the sections that it does not have; all else in it stays as it is.
    """
    from ivn_provision.run.adopting import adopted
    from ivn_provision.spec.fleet import find_site

    loaded = find_site(folder, site)
    cameras = adopted(loaded, numbers, opener(deadline, [loaded]), PlainLines(), profile=profile)
    read = [(each, _section(each, site, profile, write=write)) for each in cameras if each.error is None]
    written = _write(folder, site, read) if write else {}
    _tell(read)
    if form == "json":
        echo(json.dumps(_document(cameras, _by_number(read), written), indent=2))
    elif write:
        for number, line in _written(read, written):
            echo(f"camera {number}: {line}")
    elif read:
        echo("\n".join(_shown(*each) for each in read).rstrip("\n"))
    show_errors(cameras)
    raise SystemExit(exit_code(cameras))


def _by_number(read: Read) -> Mapping[int, Section]:
    return {each.camera.number: section for each, section in read}


def _section(each: Adopted, site: str, profile: str, *, write: bool) -> Section:
    """To be read the whole section; to be written what goes with the parts that are declared."""
    from ivn_provision.report.adopt.section import section_of

    name = f"{site}_CAMERA_{each.camera.number}_MAIL".upper().replace("-", "_")
    return section_of(
        each.resources,
        SecretRef("env", name if not name[0].isdigit() else f"_{name}"),
        declared=each.axis if write else None,
        unread=each.unread,
        profile=profile,
    )


def _tell(read: Read) -> None:
    from ivn_provision.report.paint import safe

    for each, section in read:
        for line in section.told:
            echo(f"{paint(err=True)('note:', 'bold')} camera {each.camera.number}: {safe(line)}", err=True)


def _shown(each: Adopted, section: Section) -> str:
    from ivn_provision.report.adopt.yaml_text import yaml_text
    from ivn_provision.report.paint import safe

    head = f"# camera {each.camera.number}, {safe(each.camera.label)}: below `axis:`, beside `connect`"
    return f"{head}\n{yaml_text(section.data) if section.data else '# nothing that a site file can say'}"


def _write(folder: Path, site: str, read: Read) -> Mapping[int, tuple[str, ...]]:
    from ivn_provision.report.adopt.yaml_text import yaml_text
    from ivn_provision.run.adopt_file import put_in

    sections = {number: section.data for number, section in _by_number(read).items()}
    return put_in(str(folder), site, sections, yaml_text)


def _written(read: Read, written: Mapping[int, tuple[str, ...]]) -> Sequence[tuple[int, str]]:
    from ivn_provision.report.adopt.section import PARTS

    lines = []
    for each, _ in read:
        keys = written[each.camera.number]
        there = [name for name in PARTS if name not in keys and getattr(each.axis, name) is not None]
        left = f"; declared already and left alone: {', '.join(there)}" if there else ""
        lines.append((each.camera.number, f"{', '.join(keys) or 'nothing'} written{left}"))
    return lines


def _document(
    cameras: Sequence[Adopted], sections: Mapping[int, Section], written: Mapping[int, tuple[str, ...]]
) -> list[dict[str, Any]]:
    """A secret as its reference."""
    from ivn_provision.report.errors_text import error_json

    found: list[dict[str, Any]] = []
    for each in cameras:
        number = each.camera.number
        one: dict[str, Any] = {"camera": number, "label": each.camera.label}
        if section := sections.get(number):
            one |= {"axis": _plain(section.data), "notes": list(section.told)}
        if number in written:
            one["written"] = list(written[number])
        if each.error is not None:
            one["error"] = error_json(each.error)
        found.append(one)
    return found


def _plain(data: object) -> object:
    if isinstance(data, dict):
        return {key: _plain(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_plain(each) for each in data]
    return str(data) if isinstance(data, SecretRef) else data
