"""Past runs for people: a list, and one run with what it changed, before -> after."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ivn_provision.model.resource import Value
from ivn_provision.plan.plan import Action
from ivn_provision.report.paint import Paint, safe
from ivn_provision.report.plan_text import SIGNS, show
from ivn_provision.run.journal import Record, RunSummary
from ivn_provision.run.past import Past, PastSite
from ivn_provision.run.snapshot_values import KeyedHash, from_json
from ivn_provision.run.story import Recorded
from ivn_provision.secret import MASK
from ivn_provision.spec.values import Computed
from ivn_provision.strict_json import Node, WrongShape

_GOOD, _OPEN = frozenset({"applied", "unchanged"}), frozenset({"pending", "unfinished", "stopped", "failed"})
NO_RECORD = "no record: it broke off before it began, or its journal was removed"


def render_runs(runs: Sequence[RunSummary], paint: Paint, *, site: str = "") -> str:
    """The list, as it is given. `site` is what it was limited to."""
    if not runs:
        return f"No run {f'for {safe(site)} ' if site else ''}is known in this folder."
    return "\n".join(line for each in runs for line in _summary(each, paint, site))


def _summary(run: RunSummary, paint: Paint, site: str) -> Iterator[str]:
    if run.error:
        yield f"{paint(run.run, 'bold')}  {paint('damaged', 'red')}: {safe(run.error)}"
        return
    if not run.at:
        yield f"{paint(run.run, 'bold')}  {NO_RECORD}"
        return
    changes = "+changes" if run.dirty else ""
    said = [run.at, run.who, run.command, f"from {run.revision[:12]}{changes}" if run.revision else ""]
    yield f"{paint(run.run, 'bold')}  " + "  ".join(safe(each) for each in said if each)
    for name, standing in run.sites.items():
        if site in {"", name}:
            yield f"    {safe(name)}: {_standing(standing, paint)}"


def render_past(past: Past, paint: Paint) -> str:
    """One run, whole."""
    lines = [paint(f"run {past.run}", "bold"), *_head(past)]
    for each in past.sites:
        lines += ["", *_site(each, paint)]
    return "\n".join(lines)


def _head(past: Past) -> Iterator[str]:
    revision = past.revision + (" (with changes that were not committed)" if past.dirty else "")
    options = " ".join(f"{name}={_brief(value)}" for name, value in past.options.items() if value)
    rows = {
        "when": f"{past.at} to {past.ended}" if past.ended else f"{past.at}, no end is written",
        "who": past.who,
        "command": past.command,
        "revision": revision,
        "plan": past.plan,
        "options": options,
        "tool": past.tool,
    }
    yield from (f"  {name:<9} {safe(text)}" for name, text in rows.items() if text)


def _brief(value: object) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{name}={each}" for name, each in value.items())
    return ",".join(str(each) for each in value) if isinstance(value, list) else str(value)


def _site(site: PastSite, paint: Paint) -> Iterator[str]:
    error = f": {safe(site.error)}" if site.error else ""
    yield f"{paint(safe(site.site), 'bold')} {_standing(site.standing, paint)}{error}"
    shots = [f"{name} {each}" for name, each in (("before", site.before), ("after", site.after)) if each]
    if shots:
        yield f"  snapshots: {', '.join(safe(each) for each in shots)}"
    for change in site.changes:
        yield from _change(change, paint)
    yield from (f"  {each.at}  {safe(_told(each))}" for each in site.events if each.event != "planned")


def _standing(word: str, paint: Paint) -> str:
    if word == "refused":
        return "refused (nothing written)"
    return paint(safe(word), "green" if word in _GOOD else "red" if word in _OPEN else "yellow")


def _change(change: Recorded, paint: Paint) -> Iterator[str]:
    known = change.action in set(Action)
    sign, colour = SIGNS[Action(change.action)] if known else (safe(change.action), "yellow")
    yield f"  {paint(sign, colour)} {safe(str(change.address))}"
    width = max((len(safe(name)) for name in change.fields), default=0)
    for name, (before, after) in change.fields.items():
        shown = f"{_value(before)} -> {_value(after)}"
        if change.action == Action.CREATE:
            shown = _value(after)
        elif change.action == Action.DELETE:
            shown = _value(before)
        yield f"      {safe(name):<{width}} = {shown}"


def _value(data: object) -> str:
    """A secret as the fact that it is one, with the reference it was declared by."""
    try:
        value = from_json(data)
    except ValueError:
        return safe(str(data))
    if isinstance(value, tuple):
        return "[" + ", ".join(_plain(item) for item in value) + "]"
    if not isinstance(value, KeyedHash):
        return _plain(value)
    reference = data.get("reference") if isinstance(data, dict) else None
    return f"{MASK} {safe(reference)}" if isinstance(reference, str) else MASK


def _plain(value: Value) -> str:
    return f"(generated: {safe(value.path)})" if isinstance(value, Computed) else show(value)


def _told(record: Record) -> str:
    """A record in words; one of another version of the tool as it stands."""
    words = _WORDS.get(record.event)
    try:
        return words(Node(record.data)) if words else f"{record.event} {_brief(record.data)}".rstrip()
    except WrongShape:
        return f"{record.event} {_brief(record.data)}".rstrip()


def _batch(node: Node) -> str:
    count = len(node["addresses"].items())
    objects = f"{count} object{'' if count == 1 else 's'}"
    return f"{node['target'].text()}: batch {node['batch'].value}, {objects},"


def _failed(node: Node) -> str:
    doubt = " (what of it was made was not known)" if node["uncertain"].flag() else ""
    return f"{_batch(node)} failed{doubt}: {node['error'].text()}"


def _put_back(node: Node) -> str:
    return f"{node['target'].text()}: " + ("put back" if node["whole"].flag() else "not put back as a whole")


def _end(node: Node) -> str:
    error = node["error"].text()
    return f"ended {node['standing'].text()}" + (f": {error}" if error else "")


_WORDS: Mapping[str, Callable[[Node], Any]] = {
    "hold": lambda node: f"{node['target'].text()}: takes the lease, until {node['until'].text()}",
    "held": lambda node: f"{node['target'].text()}: has the lease",
    "intent": lambda node: f"{_batch(node)} is begun",
    "done": lambda node: f"{_batch(node)} is written",
    "failed": _failed,
    "proof": lambda node: f"read again: {node['left'].value} of its changes left to make",
    "acceptance": lambda node: "the alarms arrive" if node["passed"].flag() else "the alarms do not arrive",
    "reverting": lambda node: f"goes back: {node['why'].text()}",
    "put_back": _put_back,
    "reverted": lambda _: "is back where it was",
    "override": lambda node: f"override {node['kind'].text()}: {node['reason'].text()}",
    "release": lambda node: f"{node['target'].text()}: gives the lease back",
    "released": lambda node: f"{node['target'].text()}: has given the lease back",
    "pending": lambda node: f"stays armed until {node['until'].text()}, for a person to confirm",
    "confirmed": lambda node: f"confirmed by {node['who'].text()}",
    "resumed": lambda node: f"resumed by {node['who'].text()}, to {node['way'].text()}",
    "site_end": _end,
}
