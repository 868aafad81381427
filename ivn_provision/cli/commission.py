"""The report files of `verify`: what was looked at, fired and seen, for a dealer's files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ivn_provision import __version__
from ivn_provision.cli.shared import echo, paint, write_text
from ivn_provision.errors import IvnError, UsageProblem
from ivn_provision.report.errors_text import render_error

if TYPE_CHECKING:
    from ivn_provision.report.commissioning import About, Commissioning
    from ivn_provision.run.checking import Checked
    from ivn_provision.run.verifying import Verified
    from ivn_provision.spec.site import Site

ENDINGS = (".html", ".json", ".xml")


def check_reports(files: tuple[Path, ...], sites: int) -> None:
    """Raises UsageProblem before anything is fired."""
    if files and sites != 1:
        raise UsageProblem(
            "--report is for one site", next_step="Run `ivn-provision verify SITE --report FILE`."
        )
    for file in files:
        if file.suffix.lower() not in ENDINGS:
            raise UsageProblem(
                f"--report {file}: not a kind of report", next_step=f"Name it with {', '.join(ENDINGS)}."
            )
        if not os.path.isdir(file.parent):
            raise UsageProblem(
                f"--report {file}: there is no folder {file.parent}", next_step="Make it first."
            )
        if os.path.exists(file) and not (os.path.isfile(file) and os.access(file, os.W_OK)):
            raise UsageProblem(
                f"--report {file}: it is there, and cannot be written", next_step="Choose another name."
            )


def write_reports(
    files: tuple[Path, ...], site: Site, checked: Checked, verified: Verified, *, run: str, began: datetime
) -> int:
    """Each in the form that its ending names, readable by its owner only. The exit code: 1 if one was not written
    (the others are), 2 if the verdict is that the site is not accepted."""
    from ivn_provision.report.commissioning import Verdict, commissioning

    report = commissioning(site, _about(site, run, began), checked, verified)
    failed = [error for file in dict.fromkeys(files) if (error := _unwritten(file, report)) is not None]
    for error in failed:
        echo(render_error(error, paint(err=True)), err=True)
    return 1 if failed else 2 if report.verdict is Verdict.REFUSED else 0


def _unwritten(file: Path, report: Commissioning) -> IvnError | None:
    try:
        write_text(file, _form(file.suffix.lower())(report))
    except IvnError as error:
        return error
    return None


def _about(site: Site, run: str, began: datetime) -> About:
    from ivn_provision.cli.guarding import owner
    from ivn_provision.report.commissioning import About
    from ivn_provision.run.revision import revision_of
    from ivn_provision.transports.winrm_settings import is_loopback

    revision, dirty = revision_of(Path(site.path).parent)
    return About(
        run=run,
        by=owner(),
        tool=__version__,
        began=began,
        ended=datetime.now(UTC),
        revision=revision,
        dirty=dirty,
        in_lab=site.nvr is not None and is_loopback(site.nvr.connect.host),
    )


def _form(ending: str) -> Callable[[Commissioning], str]:
    from ivn_provision.report.commissioning_html import render
    from ivn_provision.report.commissioning_json import commissioning_json, commissioning_junit

    if ending == ".html":
        return render
    if ending == ".xml":
        return commissioning_junit
    return lambda report: json.dumps(commissioning_json(report), indent=2) + "\n"
