"""Events as messages in the shape of Terraform's machine-readable UI, version 1.2: one JSON object a line.

https://developer.hashicorp.com/terraform/internals/machine-readable-ui: `@level`, `@message`, `@module`,
`@timestamp` and `type`, and what the type adds. All that Terraform does not have stands under `ivn`, or in
messages of other types, whose `@message` says enough for a reader that does not know them. Like Terraform's,
messages name what differs and hold no value of it: no secret can be in them. See docs/reference/events.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ivn_provision import __version__
from ivn_provision.diagnostics import Diagnostic
from ivn_provision.errors import IvnError, SpecError
from ivn_provision.model.resource import Address
from ivn_provision.model.targets import family
from ivn_provision.plan.plan import Action, Change, SitePlan, count
from ivn_provision.report.diagnostics_json import diagnostic_json
from ivn_provision.report.paint import safe
from ivn_provision.report.source_lines import SourceLine, file_lines, hiding_unknown
from ivn_provision.run.audit.record import SiteAudit

Message = dict[str, Any]
MODULE = "ivn-provision.ui"
UI_VERSION = "1.2"
EVENTS_VERSION = 1

_DRIFTED: Mapping[Action, str] = {
    Action.CREATE: "delete",
    Action.DELETE: "create",
    Action.UPDATE: "update",
    Action.REPLACE: "update",
}
"""What was done to the live object, from what an apply would do about it."""
LEVELS = {"error": "error", "warning": "warn"}


def line(message: Message, timestamp: str) -> str:
    """One line of ASCII, without its end. Half a surrogate pair, which many readers refuse, is written out."""
    head = {
        "@level": message.get("@level", "info"),
        "@message": safe(message["@message"]),
        "@module": MODULE,
        "@timestamp": timestamp,
    }
    return json.dumps(_whole({**head, **message, **head}), separators=(",", ":"), allow_nan=False)


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_whole(key): _whole(each) for key, each in value.items()}
    return [_whole(each) for each in value] if isinstance(value, (list, tuple)) else value


def message(kind: str, text: str, /, **more: Any) -> Message:
    """A message of a type."""
    return {"@message": text, **more, "type": kind}


def version_message(command: str, sites: int, run: str = "") -> Message:
    """The first line."""
    ivn = {"version": EVENTS_VERSION, "command": command, "sites": sites, "run": run}
    return message(
        "version", f"ivn-provision {__version__}", ivn_provision=__version__, ui=UI_VERSION, ivn=ivn
    )


def resource(address: Address) -> Message:
    """Terraform's decomposed address; the site is in the place of the module."""
    local = f"{address.kind}.{address.key}" if address.key else address.kind
    return {
        "addr": str(address),
        "module": address.site,
        "resource": local,
        "implied_provider": f"ivn/{family(address.target)}",
        "resource_type": address.kind,
        "resource_name": address.key or address.kind,
        "resource_key": None,
    }


def target_resource(site: str, target: str) -> Message:
    """A whole target, for its reading: Terraform has no such thing, so its type is `target`."""
    return resource(Address(_whole(site), target, "target"))


def change_messages(plan: SitePlan, *, drift: bool) -> Iterator[Message]:
    """Every difference of a plan, with the names of its fields. What a person must do is no `planned_change`."""
    for change in plan.changes:
        ivn = {
            "site": plan.site,
            "target": change.address.target,
            "fields": [each.name for each in change.fields],
            "blocked_by": str(change.blocked_by) if change.blocked_by else None,
            "declared_at": _place(change),
            **({"cause": change.cause.value} if change.cause.value else {}),
        }
        if not change.workable:
            yield _by_hand(change, ivn)
        elif drift:
            action = _DRIFTED[change.action]
            text = f"{change.address}: Drift detected ({action})"
            yield message("resource_drift", text, change=_about(change, action), ivn=ivn)
        else:
            action = change.action.value
            text = f"{change.address}: Plan to {action}"
            yield message("planned_change", text, change=_about(change, action), ivn=ivn)
    for each in plan.open:
        text = f"{each.address}: {each.name} is to be confirmed by hand ({each.standing})"
        ivn = {"site": plan.site, "target": each.address.target, "fields": [each.name]}
        yield message("to_confirm", text, resource=resource(each.address), ivn=ivn)


