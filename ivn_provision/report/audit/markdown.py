"""An audit as Markdown for a comment on a pull request: worst first, and never longer than code hosts take.

Every text that is not our own stands in a `code` element, with each sign that Markdown or HTML could mean something by
as a character reference: a name can neither make markup nor mention anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ivn_provision.report.audit.words import age, counts, difference, heading, location, waiver_text
from ivn_provision.report.paint import safe
from ivn_provision.run.audit.record import Audit, Finding, SiteAudit, SiteState

MOST = 60_000
"""Characters; GitHub takes 65,536 in a comment."""
_LONGEST = 300
_PLAIN = frozenset(" -/,")
_SIGNS = {
    SiteState.UNREACHABLE: "⛔",
    SiteState.ERROR: "⛔",
    SiteState.INVALID: "⛔",
    SiteState.DRIFT: "❌",
    SiteState.FAILING: "❌",
    SiteState.OPEN: "✋",
    SiteState.UNAPPLIED: "⏳",
    SiteState.WAIVED: "💤",
    SiteState.CLEAN: "✅",
}


def render_markdown(audit: Audit) -> str:
    """The comment. What does not fit is counted at its end."""
    head = "\n".join(_head(audit))
    foot = "\n".join(_foot(audit))
    room = MOST - len(head) - len(foot) - 200
    parts, left_out = _fitting((_site(each, audit) for each in audit.sites if _is_shown(each)), room)
    more = [f"… and {left_out} more sites; `ivn-provision audit` shows all of them.", ""] if left_out else []
    return "\n".join([head, *parts, *more, foot])


def code(text: str) -> str:
    """Foreign text: shown as it is, and understood as nothing else."""
    shown = safe(text)
    cut = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
    return f"<code>{''.join(map(_entity, cut))}</code>" if cut.strip() else "–"


def _entity(char: str) -> str:
    return char if char.isalnum() or char in _PLAIN or ord(char) > 127 else f"&#{ord(char)};"


def _is_shown(site: SiteAudit) -> bool:
    return bool(site.findings or site.trouble)


def _fitting(parts: Iterable[str], room: int) -> tuple[list[str], int]:
    """The first ones that fit, and how many do not."""
    kept: list[str] = []
    left_out = 0
    for part in parts:
        room -= len(part) + 1
        if room < 0 or left_out:
            left_out += 1
        else:
            kept.append(part)
    return kept, left_out


def _head(audit: Audit) -> Iterator[str]:
    yield f"## Audit: {heading(audit)}"
    yield ""
    of = f"{code(audit.fleet)} {code(audit.selection)}" if audit.selection else code(audit.fleet)
    at = (
        f" at {code(audit.revision[:12])}{' with local changes' if audit.dirty else ''}"
        if audit.revision
        else ""
    )
    yield f"{of}{at}, {audit.at}, {audit.seconds:.0f} s."
    yield ""
    yield "| state | sites |"
    yield "|---|--:|"
    yield from (
        f"| {_SIGNS[state]} {state.value} | {audit.count(state)} |"
        for state in SiteState
        if audit.count(state)
    )
    yield ""


def _site(site: SiteAudit, audit: Audit) -> str:
    since = f" for {age(site.since, audit.at)}" if age(site.since, audit.at) not in {"", "new"} else ""
    lines = [f"### {_SIGNS[site.state]} {code(site.site)}: {site.state.value}{since}", ""]
    lines += [f"- **{code(each.kind)}** {code(each.summary)} {code(each.where)}" for each in site.trouble]
    counted = [each for each in site.findings if not each.excused]
    lines += [_finding(each, audit) for each in counted]
    excused = [each for each in site.findings if each.excused]
    if excused:
        lines += ["", f"<details><summary>{len(excused)} waived</summary>", ""]
        lines += [_finding(each, audit) for each in excused]
        lines += ["", "</details>"]
    return _bounded(lines, len(counted) + len(excused))


def _bounded(lines: list[str], total: int) -> str:
    """One site never takes a whole comment."""
    text = "\n".join([*lines, ""])
    if len(text) <= MOST // 4:
        return text
    return "\n".join([*_fitting(lines[:-1], MOST // 4 - 200)[0][:40], "", f"… {total} findings in all.", ""])


def _finding(finding: Finding, audit: Audit) -> str:
    word = "**error**" if counts(finding) and finding.level.value == "error" else finding.level.value
    seen = age(finding.first_seen, audit.at)
    parts = [f"- {word} {code(finding.what)} {code(finding.title)}"]
    if finding.fields:
        parts.append(code(difference(finding)))
    if location(finding):
        parts.append(code(location(finding)))
    if finding.cause.value:
        parts.append(finding.cause.value)
    if seen:
        parts.append("new" if seen == "new" else f"for {seen}")
    if finding.waiver is not None:
        parts.append(code(waiver_text(finding.waiver)))
    return ", ".join(parts)


def _foot(audit: Audit) -> Iterator[str]:
    notes = [f"{code(each)}" for each in audit.notes]
    notes += [f"the waiver {code(each)} excuses nothing" for each in audit.unused_waivers]
    yield from (f"- note: {each}" for each in notes[:20])
    if len(notes) > 20:
        yield f"- {len(notes) - 20} more notes"
    if notes:
        yield ""
