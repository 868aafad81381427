"""`ivn-provision lab gui`: the lab plays the person at the Management Application."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from ivn_provision.cli import lab_control
from ivn_provision.errors import UsageProblem

_SINGLES = ("mail_message", "mail_server")
_BARE = {
    "open": "The Management Application of {site} is open.",
    "close": "The Management Application of {site} is closed.",
    "save": "Saved on {site} without a change.",
}
_DONE = {
    "add": "Added {what}, and saved.",
    "change": "Changed {what}, and saved.",
    "remove": "Removed {what}, and saved.",
}


@click.command(name="gui")
@click.argument("site")
@click.argument("words", nargs=-1, required=True, metavar="open|close|save | KIND add|change|remove [KEY]")
@click.option("--set", "fields", multiple=True, metavar="FIELD=VALUE", help="May be repeated.")
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".ivn/lab"),
    show_default=True,
    help="Where the lab keeps its files.",
)
def command(site: str, words: tuple[str, ...], fields: tuple[str, ...], directory: Path) -> None:
    """Change something in the Management Application, and save as the product does.

    `gui SITE KIND add|change|remove [KEY] --set FIELD=VALUE` opens it, makes the change, saves (restore point,
    restart of services) and closes it. KIND is generic_event, hardware_event, mail_message, mail_server, alarm,
    or what `lab tamper` takes. `gui SITE open|close` does so and nothing else; `gui SITE save` saves without
    a change.
    """
    if len(words) == 1 and words[0] in _BARE and not fields:
        lab_control.call(directory, "gui", {"site": site, "action": words[0]})
        click.echo(_BARE[words[0]].format(site=site))
        return
    kind, action, key = _change(words)
    arguments = {"site": site, "kind": kind, "action": action, "key": key, "fields": dict(fields_of(fields))}
    lab_control.call(directory, "gui", arguments)
    click.echo(_DONE[action].format(what="/".join(part for part in (site, kind, key) if part)))


def _change(words: tuple[str, ...]) -> tuple[str, str, str]:
    if len(words) not in {2, 3} or words[1] not in _DONE:
        raise UsageProblem(
            "say `gui SITE open|close|save` or `gui SITE KIND add|change|remove [KEY] --set FIELD=VALUE`"
        )
    kind, action, key = (*words, "")[:3]
    if not key and kind not in _SINGLES and action != "change":
        raise UsageProblem(f"`gui SITE {kind} {action}` needs the name of the object as KEY")
    return kind, action, key


def fields_of(texts: Iterable[str]) -> Iterable[tuple[str, str]]:
    """`FIELD=VALUE` of every `--set`. Raises UsageProblem."""
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise UsageProblem(f"--set {text!r} is not FIELD=VALUE")
        yield name, value
