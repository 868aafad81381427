"""The rules as a page for people: `docs/reference/rules.md` is made of this and of nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ivn_provision.spec.rules.registry import Rule

_HEAD = """\
# Rules

<!-- Made by scripts/make-rules-reference from ivn_provision/spec/rules. Do not edit. -->

What `ivn-provision validate` checks beyond the form of a site file. An **error** fails the run, a **warning**
does not. What a file does not declare is not managed, and a rule about it stays silent.

The last column says why the rule is there: `R-nn` is a requirement of the 2015 installation manual and `C-nn`
the decision where that manual contradicts itself; `portal row n` and `portal check Sn` are this project's table
of failures and checks of the portal, `xprotect-e part n` and `winrm part n` the collected facts about the recorder and its transport. `tool` marks
a rule of this tool itself. Messages and hints come with file, line and column.
"""


def markdown(rules: Iterable[Rule]) -> str:
    """The page: a table of all rules, then each with its explanation."""
    listed = tuple(rules)
    table = ["| code | name | severity | rule | because of |", "|---|---|---|---|---|"]
    table += [
        f"| [{each.code}](#{each.code.lower()}) | `{each.name}` | {each.severity} | {_cell(each.title)}"
        f" | {', '.join(each.requirements)} |"
        for each in listed
    ]
    sections = (line for each in listed for line in _section(each))
    return "\n".join([_HEAD, *table, "", *sections])


def _section(rule: Rule) -> Iterator[str]:
    scope = "the whole fleet" if rule.kind else "one site"
    yield f"## {rule.code}"
    yield ""
    yield f"**{rule.title}.** `{rule.name}`, {rule.severity}, checked over {scope}; {', '.join(rule.requirements)}."
    yield ""
    yield rule.explanation
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
