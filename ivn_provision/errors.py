"""Every error the tool raises on purpose.

    IvnError                      exit 1
    ├── UsageProblem              exit 64   the command line is off
    ├── SpecError                 exit 1    site files have problems; carries diagnostics
    ├── SecretError               exit 1    a secret reference cannot be resolved
    ├── PlanError                 exit 1    a plan cannot be computed or is refused
    │   ├── StalePlan                       a saved plan is used, expired, edited, foreign or out of date
    │   ├── LimitExceeded                   a plan breaks more than it may, or at the wrong time
    │   └── NotBegun                        a play had failed too often before this site's turn
    ├── StateError                exit 1    a journal, snapshot or key below .ivn is missing or damaged
    ├── Interrupted               exit 130  a person stopped the run; the journal says how far it came
    ├── PersonNeeded              exit 4    only a person can go on
    │   ├── ProofFailed           exit 4    the re-read after an apply was not as declared
    │   └── AcceptanceFailed      exit 4    an alarm that was fired did not arrive as it should
    ├── PartlyApplied             exit 3    some changes were made, the rest not
    ├── WorkerError               as there  a site failed on a worker, in another process
    ├── LabError                  exit 1    the embedded lab cannot do that
    └── TargetError               exit 1    a live system; names site, target and endpoint
        ├── Unreachable                     no connection
        ├── DeadlineExceeded                no answer in time
        ├── TlsFailed                       certificate or protocol refused
        ├── AuthenticationFailed            refused the account: never retried
        ├── ProtocolFault                   an answer that is not what the protocol says
        ├── Uncertain                       the line broke while the target was writing
        ├── LeaseHeld                       somebody else writes to the site
        ├── RevertFired                     the recorder put the earlier state back by itself
        ├── Conflict                        live changed since it was read: nothing was written
        └── Refused                         the target will not do it (in use, forbidden, invalid)

Each says where it happened and what to do next. None holds a secret.
"""

from __future__ import annotations

from typing import ClassVar

from ivn_provision.diagnostics import Diagnostic


class IvnError(Exception):
    """Base of all. `summary` is one sentence, `where` a place or address, `next_step` what to do."""

    exit_code: ClassVar[int] = 1

    def __init__(self, summary: str, *, where: str = "", next_step: str = "") -> None:
        super().__init__(summary)
        self.summary = summary
        self.where = where
        self.next_step = next_step


class UsageProblem(IvnError):
    """The command line names something that is not there or does not go together."""

    exit_code = 64


class SpecError(IvnError):
    """One or more site files have errors."""

    def __init__(
        self, diagnostics: tuple[Diagnostic, ...], *, summary: str = "", next_step: str = ""
    ) -> None:
        count = sum(1 for each in diagnostics if each.is_error)
        plural = "s" if count != 1 else ""
        super().__init__(summary or f"{count} error{plural} in site files", next_step=next_step)
        self.diagnostics = diagnostics


class SecretError(IvnError):
    """A `!secret` reference has no value here. Names the reference, never a value."""


class PlanError(IvnError):
    """A plan cannot be computed or is refused."""


class StalePlan(PlanError):
    """A saved plan cannot be applied: used, expired, edited, foreign, or live changed since."""


class LimitExceeded(PlanError):
    """A plan breaks more than its limits allow, or comes at a time when nothing may be changed."""


class NotBegun(PlanError):
    """Too many sites of a play had failed before: nothing was written on this one."""


class StateError(IvnError):
    """What the tool keeps below `.ivn` cannot be written, or is missing, damaged or edited."""


class Interrupted(IvnError):
    """A person or the system stopped the run."""

    exit_code = 130


class PersonNeeded(IvnError):
    """Something only a person can do stands in the way."""

    exit_code = 4


class ProofFailed(PersonNeeded):
    """The independent re-read after an apply still differs from what is declared."""


class AcceptanceFailed(PersonNeeded):
    """The site is as declared, and its alarms do not arrive as they should."""


class PartlyApplied(IvnError):
    """Some changes were made and some were not. `done` are the addresses of those that were, as text."""

    exit_code = 3

    def __init__(
        self, summary: str, *, done: tuple[str, ...] = (), where: str = "", next_step: str = ""
    ) -> None:
        super().__init__(summary, where=where, next_step=next_step)
        self.done = done


class WorkerError(IvnError):
    """What went wrong on a worker, in its words and with its exit code."""

    def __init__(self, summary: str, code: int, *, where: str = "", next_step: str = "") -> None:
        super().__init__(summary, where=where, next_step=next_step)
        self.exit_code = code  # type: ignore[misc]  # of an error that was raised elsewhere


class LabError(IvnError):
    """The embedded lab cannot do what was asked."""


class TargetError(IvnError):
    """A live system misbehaved.

    `site` and `target` are filled in by the engine where the transport does not know them;
    `endpoint` is `host:port` or a URL without user information.
    """

    def __init__(self, summary: str, *, endpoint: str = "", where: str = "", next_step: str = "") -> None:
        super().__init__(summary, where=where, next_step=next_step)
        self.endpoint = endpoint


class Unreachable(TargetError):
    """No connection: refused, no route, no name."""


class DeadlineExceeded(TargetError):
    """No (complete) answer before the deadline."""


class TlsFailed(TargetError):
    """The TLS handshake, the certificate check or the check of an SSH host key failed."""


class AuthenticationFailed(TargetError):
    """The account was refused. Never retried: a fleet run would lock it out."""


class ProtocolFault(TargetError):
    """The answer is not what the protocol promises: HTML for JSON, cut SOAP, a 500."""


class Uncertain(TargetError):
    """The connection was lost after a write was handed over: only a new reading tells what was made."""


class LeaseHeld(TargetError):
    """Another run holds the site: `owner`, `run` and `expires_at` (RFC 3339) say which."""

    def __init__(
        self,
        summary: str,
        *,
        owner: str,
        run: str,
        expires_at: str,
        endpoint: str = "",
        where: str = "",
        next_step: str = "",
    ) -> None:
        super().__init__(summary, endpoint=endpoint, where=where, next_step=next_step)
        self.owner = owner
        self.run = run
        self.expires_at = expires_at


class RevertFired(TargetError):
    """The recorder has put the earlier state back by itself, or tried to: what the run wrote does not stay."""


class Conflict(TargetError):
    """Live changed between the read and the write. Nothing was written."""


class Refused(TargetError):
    """The target understood and will not do it."""