def _by_hand(change: Change, ivn: Message) -> Message:
    why = "Must be done by hand" if change.manual else f"Waits for {change.blocked_by}"
    text = f"{change.address}: {why} ({change.action})"
    return message("manual_change", text, change=_about(change, change.action.value), ivn=ivn)


def _about(change: Change, action: str) -> Message:
    return {"resource": resource(change.address), "action": action}


def _place(change: Change) -> Message | None:
    place = change.declared_at
    return {"path": place.path, "line": place.line, "column": place.column} if place else None


def audit_messages(audit: SiteAudit) -> Iterator[Message]:
    """What an audit found on a site, then what it could not look at."""
    for each in audit.findings:
        finding = {
            "id": each.id,
            "kind": each.kind.value,
            "what": each.what,
            "level": each.level.value,
            "title": each.title,
            "address": each.address,
            "action": each.action,
            "fields": [one.name for one in each.fields],
            "refs": list(each.refs),
            "first_seen": each.first_seen,
            "waived": each.excused,
        }
        waived = " (waived)" if each.excused else ""
        text = f"{each.address or audit.site}: {each.title}{waived}"
        yield message("finding", text, finding=finding, ivn={"site": audit.site})
    for trouble in audit.trouble:
        error = IvnError(trouble.summary, where=trouble.where, next_step=trouble.next_step)
        yield from error_messages(error, audit.site, kind=trouble.kind)


def summary_message(changes: Message, operation: str) -> Message:
    """`changes` has add, change and remove."""
    if operation == "apply":
        text = "Apply complete! Resources: {add} added, {change} changed, {remove} destroyed."
    else:
        text = "Plan: {add} to add, {change} to change, {remove} to destroy."
    more = {"import": 0, "operation": operation}
    return message("change_summary", text.format(**changes), changes={**changes, **more})


def planned_counts(plans: Sequence[SitePlan]) -> Message:
    """As Terraform counts: a replacement is removed and added."""
    totals = count(tuple(plans))
    return {
        "add": totals.add + totals.replace,
        "change": totals.change,
        "remove": totals.destroy + totals.replace,
    }


def error_messages(
    error: IvnError, site: str, source: SourceLine = file_lines, *, kind: str = ""
) -> Iterator[Message]:
    """An error as diagnostics: those of its files first, each at its place. `kind` in place of its class."""
    if isinstance(error, SpecError):
        yield from diagnostic_messages(error.diagnostics, site, source)
    detail = "\n".join(part for part in (error.where, error.next_step) if part)
    diagnostic = {"severity": "error", "summary": error.summary, "detail": detail}
    about: Message = {
        "site": site,
        "error": kind or type(error).__name__,
        "where": error.where,
        "next_step": error.next_step,
        "exit_code": error.exit_code,
    }
    text = f"Error: {error.summary}"
    yield message("diagnostic", text, **{"@level": "error"}, diagnostic=diagnostic, ivn=about)


def diagnostic_messages(
    found: Sequence[Diagnostic], site: str, source: SourceLine = file_lines
) -> Iterator[Message]:
    """Problems of files, each with its place and the line there."""
    shown = hiding_unknown(found, source)
    for each in found:
        level = LEVELS.get(each.severity.value, "info")
        text = f"{each.code}: {each.summary}"
        ivn = {"site": site or each.site}
        diagnostic = diagnostic_json(each, shown)
        yield message("diagnostic", text, **{"@level": level}, diagnostic=diagnostic, ivn=ivn)
