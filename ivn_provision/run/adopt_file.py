"""Adopted sections go into a site file: only what it does not say yet, and only if the file then says just that more."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace

from ivn_provision.errors import SpecError, UsageProblem
from ivn_provision.model.desired import Desired, desired_of
from ivn_provision.model.resource import Address, Value
from ivn_provision.spec.fleet import site_file
from ivn_provision.spec.levels import Levels
from ivn_provision.spec.load import load_site
from ivn_provision.spec.ruleset import NO_RULES
from ivn_provision.spec.site import Site
from ivn_provision.spec.splicing import axis_in, with_lines


def put_in(folder: str, site: str, blocks: Mapping[int, Mapping[str, str]]) -> Mapping[int, tuple[str, ...]]:
    """Write `blocks` (by camera number and key of its `axis` section) into the site's own file; what went in.

    The file is replaced in one step. Raises UsageProblem or SpecError, and then nothing is written.
    """
    path, root = site_file(folder, site)
    with open(path, encoding="utf-8", newline="") as stream:
        text = stream.read()
    put: dict[int, tuple[str, ...]] = {}
    after = text
    for number, parts in blocks.items():
        axis = axis_in(after, number, path)
        new = {key: block for key, block in parts.items() if key not in axis.keys}
        after = with_lines(after, axis, "".join(new.values())) if new else after
        put[number] = tuple(new)
    if after != text:
        _check(_loaded(path, text, root), _loaded(path, after, root), put)
        _replace(path, after)
    return put


def _loaded(path: str, text: str, root: str) -> Site:
    found = load_site(path, text.encode(), Levels(root), NO_RULES)
    if found.site is None:
        raise SpecError(found.diagnostics, next_step="nothing was written; put the section in by hand")
    return found.site


def _check(before: Site, after: Site, put: Mapping[int, tuple[str, ...]]) -> None:
    """Does the file say what it said, and more only of these cameras?"""
    touched = {f"camera-{number}" for number, keys in put.items() if keys}
    old, new = _fields(desired_of(before)), _fields(desired_of(after))
    kept = {
        address: fields for address, fields in new.items() if address in old or address.target not in touched
    }
    others = tuple(replace(each, axis=None, pointer="") for each in before.cameras or ())
    same = others == tuple(replace(each, axis=None, pointer="") for each in after.cameras or ())
    if kept != old or not same:
        raise UsageProblem(
            f"{before.path} would say something else than before, and not only more: nothing was written",
            next_step="put the section into the file by hand: without --write it is only printed",
        )


def _fields(desired: Desired) -> dict[Address, Mapping[str, Value]]:
    return {address: each.fields for address, each in desired.resources.items()}


def _replace(path: str, text: str) -> None:
    """In one step, with the rights that the file has."""
    handle, name = tempfile.mkstemp(dir=os.path.dirname(path) or ".", prefix=".adopt-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, os.stat(path).st_mode & 0o7777)
        os.replace(name, os.path.realpath(path))
    except OSError as error:
        os.unlink(name)
        raise UsageProblem(
            f"cannot write {path}: {error.strerror}", next_step="check its permissions"
        ) from error
