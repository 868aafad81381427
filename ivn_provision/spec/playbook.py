"""A playbook as its file says: frozen values (schemas/playbook.schema.json, docs/reference/playbook-file.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ivn_provision.diagnostics import Place
from ivn_provision.secret import SecretRef

Variable = str | int


class OnFailure(StrEnum):
    """What happens when more sites failed than may, and to each failed site that was changed."""

    ROLLBACK = "rollback"
    STOP = "stop"


class Do(StrEnum):
    """What a step does."""

    VALIDATE = "validate"
    CHECK = "check"
    PLAN = "plan"
    APPLY = "apply"
    VERIFY = "verify"
    DRIFT = "drift"
    AUDIT = "audit"
    ROLLBACK = "rollback"
    REPORT = "report"
    NOTIFY = "notify"
    PAUSE = "pause"


OF_WAVE = frozenset({Do.REPORT, Do.NOTIFY, Do.PAUSE})
"""Steps that are done once for a wave; the others are done on each of its sites."""
WRITES = frozenset({Do.APPLY, Do.ROLLBACK})


class Of(StrEnum):
    """What a report is about."""

    PLAY = "play"
    AUDIT = "audit"


class Gate(StrEnum):
    """What every site of a wave must pass before the next wave begins."""

    PROOF = "proof"
    CHECKS = "checks"
    ACCEPTANCE = "acceptance"


@dataclass(frozen=True, slots=True)
class Size:
    """A number of sites, or percent of them."""

    number: int
    percent: bool = False

    def __str__(self) -> str:
        return f"{self.number}%" if self.percent else str(self.number)


ALL = Size(100, percent=True)


@dataclass(frozen=True, slots=True)
class Step:
    """One step. What a kind of step does not know is left empty. Times are in seconds.

    `targets` and `excludes` are globs of addresses, `whole` refuses a site of which a part is left to a person,
    `revision` is where a rollback leads ("" for the state before the play). `url`, `ca` (a file, absolute) and
    `required` are of a notify, `file` and `of` of a report.
    """

    do: Do
    place: Place
    name: str = ""
    when: str = ""
    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    verify: bool = False
    whole: bool = False
    confirm_within: int = 0
    revision: str = ""
    url: str | SecretRef = ""
    ca: str = ""
    required: bool = False
    deadline: int = 10
    file: str = ""
    of: Of = Of.PLAY
    message: str = ""

    @property
    def title(self) -> str:
        """As a person would call it."""
        return self.name or self.do.value


@dataclass(frozen=True, slots=True)
class Playbook:
    """`digest` is the SHA-256 of the file, in hex; `variables` are those in force. Times are in seconds.

    `sites` are selectors, of which one must hold; () for the whole fleet. `back_to` is the git revision to which
    `on_failure: rollback` leads, "" for the state before the play.
    """

    name: str
    path: str
    digest: str
    steps: tuple[Step, ...]
    description: str = ""
    variables: Mapping[str, Variable] = field(default_factory=dict)
    sites: tuple[str, ...] = ()
    waves: tuple[Size, ...] = (ALL,)
    max_failures: Size = Size(0)
    on_failure: OnFailure = OnFailure.ROLLBACK
    back_to: str = ""
    allow: Mapping[str, int] = field(default_factory=dict)
    soak: int = 0
    gates: tuple[Gate, ...] = ()
    finally_: tuple[Step, ...] = ()
    selectors_at: Place | None = None

    @property
    def writes(self) -> bool:
        """Does a step of it write on live systems?"""
        return any(step.do in WRITES for step in self.steps)
