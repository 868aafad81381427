"""What travels between who submits an apply and who does it: a job for one site, and its result. JSON, no secrets.

A job carries the site's name and the digest of its plan, never a value: the worker has its own copy of the fleet's
files, resolves secrets in its own environment and reads the site itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ivn_provision.errors import IvnError, WorkerError
from ivn_provision.plan.fresh import fingerprint
from ivn_provision.plan.plan import SitePlan
from ivn_provision.run.journal import canonical, digest
from ivn_provision.run.saved_plan import spec_digest
from ivn_provision.spec.site import Site
from ivn_provision.strict_json import Node

SITE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_FAILURE = re.compile("rollback|stop")
_STANDING = re.compile("applied|unchanged|pending|reverted|refused|failed|stopped|unfinished")
_GOOD = frozenset({"applied", "unchanged", "pending"})
_LINE = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f]*")
_DAY = 86400


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """How a site is applied: the guards of the command line that hold for one site. Seconds."""

    deadline: float = 60.0
    confirm_within: int = 0
    hold: bool = False
    on_failure: str = "rollback"
    override: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    file_edits: bool = False


@dataclass(frozen=True, slots=True)
class SiteJob:
    """Apply one site, if the plan for it still is the one of this digest."""

    run: str
    site: str
    plan: str
    options: ApplyOptions = field(default_factory=ApplyOptions)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SiteResult:
    """What became of a site. `standing` is that of its journal; `code` the exit code of its error, 0 for none.

    `run` is the journal on the worker, `worker` its name.
    """

    site: str
    standing: str
    code: int = 0
    summary: str = ""
    where: str = ""
    next_step: str = ""
    run: str = ""
    worker: str = ""

    @property
    def error(self) -> IvnError | None:
        """For reports here."""
        if not self.code:
            return None
        return WorkerError(self.summary, self.code, where=self.where, next_step=self.next_step)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def failed(site: str, error: IvnError, *, run: str = "", standing: str = "refused") -> SiteResult:
    """The result of a site that ended with an error."""
    return SiteResult(site, standing, error.exit_code, error.summary, error.where, error.next_step, run)


def plan_digest(site: Site, plan: SitePlan) -> str:
    """SHA-256 of what is declared, of what is live, of what would be changed, and of the site's limits.

    Of secrets only their references.
    """
    return digest(canonical([spec_digest(site), fingerprint(plan), asdict(site.limits)]))


def read_job(data: object) -> SiteJob:
    """Raises WrongShape."""
    node = Node(data)
    return SiteJob(
        run=node["run"].text(RUN_ID, "the name of a run"),
        site=node["site"].text(SITE, "the name of a site"),
        plan=node["plan"].text(_DIGEST, "a digest"),
        options=_read_options(node["options"]),
    )


def _read_options(node: Node) -> ApplyOptions:
    return ApplyOptions(
        deadline=node["deadline"].number(0.5, 3600),
        confirm_within=node["confirm_within"].integer(0, _DAY),
        hold=node["hold"].flag(),
        on_failure=node["on_failure"].text(_FAILURE, "rollback or stop"),
        override=_texts(node["override"]),
        targets=_texts(node["targets"]),
        excludes=_texts(node["excludes"]),
        file_edits=node["file_edits"].flag(),
    )


def read_result(data: object) -> SiteResult:
    """Raises WrongShape."""
    node = Node(data)
    names = ("summary", "where", "next_step", "run", "worker")
    texts: Mapping[str, str] = {name: node[name].text(_LINE, "a line of text") for name in names}
    standing = node["standing"].text(_STANDING, "how a run ends on a site")
    code = node["code"].integer(0, 255)
    if not code and standing not in _GOOD:
        node["code"].wrong(f"says that all is well, but the site is {standing}")
    return SiteResult(
        site=node["site"].text(SITE, "the name of a site"), standing=standing, code=code, **texts
    )


def _texts(node: Node) -> tuple[str, ...]:
    return tuple(each.text() for each in node.items())
