"""`ivn-provision play`: what a playbook says, in waves."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ivn_provision.cli.choosing import Choice, fleet_files, fleet_option
from ivn_provision.cli.shared import (
    deadline_option,
    echo,
    opener,
    paint,
    resolve_secret,
    show_errors,
    write_text,
)
from ivn_provision.cli.streaming import JSON_LINES, or_closed, streamed
from ivn_provision.errors import IvnError, UsageProblem
from ivn_provision.spec.playbook import Do

if TYPE_CHECKING:
    from ivn_provision.cli.interrupts import Interrupts
    from ivn_provision.run.audit.record import Audit
    from ivn_provision.run.events import Observer
    from ivn_provision.run.fleet.loading import FleetFiles
    from ivn_provision.run.fleet.refs import SiteRef
    from ivn_provision.run.play.memory import Memory
    from ivn_provision.run.play.outcome import PlayOutcome
    from ivn_provision.run.play.reading import ReadPlaybook
    from ivn_provision.run.play.starting import Waves
    from ivn_provision.run.targets import Opener


@dataclass(frozen=True, slots=True)
class _Options:
    """What the command line says of how it is done."""

    folder: Path
    form: str
    deadline: float
    file_edits: bool
    approve: bool
    accept: bool = False


@click.command("play")
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar="FILE")
@fleet_option
@click.option(
    "--sites", "selectors", multiple=True, metavar="SELECTOR", help="Of the playbook's sites only these."
)
@click.option(
    "--check", "check_only", is_flag=True, help="Show what would run on which sites, and do nothing."
)
@click.option("--var", "variables", multiple=True, metavar="NAME=VALUE", help="The value of a variable.")
@click.option("--resume", metavar="PLAY", help="Go on with a play that was killed, stopped, or waits.")
@click.option(
    "--approve", is_flag=True, help="With --resume: what the play waits for is done, or was looked at."
)
@click.option(
    "--accept-changed-files",
    "accept",
    is_flag=True,
    help="With --resume: go on with the site files as they are now.",
)
@click.option("--format", "form", type=click.Choice(["text", "json", JSON_LINES]), default="text")
@deadline_option
@click.option("--unsupported-file-edit", "file_edits", is_flag=True, help="As for apply.")
def command(
    *,
    file: Path | None,
    folder: Path,
    selectors: tuple[str, ...],
    check_only: bool,
    variables: tuple[str, ...],
    resume: str | None,
    approve: bool,
    accept: bool,
    form: str,
    deadline: float,
    file_edits: bool,
) -> None:
    """Do what the playbook FILE says: steps, wave by wave, with gates between them.

    It writes without asking, where the playbook says `apply` or `rollback`; --check shows what would run.

    Exit 0: done. 2: done, and something differs. 3: sites failed. 4: a person is needed, or the play waits for one.
    1: error. 130: stopped; --resume goes on.
    """
    given = _given(variables)
    options = _Options(folder, form, deadline, file_edits, approve, accept)
    if resume is not None:
        _no_more(check_only=check_only, selectors=selectors)
        raise SystemExit(_resume(resume, file, given, options))
    if file is None:
        raise UsageProblem("no playbook is named", next_step="Name its file; see `playbooks/`.")
    if approve or accept:
        option = "--approve" if approve else "--accept-changed-files"
        raise UsageProblem(f"{option} needs --resume", next_step="A new play has nothing to approve yet.")
    raise SystemExit(_begin(file, given, selectors, options, check_only=check_only))


def _given(variables: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in variables:
        name, sign, value = each.partition("=")
        if not sign or not name or name in found:
            raise UsageProblem(
                f"--var {each[:60]}: not NAME=VALUE, each name once", next_step="--var region=east"
            )
        found[name] = value
    return found


def _no_more(*, check_only: bool, selectors: Sequence[str]) -> None:
    if check_only or selectors:
        raise UsageProblem(
            "--resume goes on with the sites of the play", next_step="Leave --check and --sites away."
        )


def _begin(
    file: Path, given: dict[str, str], selectors: Sequence[str], options: _Options, *, check_only: bool
) -> int:
    from ivn_provision.cli.guarding import owner, state_folder, utc_now
    from ivn_provision.run.fleet.selection import parse_selector
    from ivn_provision.run.play.reading import read_playbook
    from ivn_provision.run.play.starting import begin, waves_of
    from ivn_provision.run.revision import revision_of
    from ivn_provision.run.run_names import run_name

    play = run_name(datetime.now(UTC), secrets.token_hex(2))
    read = read_playbook(str(file), given, play)
    files = fleet_files(Choice(options.folder))
    waves = waves_of(files, read, [parse_selector(each) for each in selectors])
    if check_only:
        return _show_check(read, waves, files, options)
    revision, dirty = revision_of(options.folder)
    memory = begin(
        state_folder(), play, utc_now, read, waves,
        fleet=str(options.folder), who=owner(), command="play", revision=revision, dirty=dirty,
    )  # fmt: skip
    with closing(memory):
        return _play(read, waves, files, memory, options)


def _resume(play: str, file: Path | None, given: dict[str, str], options: _Options) -> int:
    from ivn_provision.cli.guarding import state_folder, utc_now
    from ivn_provision.run.play.reading import read_playbook
    from ivn_provision.run.play.same_files import accept, files_of
    from ivn_provision.run.play.starting import reopen, same_waves

    begun, memory = reopen(state_folder(), play, utc_now)
    with closing(memory):
        values = {name: str(value) for name, value in begun.variables.items()}
        if any(values.get(name) != value for name, value in given.items()):
            raise UsageProblem("the variables of a play do not change", next_step="Leave --var away.")
        if file is not None and Path(begun.file).resolve() != file.resolve():
            raise UsageProblem(f"play {begun.play} is of {begun.file}", next_step="Leave FILE away.")
        options = replace(options, folder=Path(begun.folder))
        read = read_playbook(begun.file, values, begun.play)
        files = fleet_files(Choice(options.folder))
        waves = same_waves(files, read, begun)
        if options.accept:
            accept(memory, files_of(ref for wave in waves for ref in wave))
        return _play(read, waves, files, memory, options)


def _show_check(read: ReadPlaybook, waves: Waves, files: FleetFiles, options: _Options) -> int:
    from ivn_provision.report.play_text import check_document, render_check
    from ivn_provision.run.play.checking import refused_waves

    refused = refused_waves(read.playbook, waves, files)
    if options.form == "json":
        echo(json.dumps(check_document(read.playbook, waves, refused), indent=2))
    else:
        echo(render_check(read.playbook, waves, refused, paint()))
    return 0


def _play(read: ReadPlaybook, waves: Waves, files: FleetFiles, memory: Memory, options: _Options) -> int:
    from ivn_provision.cli.guarding import guards_of, owner
    from ivn_provision.cli.interrupts import interrupts
    from ivn_provision.cli.progress import PlainLines, progress
    from ivn_provision.report.play_text import play_document, render_play
    from ivn_provision.run.fleet.runners import Threads
    from ivn_provision.run.play.crew import SiteCrew
    from ivn_provision.run.play.engine import Play
    from ivn_provision.run.play.same_files import files_of
    from ivn_provision.run.watching import Time

    refs = [ref for wave in waves for ref in wave]
    clock = Time(lambda: datetime.now(UTC), time.sleep)
    asks = any(step.do is Do.PAUSE for step in read.playbook.steps) and sys.stdin.isatty()
    with (
        interrupts() as stop,
        streamed(options.form, "play") as stream,
        progress(len(refs), live=not asks, stream=stream) as observer,
    ):
        if stream is not None:
            stream.begin(len(refs), memory.play)
        crew = SiteCrew(
            playbook=read.playbook,
            play=memory.play,
            files=files,
            runner=Threads(network=files.network),
            opener=_openers(options, refs),
            guards=guards_of(refs, command="play", stopping=stop.stopping),
            observer=observer,
            time=clock,
            secret=resolve_secret,
            report_file=_write_report,
            ask=_asker(options, stop),
            audit=_auditor(options, files),
            audit_file=_write_audit,
        )
        outcome = Play(
            read, waves, memory, crew, clock, _silent if stream else _teller(len(waves)),
            or_closed(stop.stopping, stream), owner() if options.approve else "",
            (lambda _: None) if isinstance(observer, PlainLines) else observer.notify,
            lambda: files_of(refs),
        ).go()  # fmt: skip
        if stream is not None:
            if outcome.error is not None:
                stream.fail(outcome.error)
            raise SystemExit(outcome.exit_code)
    echo(
        json.dumps(play_document(outcome), indent=2)
        if options.form == "json"
        else render_play(outcome, paint())
    )
    show_errors([outcome])
    return outcome.exit_code


def _silent(wave: int, text: str) -> None:
    """A stream tells it in its own way."""
    del wave, text


def _openers(options: _Options, refs: Sequence[SiteRef]) -> Callable[[], Opener]:
    def made() -> Opener:
        opened = opener(options.deadline, refs)
        opened.file_edits = options.file_edits
        return opened

    return made


def _teller(count: int) -> Callable[[int, str], None]:
    def tell(wave: int, text: str) -> None:
        from ivn_provision.report.paint import safe

        echo(f"{f'wave {wave} of {count}: ' if wave else ''}{safe(text)}", err=True)

    return tell


def _asker(options: _Options, stop: Interrupts) -> Callable[[str], str]:
    """Asks at the terminal who is there; nobody is anywhere else."""

    def ask(message: str) -> str:
        from ivn_provision.cli.guarding import owner
        from ivn_provision.report.paint import safe

        if options.form != "text" or not sys.stdin.isatty():
            return ""
        with stop.asking():
            try:
                answer: str = click.prompt(
                    f"{safe(message)}\nGo on? Only 'yes' is accepted", default="no", err=True
                )
            except click.Abort:
                return ""
        return owner() if answer.strip() == "yes" else ""

    return ask


def _write_report(file: str, outcome: PlayOutcome) -> None:
    from ivn_provision.report.play_text import markdown, play_document

    text = (
        json.dumps(play_document(outcome), indent=2) + "\n" if file.endswith(".json") else markdown(outcome)
    )
    _write(Path(file), text)


def _auditor(options: _Options, files: FleetFiles) -> Callable[[Sequence[SiteRef], Opener, Observer], Audit]:
    def audit(refs: Sequence[SiteRef], opened: Opener, observer: Observer) -> Audit:
        from ivn_provision.cli.audit import audit_of

        names = () if len(refs) == len(files.refs) else tuple(ref.name for ref in refs)
        return audit_of(Choice(options.folder, names), files, refs, opened, observer)

    return audit


def _write_audit(file: str, audit: Audit) -> None:
    from ivn_provision.cli.audit import form_of, rendered

    path = Path(file)
    _write(path, rendered(audit, form_of(path)))


def _write(path: Path, text: str) -> None:
    """With the folder that it is in. Raises IvnError, also where a link leads out of the folder of the play."""
    here = Path.cwd().resolve()
    there = path.resolve()
    if not there.is_relative_to(here) or ".ivn" in there.relative_to(here).parts:
        raise IvnError(
            f"{path} leads out of the folder that the play was begun in, or into .ivn",
            where=str(path),
            next_step="A report is written below that folder: remove the link, or name another file.",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IvnError(
            f"cannot make the folder {path.parent}: {error.strerror}",
            next_step="Choose another file or folder.",
        ) from error
    write_text(path, text)
