"""The report files of `verify`: what was looked at, fired and seen, for a dealer's files."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ivn_provision import __version__
from ivn_provision.cli.shared import write_text
from ivn_provision.errors import UsageProblem

if TYPE_CHECKING:
    from ivn_provision.report.commissioning import Commissioning
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
        if not file.parent.is_dir():
            raise UsageProblem(
                f"--report {file}: there is no folder {file.parent}", next_step="Make it first."
            )


def write_reports(
    files: tuple[Path, ...], site: Site, checked: Checked, verified: Verified, *, run: str, began: datetime
) -> None:
    """Each in the form that its ending names, readable by its owner only. Raises IvnError."""
    from ivn_provision.cli.guarding import owner
    from ivn_provision.report.commissioning import About, commissioning
    from ivn_provision.run.revision import revision_of
    from ivn_provision.transports.winrm_settings import is_loopback

    revision, dirty = revision_of(Path(site.path).parent)
    about = About(
        run=run,
        by=owner(),
        tool=__version__,
        began=began,
        ended=datetime.now(UTC),
        revision=revision,
        dirty=dirty,
        in_lab=site.nvr is not None and is_loopback(site.nvr.connect.host),
    )
    report = commissioning(site, about, checked, verified)
    for file in files:
        write_text(file, _form(file.suffix.lower())(report))


def _form(ending: str) -> Callable[[Commissioning], str]:
    from ivn_provision.report.commissioning_html import render
    from ivn_provision.report.commissioning_json import commissioning_json, commissioning_junit

    if ending == ".html":
        return render
    if ending == ".xml":
        return commissioning_junit
    return lambda report: json.dumps(commissioning_json(report), indent=2) + "\n"
