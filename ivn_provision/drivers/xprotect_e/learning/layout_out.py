"""What was learned as a layout file (`schemas/layout.schema.json`), with comments for the person who reviews.

Merges into a learned layout of the same product and version: other kinds stay as they are, text and all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from ivn_provision.drivers.xprotect_e.learning.findings import FieldFinding, KindFinding
from ivn_provision.errors import Refused

NAMING = {
    "generic_event": r"^(?P<key>[1-9]\d{0,2}) S(?: .*)?$",
    "hardware_event": r"^(?P<key>[1-9]\d{0,2}) H(?: .*)?$",
}
"""Names that are ours (`facts/manual.md`, R-50 and R-59): ours in every product version."""
_BLOCK = re.compile(r"^  (?P<kind>[a-z_]+):[ \t]*$", re.MULTILINE)
_CAMERA = r"""  camera:
    # published names (docs/explanation/what-we-know.md), not learned here: events point at cameras
    items: Devices/*/Cameras/*
    name: DisplayName
    naming: '^(?P<key>[1-9]\d{0,2}) \S'
    create: {ability: manual, reason: 'hardware is added with the Add Hardware wizard (R-26)'}
    fields:
      name: {path: DisplayName, codec: text, ability: manual, evidence: proven, reason: 'that the services take this from the file was not tried: rename it in the Management Application'}
      enabled: {path: Disabled, codec: not01, ability: manual, evidence: proven, reason: 'that the services take this from the file was not tried: set it in the Management Application'}
      hardware.address: {path: ../../IPAddress, codec: text, ability: observable, evidence: proven, reason: 'Replace Hardware in the Management Application; never by file edit'}
      hardware.mac: {path: ../../MAC, codec: mac, ability: observable, evidence: proven, reason: 'recordings are keyed by the MAC address: never by file edit'}
      hardware.channel: {path: DeviceIndex, codec: channel, ability: observable, evidence: proven, reason: 'the channel of a device is fixed'}
"""


@dataclass(frozen=True, slots=True)
class Heading:
    """Where the layout comes from. `on` is RFC 3339; `file` is the recorder's main configuration.

    `log_folder` is where the Recording Server's logs were seen, "" for nowhere.
    """

    product: str
    version: str
    on: str
    by: str
    site: str
    tool: str
    file: str
    log_folder: str = ""

    @property
    def logs(self) -> Mapping[str, str] | None:
        """The check after a write: no new line with that word. It is not known how the product writes errors."""
        if not self.log_folder:
            return None
        return {
            "folder": self.log_folder,
            "pattern": r"^RecordingServer\d{8}\.log$",
            "error_pattern": r"(?i)\b(?:error|fatal|exception)\b",
        }

    @property
    def name(self) -> str:
        """`xprotect-professional-2014-8.6a`"""
        text = f"{self.product}-{self.version}".lower()
        return re.sub(r"[^a-z0-9_.-]+", "-", text).strip("-.")[:62] or "learned"


def render(heading: Heading, finding: KindFinding, existing: str = "") -> str:
    """The layout file with this kind in it. `existing` is the text of the learned layout so far.

    Raises Refused if that is in a style which would not be kept.
    """
    before: Mapping[str, Any] = (yaml.safe_load(existing) or {}) if existing else {}
    blocks = _blocks(existing)
    finding, others = _told_apart(finding, before.get("kinds") or {})
    for kind, where in others.items():
        blocks[kind] = _with_where(blocks[kind], where)
    blocks.setdefault("camera", _CAMERA)
    blocks[finding.kind] = "\n".join(_kind(finding, heading)) + "\n"
    programs = in_one_order(before.get("restart", ()), finding.restart)
    lines = [*_heading(heading, programs, before.get("logs") or heading.logs), *blocks.values()]
    text = "\n".join(lines).rstrip("\n") + "\n"
    _refuse_losses(before.get("kinds") or {}, finding.kind, text)
    return text


def in_one_order(known: Sequence[str], more: Sequence[str]) -> list[str]:
    """`known` as it is, and what is new of `more` in front of what follows it there."""
    merged = list(known)
    for at, program in enumerate(more):
        if program not in merged:
            after = [merged.index(each) for each in more[at + 1 :] if each in merged]
            merged.insert(min(after, default=len(merged)), program)
    return merged


def _refuse_losses(before: Mapping[str, Any], kind: str, text: str) -> None:
    """A file that a person wrote in another style is not taken apart wrongly."""
    try:
        after = yaml.safe_load(text)["kinds"]
    except yaml.YAMLError:
        after = {}
    for name, data in before.items():
        if name != kind and {**data, "where": 0} != {**after.get(name, {}), "where": 0}:
            raise Refused(
                f"the existing layout file says {name} in a style that cannot be kept",
                next_step="give another file with --out, and join the two by hand",
            )


def _heading(heading: Heading, programs: Sequence[str], logs: object) -> list[str]:
    source = {"on": heading.on, "by": line(heading.by), "site": line(heading.site), "tool": heading.tool}
    return [
        f"# Learned from the recorder of {_comment(heading.site)}. REVIEW BEFORE YOU COMMIT: what is marked managed",
        "# will be written into the recorder's own files, which the vendor documents for nobody.",
        "schema: 1",
        f"layout: {_text(heading.name)}",
        f"product: {_text(_exactly(heading.product))}",
        f"version: {_text(_exactly(heading.version))}",
        f"learned: {_text(source)}",
        f"file: {_text(heading.file)}",
        f"restart: {_text(list(programs))}   # in the order of stopping; started in reverse",
        *([f"logs: {_text(logs)}"] if logs else []),
        "",
        "kinds:",
    ]


def _kind(finding: KindFinding, heading: Heading) -> Iterator[str]:
    yield f"  {finding.kind}:"
    yield f"    # learned {_comment(heading.on)} by {_comment(heading.by)} at {_comment(heading.site)}"
    yield from (f"    # {_comment(note)}" for note in finding.notes)
    if finding.file != heading.file:
        yield f"    file: {_text(finding.file)}"
    yield f"    restart: {_text(list(finding.restart))}"
    if finding.single:
        yield f"    single: {_text(finding.single)}"
    else:
        yield from _object(finding)
    yield "    fields:"
    for field in finding.fields:
        yield from _field(field)


def _object(finding: KindFinding) -> Iterator[str]:
    yield f"    items: {_text(finding.items)}"
    if finding.where:
        yield f"    where: {_text(dict(finding.where))}"
    yield f"    handle: {_text(finding.handle)}"
    yield f"    ids: {_text(dict(finding.ids))}"
    yield f"    name: {_text(finding.name)}"
    if finding.kind in NAMING:
        yield f"    naming: {_text(NAMING[finding.kind])}"
    if finding.marker:
        yield f"    marker: {_text(finding.marker)}"
    if not finding.by_hand:
        yield f"    template: {_text(list(finding.template))}"
        yield f"    constants: {_text(dict(finding.constants))}"
    yield f"    create: {_ability(finding.by_hand)}"
    yield f"    remove: {_ability(finding.keep)}"


def _ability(problem: str) -> str:
    if problem:
        return _text({"ability": "manual", "reason": line(problem)})
    return _text({"ability": "managed", "evidence": "learned"})


def _field(field: FieldFinding) -> Iterator[str]:
    data: dict[str, object] = {}
    if field.is_learned or field.codec == "hidden":
        data = {"path": field.path, "codec": field.codec, "values": dict(field.values or {})}
        data |= {"separator": field.separator, "by": field.by, "form": field.form, "gate": field.gate}
    else:
        data = {"codec": "hidden"}
    data |= (
        {"evidence": "learned"} if field.is_learned else {"ability": "manual", "reason": line(field.reason)}
    )
    if field.is_learned and field.passes:
        yield f"      # {field.name}: {_comment(', '.join(f'`{each}`' for each in field.passes))}"
    yield f"      {field.name}: {_text({key: value for key, value in data.items() if value})}"


def _told_apart(
    finding: KindFinding, kinds: Mapping[str, Any]
) -> tuple[KindFinding, Mapping[str, Mapping[str, str]]]:
    """Kinds in one list are told apart by a constant that differs; if there is none, nothing is made or removed."""
    others: dict[str, Mapping[str, str]] = {}
    for kind, data in kinds.items():
        same = data.get("items") == finding.items and finding.items
        if kind == finding.kind or not same or data.get("file", finding.file) != finding.file:
            continue
        theirs = data.get("constants") or {}
        differ = [
            p for p, t in finding.constants.items() if p in theirs and theirs[p] != t and p != finding.marker
        ]
        if not differ:
            reason = f"it shares its list with {kind}, and nothing tells the two apart"
            finding = replace(finding, by_hand=finding.by_hand or reason, keep=finding.keep or reason)
            continue
        others[kind] = {path: theirs[path] for path in differ}
        finding = replace(finding, where={path: finding.constants[path] for path in differ})
    return finding, others


def _with_where(block: str, where: Mapping[str, str]) -> str:
    kept = [each for each in block.split("\n") if not each.startswith("    where:")]
    at = next(index for index, each in enumerate(kept) if each.startswith("    items:"))
    return "\n".join([*kept[: at + 1], f"    where: {_text(dict(where))}", *kept[at + 1 :]])


def _blocks(existing: str) -> dict[str, str]:
    """The text of each kind in a layout file of ours."""
    _, found, body = existing.partition("\nkinds:\n")
    if not found:
        return {}
    starts = list(_BLOCK.finditer(body))
    ends = [each.start() for each in starts[1:]] + [len(body)]
    return {
        each["kind"]: body[each.start() : end].rstrip("\n") + "\n"
        for each, end in zip(starts, ends, strict=True)
    }


def line(text: str) -> str:
    """One line of at most 200 characters, as the schema wants reasons."""
    return "".join(c if c.isprintable() else "?" for c in text)[:200]


def _exactly(text: str) -> str:
    return f"^{re.escape(text)}$".replace("\\ ", " ")


def _comment(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)


def _text(value: object) -> str:
    shown: str = yaml.safe_dump(
        value, default_flow_style=True, width=100_000, sort_keys=False, allow_unicode=True
    )
    return shown.removesuffix("...\n").strip()
