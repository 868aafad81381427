"""`ivn-provision lab`: the embedded site world on loopback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ivn_provision.cli import lab_control, lab_gui
from ivn_provision.errors import IvnError, UsageProblem

_DEFAULT_DIRECTORY = Path(".ivn/lab")

_directory = click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=_DEFAULT_DIRECTORY,
    show_default=True,
    help="Where the lab keeps its files.",
)


@click.group(name="lab")
def command() -> None:
    """Run simulated recorders, portal and mail server on loopback.

    Real wire protocols, simulated products: what the lab assumes about them is shown by `lab status`.
    """


@command.command()
@click.option(
    "--sites", "count", type=click.IntRange(1, 10_000), help="So many generated sites instead of the three."
)
@_directory
@click.option("--detach", is_flag=True, help="Go on in the background.")
@click.option(
    "--write-sites",
    "sites_directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write example site files for this lab.",
)
@click.option(
    "--latency", type=click.IntRange(0, 60_000), default=0, help="Milliseconds added to every request."
)
@click.option(
    "--store",
    type=click.Choice(["a", "b"]),
    default="a",
    show_default=True,
    help="How the recorders keep their settings; no shipped layout describes b.",
)
@click.option("--store-b", "store_b", multiple=True, metavar="SITE", help="Store b for this site only.")
@click.option("--onvif", is_flag=True, help="All cameras speak ONVIF too.")
@click.option(
    "--axis",
    type=click.Choice(["5.50", "10.12", "11.11", "12.9"]),
    help="Play each site's first camera too: an Axis camera with this firmware.",
)
@click.option("--portal-port", type=click.IntRange(0, 65535), default=8443, hidden=True)
@click.option("--mail-port", type=click.IntRange(0, 65535), default=2525, hidden=True)
@click.option("--free-ports", is_flag=True, hidden=True)
def up(  # noqa: PLR0917 - click calls it by keyword
    count: int | None,
    directory: Path,
    detach: bool,
    sites_directory: Path | None,
    latency: int,
    store: str,
    store_b: tuple[str, ...],
    onvif: bool,
    axis: str | None,
    portal_port: int,
    mail_port: int,
    free_ports: bool,
) -> None:
    """Start the lab: until Ctrl+C, or in the background."""
    from ivn_provision.cli import lab_process

    wish = lab_process.Wish(
        directory.absolute(),
        count=count,
        sites_directory=sites_directory.absolute() if sites_directory else None,
        latency_seconds=latency / 1000,
        portal_port=portal_port,
        mail_port=mail_port,
        free_ports=free_ports,
        all_store_b=store == "b",
        store_b=store_b,
        onvif=onvif,
        axis=axis or "",
    )
    lab_control.refuse_if_running(wish.directory)
    if detach:
        status = lab_process.detach(wish)
        click.echo("\n".join(lab_control.endpoint_lines(status)))
        click.echo(
            f"The lab runs in the background (process {status['pid']}); `ivn-provision lab down` stops it."
        )
        return
    lab_process.run(wish, _announce)


def _announce(status: dict[str, Any]) -> None:
    click.echo("\n".join(lab_control.endpoint_lines(status)))
    click.echo("The lab is up; Ctrl+C stops it.")


@command.command()
@_directory
def down(directory: Path) -> None:
    """Stop a running lab. Its files stay."""
    lab_control.stop(directory)
    click.echo("The lab is down.")


@command.command()
@_directory
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def status(directory: Path, form: str) -> None:
    """Endpoints, sites, assumptions, counters, last mails and events."""
    found = lab_control.call(directory, "status")
    click.echo(json.dumps(found, indent=2) if form == "json" else "\n".join(lab_control.status_lines(found)))


@command.command()
@click.argument("site")
@click.argument("kind")
@click.argument("key", default="")
@click.option("--set", "fields", multiple=True, required=True, metavar="FIELD=VALUE", help="May be repeated.")
@_directory
def tamper(site: str, kind: str, key: str, fields: tuple[str, ...], directory: Path) -> None:
    """Change something as a person would, behind the tool's back.

    KIND is one of the recorder's (camera, hardware_event, generic_event, mail_message, mail_server, alarm,
    server_access, services, user), of its Windows (windows_service, firewall_rule, clock, time_source, disk),
    of its cameras over ONVIF (onvif), of the portal's (site, device, pin) or, after `camera-N/`, of an Axis camera
    that the lab plays (param, rule, configuration, recipient, user). A wrong FIELD is answered with those that there are.
    """
    arguments = {"site": site, "kind": kind, "key": key, "fields": dict(lab_gui.fields_of(fields))}
    lab_control.call(directory, "tamper", arguments)
    click.echo(f"Changed {_address(site, kind, key)}.")


@command.command()
@click.argument("site")
@click.argument("kind")
@click.argument("key")
@_directory
def remove(site: str, kind: str, key: str, directory: Path) -> None:
    """Delete something as a person would, behind the tool's back."""
    lab_control.call(directory, "remove", {"site": site, "kind": kind, "key": key})
    click.echo(f"Removed {_address(site, kind, key)}.")


