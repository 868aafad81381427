"""`ivn-provision audit`: how the sites of a fleet stand, since when, and how bad it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ivn_provision.cli.basing import base_option, bases_of
from ivn_provision.cli.choosing import Choice, choose_sites, fleet_files, refs_of
from ivn_provision.cli.shared import deadline_option, echo, opener, paint, render_diagnostics, write_text
from ivn_provision.cli.streaming import JSON_LINES, streamed
from ivn_provision.errors import UsageProblem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivn_provision.report.event_stream import EventStream
    from ivn_provision.run.audit.auditing import About, Caused
    from ivn_provision.run.audit.history import History
    from ivn_provision.run.audit.record import Audit
    from ivn_provision.run.events import Observer
    from ivn_provision.run.fleet.loading import FleetFiles
    from ivn_provision.run.fleet.refs import SiteRef
    from ivn_provision.run.targets import Opener
    from ivn_provision.spec.waivers import Waiver

FORMATS = ("text", "json", "sarif", "junit", "markdown", "csv", "html")
SUFFIXES: Mapping[str, str] = {
    ".html": "html",
    ".json": "json",
    ".sarif": "sarif",
    ".xml": "junit",
    ".md": "markdown",
    ".csv": "csv",
}


@click.command("audit")
@choose_sites
@click.option(
    "--format",
    "form",
    type=click.Choice((*FORMATS, JSON_LINES)),
    default="text",
    show_default=True,
    help="Of what is printed.",
)
@click.option(
    "--report",
    "reports",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write it to FILE, in the form of its suffix: " + ", ".join(SUFFIXES) + ". May be given again.",
)
@click.option(
    "--waivers",
    "waivers_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="What is excused.  [default: waivers.yml beside fleet.yml]",
)
@click.option(
    "--history",
    "history_folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where earlier audits are kept.  [default: .ivn/audits]",
)
@click.option("--no-history", is_flag=True, help="Do not look at earlier audits, and do not keep this one.")
@base_option
@deadline_option
def command(
    *,
    choice: Choice,
    form: str,
    reports: tuple[Path, ...],
    waivers_path: Path | None,
    history_folder: Path | None,
    no_history: bool,
    base: str | None,
    deadline: float,
) -> None:
    """Audit SITEs (default: all): drift, checks and what is not confirmed, less what is waived. Cannot write.

    Exit 0: as declared, or every difference is waived. 2: drift, or a check failed. 4: neither, but something that
    reading does not show is not confirmed. 1: a site could not be read, or its file has errors. With --base what is
    not applied yet is no drift.
    """
    from ivn_provision.cli.guarding import utc_now

    forms = {path: form_of(path) for path in reports}
    files = fleet_files(choice)
    refs = refs_of(choice, files)
    history = _history(choice, files, history_folder, no_history=no_history)
    about = _about(choice, refs, base or "", _waivers(refs, waivers_path, utc_now().date()))
    opened = opener(deadline, refs, listed=True)
    opened.limits = choice.limits
    with ExitStack() as stack:
        stream = stack.enter_context(streamed(form, "audit"))
        bases = stack.enter_context(bases_of(choice, base)) if base is not None else None
        caused = bases.caused if bases else None
        audit = _audited(files, refs, opened, about=about, history=history, stream=stream, caused=caused)
        for path, kind in forms.items():
            write_text(path, rendered(audit, kind))
        if stream is None:
            echo(rendered(audit, form).rstrip("\n"))
        problems = _fleet_problems(choice, files, stream)
        raise SystemExit(1 if problems else exit_code(audit))


def _audited(
    files: FleetFiles,
    refs: Sequence[SiteRef],
    opened: Opener,
    *,
    about: About,
    history: History | None,
    stream: EventStream | None,
    caused: Caused | None,
) -> Audit:
    from ivn_provision.cli.guarding import utc_now
    from ivn_provision.cli.progress import progress
    from ivn_provision.run.audit.auditing import audit_fleet
    from ivn_provision.run.fleet.runners import Threads

    if stream is not None:
        stream.begin(len(refs), opened.run_id)
    with progress(len(refs), stream=stream) as observer:
        return audit_fleet(
            refs,
            files.load,
            opened,
            runner=Threads(limits=opened.limits, network=files.network),
            about=about,
            history=history,
            observer=observer,
            clock=utc_now,
            caused=caused,
        )


def audit_of(
    choice: Choice, files: FleetFiles, refs: Sequence[SiteRef], opened: Opener, observer: Observer
) -> Audit:
    """An audit as the command makes it without options: with the fleet's waivers, kept in `.ivn/audits`."""
    from ivn_provision.cli.guarding import utc_now
    from ivn_provision.run.audit.auditing import audit_fleet
    from ivn_provision.run.fleet.runners import Threads

    return audit_fleet(
        refs,
        files.load,
        opened,
        runner=Threads(limits=opened.limits, network=files.network),
        about=_about(choice, refs, "", _waivers(refs, None, utc_now().date())),
        history=_history(choice, files, None, no_history=False),
        observer=observer,
        clock=utc_now,
    )


