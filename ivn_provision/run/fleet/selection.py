"""Which sites of a fleet are meant: `region=east,!maintenance`. Pure.

A selector is a list of terms, separated by commas, and all of them must hold (as in Kubernetes' label
selectors). A value is a glob.

| term | holds for a site |
|---|---|
| `region=east`, `region!=east` | whose label has, or has not, that value |
| `northeast` | of that group, with a label of that name, or whose name the glob matches |
| `site:GLOB`, `group:GLOB`, `network:GLOB`, `label:GLOB` | the same, said plainly |
| `!TERM` | for which TERM does not hold |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ivn_provision.errors import UsageProblem
from ivn_provision.run.fleet.refs import SiteRef
from ivn_provision.spec.suggest import did_you_mean

_TERM = re.compile(
    r"(?P<no>!?)\s*(?:(?P<key>[a-z0-9][a-z0-9._-]*)\s*(?P<op>!?=)|(?P<kind>[a-z]+):)?\s*(?P<glob>.*)"
)
_KINDS: Mapping[str, Callable[[SiteRef], Iterable[str]]] = {
    "site": lambda ref: (ref.name,),
    "group": lambda ref: ref.groups,
    "network": lambda ref: (ref.network,) if ref.network else (),
    "label": lambda ref: ref.labels,
}
_GLOB_SIGNS = re.compile(r"[*?\[]")
_HOW = "Write it like region=east,!maintenance."


@dataclass(frozen=True, slots=True)
class Term:
    """One condition. `key` of a label with `glob` for its value; else `kind` (`site`, …; "" for any of them)."""

    text: str
    glob: str
    key: str = ""
    kind: str = ""
    negated: bool = False

    def holds(self, ref: SiteRef) -> bool:
        """Does a site have it?"""
        return self._has(ref) != self.negated

    def _has(self, ref: SiteRef) -> bool:
        if self.key:
            return self.key in ref.labels and fnmatchcase(ref.labels[self.key], self.glob)
        kinds = (self.kind,) if self.kind else ("site", "group", "label")
        return any(fnmatchcase(name, self.glob) for kind in kinds for name in _KINDS[kind](ref))


@dataclass(frozen=True, slots=True)
class Selector:
    """Terms that must all hold."""

    text: str
    terms: tuple[Term, ...]

    def holds(self, ref: SiteRef) -> bool:
        """Is the site meant?"""
        return all(term.holds(ref) for term in self.terms)


def parse_selector(text: str) -> Selector:
    """Raises UsageProblem for what is no selector."""
    return Selector(text, tuple(_term(each.strip(), text) for each in text.split(",")))


def select(
    refs: Sequence[SiteRef], selectors: Sequence[Selector], groups: Collection[str]
) -> tuple[SiteRef, ...]:
    """The sites for which one of the selectors holds, or all if there is none.

    `groups` are all that the fleet has. Raises UsageProblem for a term that names nothing in the fleet, and if no
    site is left: a typing mistake must neither select everything nor nothing.
    """
    for selector in selectors:
        for term in selector.terms:
            _check_known(term, refs, groups)
    found = tuple(ref for ref in refs if not selectors or any(each.holds(ref) for each in selectors))
    if not found:
        raise UsageProblem(
            f"no site is selected by {' or '.join(each.text for each in selectors) or 'this'}",
            next_step="`ivn-provision validate` lists problems of the files; " + _HOW.lower(),
        )
    return found


def is_glob(name: str) -> bool:
    """Does it stand for more than one name?"""
    return _GLOB_SIGNS.search(name) is not None


def named(refs: Sequence[SiteRef], names: Sequence[str]) -> Iterator[SiteRef]:
    """The sites that names or globs name, each once, in the order of the fleet."""
    return (ref for ref in refs if any(fnmatchcase(ref.name, name) for name in names))


def _term(text: str, whole: str) -> Term:
    found = _TERM.fullmatch(text)
    if (
        found is None
        or not found["glob"]
        or any(sign in found["glob"] for sign in "=!")
        or not text.isprintable()
    ):
        raise UsageProblem(f"--sites {whole[:100]!r}: {text[:60]!r} says nothing", next_step=_HOW)
    if found["kind"] and found["kind"] not in _KINDS:
        raise UsageProblem(
            f"--sites {whole[:100]!r}: there is no {found['kind']!r} to select by",
            next_step=f"There are {', '.join(f'{kind}:' for kind in _KINDS)} and labels as KEY=VALUE.",
        )
    negated = bool(found["no"]) != (found["op"] == "!=")
    return Term(text, found["glob"].strip(), found["key"] or "", found["kind"] or "", negated)


def _check_known(term: Term, refs: Sequence[SiteRef], groups: Collection[str]) -> None:
    """`!maintenanse` would select everything: such a name must exist. With `label:` it need not."""
    if term.kind == "label":
        return
    labels = {label for ref in refs for label in ref.labels}
    if term.key:
        if term.key not in labels:
            raise UsageProblem(
                f"--sites {term.text!r}: no site has a label {term.key}",
                next_step=f"{did_you_mean(term.key, sorted(labels))}Labels stand under `labels` of a site, group or fleet file.",
            )
        _check_value(term, {ref.labels[term.key] for ref in refs if term.key in ref.labels})
        return
    known = {
        "site": {ref.name for ref in refs},
        "group": set(groups),
        "network": {ref.network for ref in refs if ref.network},
    }
    names = known[term.kind] if term.kind else known["site"] | known["group"] | labels
    if not any(fnmatchcase(name, term.glob) for name in names):
        what = f"{term.kind} is" if term.kind else "site, group or label is"
        raise UsageProblem(
            f"--sites {term.text!r}: no {what} called so",
            next_step=did_you_mean(term.glob, sorted(names)).strip() or _HOW,
        )


def _check_value(term: Term, values: Collection[str]) -> None:
    """`state!=onbording` would select those that it is to leave out."""
    if term.negated and not any(fnmatchcase(value, term.glob) for value in values):
        raise UsageProblem(
            f"--sites {term.text!r}: no site has {term.key}={term.glob}",
            next_step=did_you_mean(term.glob, sorted(values)).strip() or _HOW,
        )
