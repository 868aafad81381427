"""The checks as a page for people: `docs/reference/checks.md` is made of this and of nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ivn_provision.verify.registry import Check

_HEAD = """\
# Checks

<!-- Made by scripts/make-checks-reference from ivn_provision/verify/checks. Do not edit. -->

What `ivn-provision check SITE` looks at, without firing an alarm. It writes nothing, sends no mail, and needs no more
rights than the provisioning account on the recorder, the portal's account, and a portal client that may read and test.
All of a recorder is looked at in one remote process; clear-text protocols are spoken there only.

| state | meaning |
|---|---|
| pass | it was seen, and is as it should be |
| warn | it works, and should be looked at |
| fail | alarms, video or dispatch are at risk; exit code 2 |
| inconclusive | it cannot be seen from here, or what would show it does not answer; never counted as passed |
| skipped | nothing of the kind is declared, or this version has no way to look |

`R-nn` is a requirement of the 2015 installation manual, `row n` a row of the [failure table](failure-table.md), where
each failure is made in the embedded lab and found by its check. That shows the checks against the lab, not against a
real recorder or the real portal.
"""


def markdown(checks: Iterable[Check]) -> str:
    """The page: a table of all checks, then each with its explanation."""
    listed = tuple(checks)
    table = ["| check | looks at | what is right | because of |", "|---|---|---|---|"]
    table += [
        f"| [{each.id}](#{each.id}) | {each.target} | {each.title} | {', '.join(each.refs)} |"
        for each in listed
    ]
    sections = (line for each in listed for line in _section(each))
    return "\n".join([_HEAD, *table, "", *sections])


def _section(check: Check) -> Iterator[str]:
    yield f"## {check.id}"
    yield ""
    yield f"**{check.title}.** {check.target}; {', '.join(check.refs)}."
    yield ""
    yield check.explanation
    yield ""
