"""The text of an attestation file or form -> entries with their places. Hostile input: nothing is guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from ivn_provision.diagnostics import Diagnostic, Place, Severity
from ivn_provision.errors import SpecError
from ivn_provision.model.resource import Address
from ivn_provision.plan.attestations import Attestation, moment_of
from ivn_provision.spec.levels import parse_map
from ivn_provision.spec.nodes import Node
from ivn_provision.spec.source import Source, read_bytes
from ivn_provision.spec.suggest import did_you_mean, listing

CODES = {
    "ATT001": "an attestation of the wrong shape: an unknown or missing key, or a value that is no text",
    "ATT002": "an address, field, digest or time that is none",
    "ATT003": "an attestation for another site",
    "ATT004": "an attestation of a field that nobody has to attest",
    "ATT005": "an attestation of another value than the one declared",
    "ATT006": "the same field twice in a form, or an attestation that is recorded already",
    "ATT007": "an entry of a form that is filled in by half",
}
KEYS = ("address", "field", "value", "by", "when", "how", "run")
_NEEDED = frozenset({"address", "field", "value", "by", "when"})
_DIGEST = re.compile(r"[0-9a-f]{16}")
_FIELD = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*")
_LONGEST = {"by": 200, "how": 1000, "run": 200}
_FORM_HINT = "Make a new form with `ivn-provision runbook SITE --form FILE`."


@dataclass(frozen=True, slots=True)
class Entries:
    """What one file says: its site, and its entries that are filled in. `blank` of a form are not."""

    site: str
    entries: tuple[Attestation, ...]
    blank: int = 0
    indent: str = "  "


def read_entries(path: str, *, form: bool = False) -> Entries:
    """The entries of a file; a `form` may have blank ones. Raises SpecError with every problem and its place."""
    content = read_bytes(path)
    if isinstance(content, Diagnostic):
        raise SpecError((content,), summary=f"{path} cannot be read", next_step=_FORM_HINT if form else "")
    return parse_entries(content, path, form=form)


def parse_entries(content: bytes, path: str, *, form: bool = False) -> Entries:
    """As `read_entries`, from the bytes of a file."""
    parsed = parse_map(content, Source(path, "attestations"))
    reader = _Reader(form=form)
    found = reader.read(parsed.root) if parsed.root is not None else Entries("", ())
    problems = [*parsed.diagnostics, *reader.problems]
    if any(each.is_error for each in problems):
        next_step = _FORM_HINT if form else "Correct the file: until then the site is not planned."
        raise SpecError(tuple(problems), summary=f"{path} holds errors", next_step=next_step)
    return found


class _Reader:
    def __init__(self, *, form: bool) -> None:
        self.problems: list[Diagnostic] = []
        self._form = form

    def read(self, root: Node) -> Entries:
        items = root.value if isinstance(root.value, dict) else {}
        self._only(items, ("site", "attestations"))
        site = self._text(root, "site") or ""
        if not site:
            self._add(
                "ATT001", "the file does not say of which site it is", root.place(), "Write `site: NAME`."
            )
        listed = items.get("attestations")
        nodes = listed.value if listed is not None and listed.value is not None else []
        if not isinstance(nodes, list):
            assert listed is not None
            self._add("ATT001", "`attestations` is not a list", listed.place(), "Items begin with `- `.")
            nodes = []
        entries = [self._entry(each, site) for each in nodes]
        blank = sum(each == "blank" for each in entries)
        return Entries(
            site, tuple(each for each in entries if isinstance(each, Attestation)), blank, _indent(nodes)
        )

    def _entry(self, node: Node, site: str) -> Attestation | str:
        if not isinstance(node.value, dict):
            self._add("ATT001", "an attestation is not a map", node.place(), "It has: " + listing(KEYS) + ".")
            return "wrong"
        self._only(node.value, KEYS)
        before = len(self.problems)
        texts = {key: self._text(node, key) for key in KEYS}
        if len(self.problems) > before:
            return "wrong"
        given = {key: (text or "").strip() for key, text in texts.items()}
        if self._form and not given["by"] and not given["when"]:
            return "blank"
        if self._form and not (given["by"] and given["when"]):
            lacks = "who saw it (`by`)" if not given["by"] else "when it was seen (`when`)"
            self._add("ATT007", f"the entry does not say {lacks}", node.place(), "Fill in both, or neither.")
            return "wrong"
        return self._checked(node, given, site)

    def _checked(self, node: Node, given: dict[str, str], site: str) -> Attestation | str:
        before = len(self.problems)
        for key in sorted(_NEEDED):
            if not given[key]:
                self._add("ATT001", f"the attestation has no `{key}`", node.place(), "")
        for key, most in _LONGEST.items():
            if len(given[key]) > most:
                self._off(node, key, f"is longer than {most} characters")
        if given["field"] and not _FIELD.fullmatch(given["field"]):
            self._off(node, "field", "is not the name of a field")
        if given["value"] and not _DIGEST.fullmatch(given["value"]):
            self._off(node, "value", "is not 16 hexadecimal digits")
        address = self._address(node, given["address"], site)
        moment = self._moment(node, given["when"])
        if len(self.problems) > before or address is None or moment is None:
            return "wrong"
        return Attestation(
            address,
            given["field"],
            given["value"],
            given["by"],
            moment,
            given["how"],
            given["run"],
            node.place(),
        )

    def _address(self, node: Node, text: str, site: str) -> Address | None:
        if not text:
            return None
        try:
            address = Address.parse(text)
        except ValueError:
            self._off(node, "address", "is not SITE/TARGET/KIND[/KEY]")
            return None
        if site and address.site != site:
            hint = "An attestation stands in the file of its own site."
            self._add(
                "ATT003", f"the attestation is for another site than {site}", _at(node, "address"), hint
            )
            return None
        return address

    def _moment(self, node: Node, text: str) -> datetime | None:
        if not text:
            return None
        try:
            return moment_of(text)
        except (ValueError, OverflowError):
            what = "`when` is not a time such as 2026-11-23 or 2026-11-23T18:00:00Z"
            self._add("ATT002", what, _at(node, "when"), "Write the day on which it was seen.")
            return None

    def _only(self, items: dict[str, Node], known: tuple[str, ...]) -> None:
        for key, node in items.items():
            if key not in known:
                hint = f"{did_you_mean(key, known)}There is: {listing(known)}."
                self._add("ATT001", f"unknown key `{key[:40]}`", node.key_place(key), hint)

    def _text(self, node: Node, key: str) -> str | None:
        """The text of a key; None if it is not there or not text, which is then reported."""
        found = node.value.get(key) if isinstance(node.value, dict) else None
        if found is None or found.value is None:
            return None
        if not isinstance(found.value, str):
            self._add("ATT001", f"`{key}` is not text", found.place(), "Put it between double quotes.")
            return None
        return found.value

    def _off(self, node: Node, key: str, what: str) -> None:
        self._add("ATT002", f"`{key}` {what}", _at(node, key), "" if not self._form else _FORM_HINT)

    def _add(self, code: str, summary: str, place: Place, hint: str) -> None:
        self.problems.append(Diagnostic(Severity.ERROR, code, summary, place, hint=hint))


def _at(node: Node, key: str) -> Place:
    assert isinstance(node.value, dict)
    return node.value[key].place()


def _indent(nodes: list[Node]) -> str:
    """The blanks before the dash of the items that are there."""
    column = nodes[0].start.column if nodes else 4
    return " " * max(0, column - 2)