def form_of(path: Path) -> str:
    """The form of a report by its suffix. Raises UsageProblem."""
    form = SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise UsageProblem(
            f"--report {path}: what should it be?",
            next_step=f"Its name ends in one of {', '.join(SUFFIXES)}.",
        )
    return form


def rendered(audit: Audit, form: str) -> str:
    """The audit in one of FORMATS."""
    return _RENDERERS[form](audit)


def exit_code(audit: Audit) -> int:
    """The gravest: what could not be read before what differs before what is open."""
    from ivn_provision.run.audit.record import SiteState

    codes = {
        SiteState.UNREACHABLE: 1,
        SiteState.ERROR: 1,
        SiteState.INVALID: 1,
        SiteState.DRIFT: 2,
        SiteState.FAILING: 2,
        SiteState.OPEN: 4,
    }
    found = {codes.get(each.state, 0) for each in audit.sites}
    return next((code for code in (1, 2, 4) if code in found), 0)


def _about(
    choice: Choice, refs: Sequence[SiteRef], base: str, waivers: Mapping[str, Sequence[Waiver]]
) -> About:
    from ivn_provision.run.audit.auditing import About
    from ivn_provision.run.revision import revision_of

    folder = Path(refs[0].path).parent if refs else choice.folder
    revision, dirty = revision_of(folder)
    return About(str(choice.folder), choice.text(), revision, dirty=dirty, base=base, waivers=waivers)


def _waivers(refs: Sequence[SiteRef], given: Path | None, today: date) -> Mapping[str, Sequence[Waiver]]:
    """By the root of the fleet. Raises SpecError before anything is read."""
    from ivn_provision.spec.waivers import read_waivers, waivers_of

    roots = dict.fromkeys(ref.root for ref in refs)
    if given is not None:
        return dict.fromkeys(roots, read_waivers(str(given), today))
    return {root: waivers_of(root, today) for root in roots}


def _history(choice: Choice, files: FleetFiles, folder: Path | None, *, no_history: bool) -> History | None:
    if no_history and folder is not None:
        raise UsageProblem("--history and --no-history", next_step="Give one of the two.")
    if no_history:
        return None
    from ivn_provision.cli.guarding import state_folder
    from ivn_provision.run.audit.history import History

    names = [ref.name for ref in files.refs]
    return History(folder or state_folder().folder("audits"), str(choice.folder), names)


def _fleet_problems(choice: Choice, files: FleetFiles, stream: EventStream | None) -> bool:
    """Are there errors between the sites? They are said on stderr, or in the stream."""
    problems = [each for each in files.problems() if each.is_error] if choice.is_all else []
    if stream is not None:
        stream.diagnose(problems)
    elif problems:
        echo(render_diagnostics(problems), err=True)
    return bool(problems)


def _text(audit: Audit) -> str:
    from ivn_provision.report.audit.text import render_text

    return render_text(audit, paint())


def _json(audit: Audit) -> str:
    from ivn_provision.report.audit.json import render_json

    return render_json(audit)


def _sarif(audit: Audit) -> str:
    from ivn_provision.report.audit.sarif import render_sarif
    from ivn_provision.verify.checks import CHECKS

    return render_sarif(audit, {each.id: each.title for each in CHECKS})


def _junit(audit: Audit) -> str:
    from ivn_provision.report.audit.junit import render_junit

    return render_junit(audit)


def _markdown(audit: Audit) -> str:
    from ivn_provision.report.audit.markdown import render_markdown

    return render_markdown(audit)


def _csv(audit: Audit) -> str:
    from ivn_provision.report.audit.csv import render_csv

    return render_csv(audit)


def _html(audit: Audit) -> str:
    from ivn_provision.report.audit.html import render_html

    return render_html(audit)


_RENDERERS: Mapping[str, Callable[[Audit], str]] = {
    "text": _text,
    "json": _json,
    "sarif": _sarif,
    "junit": _junit,
    "markdown": _markdown,
    "csv": _csv,
    "html": _html,
}