@command.command()
@click.argument("site")
@click.argument("source", type=click.Choice(["soft", "input", "virtual"]))
@click.argument("what", nargs=-1, required=True, metavar="PIN | DEVICE INPUT")
@click.option("--edge", type=click.Choice(["rising", "falling"]), default="rising", show_default=True)
@_directory
def fire(site: str, source: str, what: tuple[str, ...], edge: str, directory: Path) -> None:
    """Raise an alarm: `fire SITE soft PIN` (the portal's button), or `fire SITE input DEVICE INPUT`.

    DEVICE is an address, a MAC, or `camera-N` of an Axis camera that the lab plays; such a camera has virtual
    inputs too: `fire SITE virtual camera-N INPUT`.
    """
    if len(what) != (1 if source == "soft" else 2) or not what[-1].isdecimal():
        raise UsageProblem(
            "say `fire SITE soft PIN` or `fire SITE input DEVICE INPUT`; PIN and INPUT are numbers"
        )
    if source == "soft":
        sent = lab_control.call(directory, "fire", {"site": site, "pin": int(what[0])})
        click.echo(f"Sent {sent['payload']!r} to {sent['endpoint']}.")
        return
    arguments = {"site": site, "device": what[0], source: int(what[1]), "edge": edge}
    result = lab_control.call(directory, "fire", arguments)
    if source == "virtual":
        click.echo(f"Virtual input {what[1]} of {what[0]} went {edge}.")
        return
    events = result["events"]
    click.echo(f"Input {what[1]} of {what[0]} went {edge}: {events} event{'' if events == 1 else 's'}.")


@command.command()
@click.argument("words", nargs=-1, required=True, metavar="SITE|SITE/CAMERA|SITE camera-N|portal|mail NAME")
@click.option("--off", is_flag=True, help="Switch the fault off again.")
@_directory
def fault(words: tuple[str, ...], off: bool, directory: Path) -> None:
    """Make a recorder, its wire, a camera, the portal or the mail server fail in a given way: see `lab faults`."""
    if len(words) not in {2, 3}:
        raise UsageProblem(
            "say `fault SITE NAME`, `fault SITE camera-N NAME`, `fault portal NAME` or `fault mail NAME`"
        )
    *places, name = words
    place = "/".join(places)
    lab_control.call(directory, "fault", {"place": place, "name": name, "on": not off})
    click.echo(f"Fault {name} of {place} is {'off' if off else 'on'}.")


@command.command()
@click.argument("place", type=click.Choice(["SITE", "camera", "onvif", "portal", "mail"]), required=False)
def faults(place: str | None) -> None:
    """What `lab fault` can switch on, and the row of the failure table that each fault makes come true."""
    from ivn_provision.cli import lab_faults

    click.echo("\n".join(lab_faults.lines(place)))


@command.command(name="portal-state")
@click.argument("site")
@click.option("--armed/--disarmed", default=None, help="Is the site's alarm on?")
@click.option("--incident", metavar="TEXT", help="Open an incident; an empty text ends it.")
@_directory
def portal_state(site: str, armed: bool | None, incident: str | None, directory: Path) -> None:
    """Say what happens on a site, as the portal shows it: whether it is armed, and an open incident."""
    given = {"site": site, "armed": armed, "incident": incident}
    click.echo(f"{site} is {lab_control.alarm_words(lab_control.call(directory, 'portal_state', given))}.")


command.add_command(lab_gui.command)


def _address(*parts: str) -> str:
    return "/".join(part for part in parts if part)


def main() -> None:
    """`python -m ivn_provision.cli.lab`: how a detached lab starts its process."""
    try:
        command(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        raise SystemExit(UsageProblem.exit_code) from None
    except click.Abort:
        raise SystemExit(1) from None
    except IvnError as error:
        click.echo(f"error: {error.summary}", err=True)
        if error.next_step:
            click.echo(f"  next step: {error.next_step}", err=True)
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    main()
