"""What the commands that speak to sites have in common."""

from __future__ import annotations

import gc
import json
import os
import secrets
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from ivn_provision.cli.choosing import Choice, choose_sites, fleet_files, refs_of
from ivn_provision.cli.numbers import RealRange
from ivn_provision.cli.streaming import JSON_LINES
from ivn_provision.diagnostics import Diagnostic
from ivn_provision.errors import IvnError, SpecError
from ivn_provision.plan.plan import SitePlan
from ivn_provision.report.paint import Paint, paint_for
from ivn_provision.run.attestation_files import HasFile, attestations_of
from ivn_provision.run.outcomes import SiteOutcome
from ivn_provision.run.run_names import run_name
from ivn_provision.run.targets import Opener
from ivn_provision.secret import Secret, SecretRef
from ivn_provision.spec.site import Site

if TYPE_CHECKING:
    from ivn_provision.drivers.xprotect_e.layout_set import Layouts
    from ivn_provision.model.desired import Desired
    from ivn_provision.report.event_stream import EventStream

Command = TypeVar("Command", bound=Callable[..., Any])


DEADLINE = RealRange(min=0.5, max=3600)
deadline_option = click.option(
    "--deadline",
    default=60.0,
    show_default=True,
    type=DEADLINE,
    help="Seconds that one operation on a target may take.",
)


def site_options(*formats: str) -> Callable[[Command], Command]:
    """Which sites (`choice`), `--format FORMAT --deadline SECONDS`; text and JSON, and further formats."""

    def add(command: Command) -> Command:
        for option in (choose_sites, format_option("text", "json", *formats), deadline_option)[::-1]:
            command = option(command)
        return command

    return add


def format_option(*formats: str) -> Callable[[Command], Command]:
    """`--format`, the first of them by default."""
    return click.option("--format", "form", type=click.Choice(formats), default=formats[0])


def paint(*, err: bool = False) -> Paint:
    stream = sys.stderr if err else sys.stdout
    return paint_for(is_terminal=stream.isatty(), env=os.environ)


def echo(text: str, *, err: bool = False) -> None:
    """Print a report. click strips colour from what is no terminal, so say when it is wanted there too.

    What the stream's encoding cannot hold is printed as an escape: one odd name must not cost a report.
    """
    encoding = (sys.stderr if err else sys.stdout).encoding or "utf-8"
    shown = text.encode(encoding, "backslashreplace").decode(encoding)
    click.echo(shown, err=err, color=paint(err=err).on or None)


def opener(deadline: float, sites: Sequence[HasFile], *, listed: bool = False) -> Opener:
    """Opens drivers with secrets from this process's environment, and attestations from beside the sites.

    `listed`: many sites of a portal may be read together. Only for what reads each site once and writes none.
    """
    return Opener(
        secret=resolve_secret,
        run_id=run_name(datetime.now(UTC), secrets.token_hex(2)),
        deadline_seconds=deadline,
        attestations=attestations_of(sites),
        layouts=layouts_of(sites),
        listed=len(sites) if listed else 0,
    )


def layouts_of(sites: Sequence[HasFile]) -> Layouts | None:
    """The tool's layouts and those in `layouts/` of the sites' fleets; None where there are no others."""
    from ivn_provision.spec.discovery import LAYOUTS, fleet_root

    roots = dict.fromkeys(fleet_root(os.path.dirname(site.path) or ".") for site in sites)
    folders = [folder for folder in (Path(root, LAYOUTS) for root in roots) if folder.is_dir()]
    if not folders:
        return None
    from ivn_provision.drivers.xprotect_e.layout_set import Layouts

    found = Layouts.packaged()
    for folder in folders:
        found = found.with_folder(folder)
    return found


def resolve_secret(reference: SecretRef) -> Secret:
    """From this process's environment."""
    from ivn_provision.spec.secrets import resolve

    return resolve(reference, os.environ)


