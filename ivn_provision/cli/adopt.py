"""`ivn-provision adopt`: what a camera has now, as the section of a site file whose plan is empty."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ivn_provision.cli.choosing import fleet_option
from ivn_provision.cli.progress import PlainLines
from ivn_provision.cli.shared import deadline_option, echo, opener, paint
from ivn_provision.secret import SecretRef

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ivn_provision.report.axis_yaml import Section
    from ivn_provision.run.adopting import Adopted


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
    from ivn_provision.report.axis_yaml import section_of
    from ivn_provision.run.adopting import adopted
    from ivn_provision.spec.fleet import find_site

    loaded = find_site(folder, site)
    cameras = adopted(loaded, numbers, opener(deadline, [loaded]), PlainLines(), profile=profile)
    sections = [(each, section_of(each.resources, _password(site, each.camera.number))) for each in cameras]
    for camera, section in sections:
        for line in section.told:
            echo(f"{paint(err=True)('note:', 'bold')} camera {camera.camera.number}: {line}", err=True)
    if write:
        _write(folder, site, {each.camera.number: section for each, section in sections})
    elif form == "json":
        echo(
            json.dumps(
                {str(each.camera.number): _plain(section.data) for each, section in sections}, indent=2
            )
        )
    else:
        echo("\n".join(_shown(each, section) for each, section in sections).rstrip("\n"))


def _password(site: str, number: int) -> SecretRef:
    """A name for the secret that nobody can read back: a person sets it."""
    return SecretRef("env", f"{site}_CAMERA_{number}_MAIL".upper().replace("-", "_"))


def _shown(camera: Adopted, section: Section) -> str:
    from ivn_provision.report.paint import safe
    from ivn_provision.report.yaml_out import yaml_text

    head = f"# camera {camera.camera.number}, {safe(camera.camera.label)}: below `axis:`, beside `connect`"
    return f"{head}\n{yaml_text(section.data) if section.data else '# nothing that a site file can say'}"


def _write(folder: Path, site: str, sections: Mapping[int, Section]) -> None:
    from ivn_provision.report.yaml_out import yaml_text
    from ivn_provision.run.adopt_file import put_in

    blocks = {
        number: {key: yaml_text({key: value}) for key, value in section.data.items()}
        for number, section in sections.items()
    }
    for number, keys in put_in(str(folder), site, blocks).items():
        there = [key for key in blocks[number] if key not in keys]
        echo(f"camera {number}: {', '.join(keys) or 'nothing'} written" + _left(there))


def _left(there: Sequence[str]) -> str:
    return f"; declared already and left alone: {', '.join(there)}" if there else ""


def _plain(data: object) -> object:
    """For JSON: a secret as its reference."""
    if isinstance(data, dict):
        return {key: _plain(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_plain(each) for each in data]
    return str(data) if isinstance(data, SecretRef) else data
