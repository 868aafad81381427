"""Adopted sections go into a site file: only what it does not say yet, and only if the file then says just that more."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ivn_provision.diagnostics import Diagnostic
from ivn_provision.errors import IvnError, SpecError, UsageProblem
from ivn_provision.secret import SecretRef
from ivn_provision.spec.fleet import site_file
from ivn_provision.spec.levels import Levels
from ivn_provision.spec.load import LoadedSite, load_site, merge_site
from ivn_provision.spec.plain import Plain
from ivn_provision.spec.ruleset import RuleSet, all_rules
from ivn_provision.spec.site import Camera, Places, Site
from ivn_provision.spec.source import decode, read_bytes
from ivn_provision.spec.splicing import axis_in, with_lines

Sections = Mapping[int, Mapping[str, Any]]
"""By the number of a camera: keys of its `axis` section, as plain data with secrets as references."""
_NOTHING = "nothing was written; put the section into the file by hand: without --write it is only printed"
_MARK = "\ufeff".encode()


@dataclass(frozen=True, slots=True)
class _File:
    """A site file with all that it is read with."""

    path: str
    levels: Levels
    rules: RuleSet

    def loaded(self, content: bytes) -> LoadedSite:
        return load_site(self.path, content, self.levels, self.rules)


def put_in(
    folder: str,
    site: str,
    sections: Sections,
    render: Callable[[Mapping[str, Any]], str],
    *,
    rules: RuleSet | None = None,
) -> Mapping[int, tuple[str, ...]]:
    """Write `sections` into the site's own file, as far as its keys are not there; which went in, by camera.

    `render` makes YAML of a section. The file is replaced in one step. Raises UsageProblem or SpecError if it would
    be no valid site afterwards, or not just that more; then nothing is written.
    """
    path, root = site_file(folder, site)
    content = read_bytes(path)
    text = decode(content, path) if isinstance(content, bytes) else content
    if isinstance(content, Diagnostic) or isinstance(text, Diagnostic):
        raise SpecError(tuple(each for each in (content, text) if isinstance(each, Diagnostic)))
    put: dict[int, Mapping[str, Any]] = {}
    after = text
    for number, section in sections.items():
        axis = axis_in(after, number, path) if section else None
        put[number] = {key: value for key, value in section.items() if axis and key not in axis.keys}
        if axis and put[number]:
            after = with_lines(after, axis, render(put[number]))
    if after != text:
        changed = (_MARK if content.startswith(_MARK) else b"") + after.encode()
        file = _File(path, Levels(root), rules if rules is not None else all_rules())
        _check(content, changed, put, file)
        _replace(path, content, changed)
    return {number: tuple(section) for number, section in put.items()}


def _check(before: bytes, after: bytes, put: Sections, file: _File) -> None:
    """Does the file say what it said, and what was put in, and nothing else?"""
    old, found = file.loaded(before).site, file.loaded(after)
    errors = tuple(each for each in found.diagnostics if each.is_error)
    if old is None or found.site is None or errors:
        raise SpecError(errors, summary=f"{file.path} would have errors", next_step=_NOTHING)
    if _without(found.site, put, old.cameras) != _without(old, {}, None) or not _holds(after, put, file):
        raise UsageProblem(
            f"{file.path} would say something else than before, and not only more", next_step=_NOTHING
        )


def _without(site: Site, put: Sections, cameras: Sequence[Camera] | None) -> Site:
    """The site with what was put in as it was in `cameras`, and without the places of its lines."""
    was = {each.number: each.axis for each in cameras or ()}
    kept = []
    for each in site.cameras or ():
        axis = was.get(each.number)
        same = {key: getattr(axis, key) for key in put.get(each.number, {})} if axis else {}
        kept.append(replace(each, axis=replace(each.axis, **same)) if each.axis and same else each)
    return replace(site, cameras=tuple(kept), places=Places({}, ""))


def _holds(content: bytes, put: Sections, file: _File) -> bool:
    """Is what was put in read back as it was given?"""
    merged, _ = merge_site(file.path, content, file.levels)
    if merged is None:
        return False
    plain = Plain(merged.root)
    plain.settle()
    data: Any = plain.data
    read = {each["number"]: each["axis"] for each in data["cameras"] if "axis" in each}
    return all(
        _bare(read[number][key]) == _bare(value)
        for number, section in put.items()
        for key, value in section.items()
    )


def _bare(value: Any) -> Any:
    """Comparable: of a secret only its name, since a file knows its own folder."""
    if isinstance(value, SecretRef):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _bare(each) for key, each in value.items()}
    return [_bare(each) for each in value] if isinstance(value, list) else (type(value), value)


def _replace(path: str, before: bytes, after: bytes) -> None:
    """In one step, with the rights that the file has."""
    real = os.path.realpath(path)
    if read_bytes(real) != before:
        raise UsageProblem(f"{path} was changed meanwhile: nothing was written", next_step="run adopt again")
    fresh = ""
    try:
        handle, fresh = tempfile.mkstemp(dir=os.path.dirname(real), prefix=".adopt-")
        with os.fdopen(handle, "wb") as stream:
            stream.write(after)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(fresh, os.stat(real).st_mode & 0o7777)
        os.replace(fresh, real)
    except OSError as error:
        if fresh:
            os.unlink(fresh)
        raise IvnError(
            f"cannot write {path}: {error.strerror}", next_step="check the rights of the file and its folder"
        ) from error
