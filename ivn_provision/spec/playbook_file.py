"""Text of a playbook -> `Playbook`, or every problem of it with its place. Hostile files are safe to read."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from urllib.parse import urlsplit

from ivn_provision.diagnostics import Diagnostic, Place, Severity, sort_key
from ivn_provision.secret import SecretRef
from ivn_provision.spec import schema_check
from ivn_provision.spec.levels import parse_map
from ivn_provision.spec.nodes import Node
from ivn_provision.spec.playbook import ALL, Do, Gate, Of, OnFailure, Playbook, Size, Step, Variable
from ivn_provision.spec.playbook_data import PlaybookData
from ivn_provision.spec.playbook_vars import BUILT_IN, in_force, substituted
from ivn_provision.spec.source import Source, read_bytes
from ivn_provision.spec.suggest import listing

SCHEMA = "playbook.schema.json"
PLAYBOOK_CODES = {
    "PLB001": "an option that its step does not have",
    "PLB002": "a step without an option that it needs",
    "PLB003": "a variable that there is not",
    "PLB004": "a selector or condition that says nothing",
    "PLB005": "a step where it cannot be",
    "PLB006": "a value that a step cannot take",
}
EVERY_STEP = frozenset({"do", "name", "when"})
OPTIONS: Mapping[Do, frozenset[str]] = {
    Do.APPLY: frozenset({"targets", "excludes", "verify", "whole", "confirm_within"}),
    Do.PLAN: frozenset({"targets", "excludes"}),
    Do.DRIFT: frozenset({"targets", "excludes"}),
    Do.ROLLBACK: frozenset({"revision"}),
    Do.NOTIFY: frozenset({"url", "ca", "required", "deadline", "message"}),
    Do.REPORT: frozenset({"file", "of"}),
    Do.PAUSE: frozenset({"message"}),
}
_NEEDS: Mapping[Do, str] = {Do.NOTIFY: "url", Do.REPORT: "file", Do.PAUSE: "message"}
_AT_THE_END = frozenset({Do.REPORT, Do.NOTIFY})
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
REPORTS = (".json", ".md")
AUDIT_REPORTS = (".html", ".json", ".sarif", ".xml", ".md", ".csv")


@dataclass(frozen=True, slots=True)
class LoadedPlaybook:
    """`playbook` is None if the file has errors."""

    playbook: Playbook | None
    diagnostics: tuple[Diagnostic, ...]


def load_playbook(path: str, given: Mapping[str, str], play: str) -> LoadedPlaybook:
    """`given` are values of variables, `play` the name of the play. Raises UsageProblem for a variable that is not
    there, or has no value."""
    content = read_bytes(path)
    if isinstance(content, Diagnostic):
        return LoadedPlaybook(None, (content,))
    parsed = parse_map(content, Source(path, "playbook"))
    found = [_own_words(each) for each in parsed.diagnostics]
    if parsed.root is None or found:
        return LoadedPlaybook(None, tuple(found))
    plain = PlaybookData(parsed.root)
    if not plain.diagnostics and not _broken_vars(parsed.root, plain):
        values = in_force(parsed.root, given)
        root, found = substituted(parsed.root, {**values, BUILT_IN: play})
        plain = PlaybookData(root)
    else:
        root, values = parsed.root, {}
    found += plain.diagnostics + schema_check.check(SCHEMA, plain, root)
    if not found:
        found = list(_unfit(root))
    if found:
        return LoadedPlaybook(None, tuple(sorted(found, key=sort_key)))
    return LoadedPlaybook(_built(root, path, hashlib.sha256(content).hexdigest(), values), ())


def _own_words(each: Diagnostic) -> Diagnostic:
    return replace(each, hint=each.hint.replace("`site: NAME`", "`playbook: NAME`"))


def _broken_vars(root: Node, plain: PlaybookData) -> bool:
    """Is something wrong with the variables themselves? Then nothing is put in for them."""
    problems = schema_check.check(SCHEMA, plain, root)
    assert isinstance(root.value, dict)
    node = root.value.get("vars")
    if node is None:
        return False
    begin, end = node.key_place("vars"), node.place()
    return any(
        each.place is not None
        and (begin.line, begin.column) <= _at(each.place) <= (end.end_line, end.end_column)
        for each in problems
    )


def _at(place: Place) -> tuple[int, int]:
    return place.line, place.column


def _unfit(root: Node) -> Iterator[Diagnostic]:
    """What the schema cannot say: which options a step has, and where it may stand."""
    for part in ("steps", "finally"):
        for node in _items(root, part):
            yield from _unfit_step(node, at_the_end=part == "finally")


def _unfit_step(node: Node, *, at_the_end: bool) -> Iterator[Diagnostic]:
    assert isinstance(node.value, dict)
    options = node.value
    do = Do(_text(options["do"]))
    allowed = EVERY_STEP | OPTIONS.get(do, frozenset())
    if at_the_end and do not in _AT_THE_END:
        yield _wrong(
            "PLB005", f"`{do}` cannot stand in `finally`", options["do"], "Only report and notify can."
        )
    for key, each in options.items():
        if key not in allowed:
            hint = f"It has: {listing(sorted(allowed - {'do'}))}."
            yield replace(_wrong("PLB001", f"`{do}` has no `{key}`", each, hint), place=each.key_place(key))
    need = _NEEDS.get(do)
    if need is not None and need not in options:
        yield _wrong("PLB002", f"`{do}` needs `{need}`", node, f"Add `{need}`.")
    yield from _unfit_values(options)


def _unfit_values(options: Mapping[str, Node]) -> Iterator[Diagnostic]:
    if "url" in options and isinstance(options["url"].value, str) and not is_sound_url(_text(options["url"])):
        hint = "Write https://HOST/PATH without user name; http:// is allowed on loopback only."
        yield _wrong(
            "PLB006", "`url` is not the address of a server that can be trusted", options["url"], hint
        )
    reports = AUDIT_REPORTS if "of" in options and options["of"].value == Of.AUDIT else REPORTS
    if "file" in options and not _text(options["file"]).endswith(reports):
        hint = f"Its ending says the format: {listing(list(reports))}."
        yield _wrong("PLB006", "`file` is no report that can be written", options["file"], hint)
    if "file" in options and not is_inside(_text(options["file"])):
        hint = "Name it relative to the folder that the play is begun in, without `..` and not in `.ivn`."
        yield _wrong("PLB006", "`file` does not stay in its folder", options["file"], hint)
    for key, low, high in (("confirm_within", 60, 86400), ("deadline", 1, 300)):
        if key in options and not low <= seconds(_text(options[key])) <= high:
            yield _wrong("PLB006", f"`{key}` is out of its range", options[key], f"From {low}s to {high}s.")


def is_inside(text: str) -> bool:
    """Does a path stay below the folder that it is relative to, and out of `.ivn`? Windows' words for it count too."""
    parts = re.split(r"[/\\]", text)
    return bool(parts[0]) and ":" not in parts[0] and not {"..", ".ivn"} & {each.lower() for each in parts}