def now() -> str:
    """RFC 3339 time for reports."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Compared:
    """Declared against live, of all sites asked for, at `timestamp` (RFC 3339). `partial`: globs chose a part.

    `problems` are of the fleet's files, of no one site.
    """

    outcomes: tuple[SiteOutcome, ...]
    plans: tuple[SitePlan, ...]
    timestamp: str
    partial: bool = False
    sites: tuple[Site, ...] = ()
    problems: tuple[Diagnostic, ...] = ()

    @property
    def differs(self) -> bool:
        return any(not plan.is_empty for plan in self.plans)

    @property
    def is_open(self) -> bool:
        """Is there something that reading does not show and nobody vouches for?"""
        return any(plan.open for plan in self.plans)

    @property
    def exit_code(self) -> int:
        """Of the errors alone; 0 where there is none."""
        return exit_code(self.outcomes) or int(any(each.is_error for each in self.problems))


@dataclass(frozen=True, slots=True)
class Against:
    """What a comparison is made with beside the files. `desired`: what the sites shall be instead, None for them."""

    more: Callable[[Site, SitePlan], SitePlan]
    desired: Callable[[Site], Desired] | None = None


def compare(
    choice: Choice,
    deadline: float,
    *,
    targets: Sequence[str] = (),
    excludes: Sequence[str] = (),
    whole: bool = False,
    against: Against | None = None,
    stream: EventStream | None = None,
) -> Compared:
    """Read the sites with drivers that cannot write, and compare; of that what the globs choose.

    With `whole` the plans and the sites are kept as they are; else what a report shows. `against` says more of each
    plan before that, without reading more. `stream` gets the events. Raises UsageProblem
    for a glob that names nothing.
    """
    from ivn_provision.cli.progress import progress
    from ivn_provision.plan.reach import reach_of
    from ivn_provision.plan.select import select, unmatched
    from ivn_provision.run.fleet.planning import as_shown, plan_fleet
    from ivn_provision.run.fleet.runners import Threads

    files = fleet_files(choice)
    refs = refs_of(choice, files)
    sites: dict[str, Site] = {}

    def keep(site: Site, plan: SitePlan) -> SitePlan:
        plan = select(against.more(site, plan) if against else plan, targets, excludes)
        if whole:
            sites[site.name] = site
        return plan if whole else as_shown(plan)

    opened = opener(deadline, refs, listed=True)
    opened.limits = choice.limits
    opened.asks = reach_of(targets, excludes)
    if against and against.desired:
        opened.desired = against.desired
    if stream is not None:
        stream.begin(len(refs), opened.run_id)
    gc.freeze()  # what is imported lives to the end: no collection of a fleet's garbage needs to look at it
    with progress(len(refs), stream=stream) as watching:
        runner = Threads(limits=opened.limits, network=files.network)
        outcomes = plan_fleet(files, refs, opened, watching, runner=runner, keep=keep)
    plans = tuple(each.plan for each in outcomes if each.plan is not None)
    is_whole = len(plans) == len(outcomes)
    if is_whole and (missing := unmatched(plans, (*targets, *excludes))):
        raise missing
    loaded = tuple(sites[each.site] for each in outcomes if each.site in sites)
    problems = files.problems() if choice.is_all else ()
    if stream is not None:
        stream.diagnose([each for each in problems if each.is_error])
    return Compared(outcomes, plans, now(), bool(targets or excludes), loaded, problems)


def document_of(compared: Compared) -> dict[str, Any]:
    """The whole plan as JSON. A fleet's is large: `report` shows it without having it."""
    from ivn_provision.plan.plan_json import to_json

    errors = errors_by_site(compared.outcomes)
    return to_json(compared.plans, timestamp=compared.timestamp, errors=errors, partial=compared.partial)


def report(compared: Compared, form: str, *, drift: bool, document: dict[str, Any] | None = None) -> None:
    """Show what was found, and the errors on stderr; nothing where a stream has told it. `document` is the JSON
    where it says more than that."""
    if form == JSON_LINES:
        return
    if form == "json" and document is not None:
        echo(json.dumps(document, indent=2))
    elif form == "json":
        _echo_json(compared)
    elif form == "markdown":
        from ivn_provision.report.plan_markdown import render_markdown

        echo(render_markdown(compared.outcomes, compared.plans), err=False)
    elif compared.plans:
        from ivn_provision.report.fleet_text import render_fleet

        echo(render_fleet(compared.outcomes, compared.plans, paint(), drift=drift, columns=columns()))
    show_errors(compared.outcomes)
    if problems := [each for each in compared.problems if each.is_error]:
        echo(render_diagnostics(problems), err=True)


def _echo_json(compared: Compared) -> None:
    from ivn_provision.plan.plan_pieces import pieces

    errors = errors_by_site(compared.outcomes)
    for piece in pieces(
        compared.plans, timestamp=compared.timestamp, errors=errors, partial=compared.partial
    ):
        click.echo(piece, nl=False)
    click.echo()


def columns() -> int:
    """Of the terminal that is written to; 80 where there is none."""
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 80


class Ended(Protocol):
    """What became of a site, with an error or without."""

    @property
    def error(self) -> IvnError | None: ...


def show_errors(outcomes: Iterable[Ended]) -> None:
    """Every site's error, on stderr, with the places that it carries."""
    from ivn_provision.report.errors_text import render_error

    for outcome in outcomes:
        if isinstance(outcome.error, SpecError) and outcome.error.diagnostics:
            echo(render_diagnostics(outcome.error.diagnostics), err=True)
        if outcome.error is not None:
            echo(render_error(outcome.error, paint(err=True)), err=True)


def exit_code(outcomes: Iterable[Ended]) -> int:
    """The gravest: an error before partly applied before a person before nothing."""
    codes = {outcome.error.exit_code for outcome in outcomes if outcome.error is not None}
    return next((code for code in (130, 64, 1, 3, 4) if code in codes), 0)


def errors_by_site(outcomes: Iterable[SiteOutcome]) -> dict[str, str]:
    return {outcome.site: outcome.error.summary for outcome in outcomes if outcome.error is not None}


def render_diagnostics(diagnostics: Sequence[Diagnostic]) -> str:
    """Diagnostics as text, with the lines of their files."""
    from ivn_provision.report.diagnostics_text import render

    return render(diagnostics, paint(err=True))


def write_text(path: Path, text: str) -> None:
    """Write a report file, readable by its owner only; a clear error if that is not possible."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise IvnError(
            f"cannot write {path}: {error.strerror}", next_step="Choose another file or folder."
        ) from error