def is_sound_url(text: str) -> bool:
    """Is it `https://`, or `http://` on loopback, and holds no user name?"""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or port == 0 or not text.isprintable() or " " in text:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    """A name that only begins like an address may be anybody's."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _wrong(code: str, summary: str, node: Node, hint: str) -> Diagnostic:
    return Diagnostic(Severity.ERROR, code, summary, node.place(), hint=hint)


def _built(root: Node, path: str, digest: str, values: Mapping[str, Variable]) -> Playbook:
    assert isinstance(root.value, dict)
    top = root.value
    selectors = top.get("sites")
    return Playbook(
        name=_text(top["playbook"]),
        path=path,
        digest=digest,
        steps=tuple(_step(each) for each in _items(root, "steps")),
        description=_text(top["description"]) if "description" in top else "",
        variables=values,
        sites=_texts(selectors),
        waves=tuple(_size(each) for each in _items(root, "waves")) or (ALL,),
        max_failures=_size(top["max_failures"]) if "max_failures" in top else Size(0),
        on_failure=OnFailure(_text(top["on_failure"])) if "on_failure" in top else OnFailure.ROLLBACK,
        back_to=_text(top["back_to"]) if "back_to" in top else "",
        allow={key: _int(each) for key, each in _entries(top.get("allow")).items()},
        soak=seconds(_text(top["soak"])) if "soak" in top else 0,
        gates=tuple(Gate(_text(each)) for each in _items(root, "gates")),
        finally_=tuple(_step(each) for each in _items(root, "finally")),
        selectors_at=selectors.place() if selectors is not None else None,
    )


def _step(node: Node) -> Step:
    options = _entries(node)
    url = options["url"].value if "url" in options else ""
    texts = {
        key: _text(options[key]) for key in ("name", "when", "revision", "file", "message") if key in options
    }
    return Step(
        do=Do(_text(options["do"])),
        place=options.get("when", node).place(),
        targets=_texts(options.get("targets")),
        excludes=_texts(options.get("excludes")),
        verify="verify" in options and options["verify"].value is True,
        whole="whole" in options and options["whole"].value is True,
        confirm_within=seconds(_text(options["confirm_within"])) if "confirm_within" in options else 0,
        ca=os.path.join(os.path.dirname(os.path.abspath(node.source.path)), _text(options["ca"]))
        if "ca" in options
        else "",
        of=Of(_text(options["of"])) if "of" in options else Of.PLAY,
        url=url if isinstance(url, SecretRef) else str(url),
        required="required" in options and options["required"].value is True,
        deadline=seconds(_text(options["deadline"])) if "deadline" in options else 10,
        **texts,
    )


def seconds(text: str) -> int:
    """`90s`, `10m`, `2h`, `1d`, as the schema allows them."""
    return int(text[:-1]) * _UNITS[text[-1]]


def _size(node: Node) -> Size:
    if isinstance(node.value, int):
        return Size(node.value)
    return Size(int(_text(node).removesuffix("%")), percent=True)


def _entries(node: Node | None) -> dict[str, Node]:
    return node.value if node is not None and isinstance(node.value, dict) else {}


def _items(root: Node, key: str) -> list[Node]:
    node = _entries(root).get(key)
    return node.value if node is not None and isinstance(node.value, list) else []


def _texts(node: Node | None) -> tuple[str, ...]:
    if node is None:
        return ()
    return tuple(_text(each) for each in node.value) if isinstance(node.value, list) else (_text(node),)


def _text(node: Node) -> str:
    return str(node.value)


def _int(node: Node) -> int:
    assert isinstance(node.value, int)
    return node.value
