"""Sites as their files said at a git revision: neither work tree nor index is touched, and nothing is run.

The fleet's files are taken out of the repository (`git_tree`) into a private folder that is removed again.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ivn_provision.diagnostics import Diagnostic, Place
from ivn_provision.errors import PlanError, SpecError, UsageProblem
from ivn_provision.run.fleet.loading import FleetFiles
from ivn_provision.run.git_tree import read_fleet, repository_of
from ivn_provision.secret import SecretRef
from ivn_provision.spec.fleet import site_file
from ivn_provision.spec.site import Origin, Places, Site


def site_at(folder: Path, name: str, revision: str) -> tuple[Site, str]:
    """A site as its fleet's files said at a revision, and the commit's hash. Raises PlanError, SpecError."""
    with RevisionFleet(folder, revision) as fleet:
        return fleet.site(name), fleet.commit


class RevisionFleet:
    """The files of a fleet at a revision, read once; its sites are loaded one by one. Thread-safe, `with` it.

    Paths are those that the files would name in the fleet's present folder: secrets stay references, and files
    that they name are read where they are now. Places say `abc1234:PATH`. Raises PlanError.
    """

    def __init__(self, folder: Path, revision: str) -> None:
        repository, root = repository_of(folder, revision)
        self.commit, files = read_fleet(repository, root, revision)
        self._scratch = tempfile.TemporaryDirectory(prefix="ivn-revision-")
        scratch = self._scratch.__enter__()
        try:
            there = Path(scratch + str(root))  # the same depth: `../` leads to the same place
            there.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path, content in files.items():
                _put(there.joinpath(*path), content)
            _put(there / ".git", b"")  # a fleet ends here: nothing above the scratch folder is looked at
            self._moved = _Moved(scratch, str(root), self.commit[:7])
            self.files = FleetFiles(there)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """The private folder goes away."""
        self._scratch.cleanup()

    def has(self, name: str) -> bool:
        """Was there a site of that name?"""
        return any(ref.name == name for ref in self.files.refs)

    def site(self, name: str) -> Site:
        """Raises PlanError if there was none, SpecError if it had errors."""
        moved = self._moved
        try:
            site_file(self._folder, name)
            ref = next(each for each in self.files.refs if each.name == name)
            site = self.files.load(ref)
        except UsageProblem as error:
            parts = (error.summary, error.next_step)
            summary, hint = (text.replace(self._folder, moved.root) for text in parts)
            raise PlanError(f"at {moved.commit} {summary}", next_step=hint) from None
        except SpecError as error:
            raise SpecError(
                tuple(map(moved.diagnostic, error.diagnostics)),
                summary=f"{name} had errors at {moved.commit}, as this version of the tool sees it",
                next_step="Choose another revision, or --to RUN.",
            ) from None
        found = moved.value(site)
        assert isinstance(found, Site)
        return found

    @property
    def _folder(self) -> str:
        return self._moved.scratch + self._moved.root


def _put(file: Path, content: bytes) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_bytes(content)


@dataclass(frozen=True, slots=True)
class _Moved:
    """Paths below `scratch` as they would be in the fleet's folder `root`; places with the commit in front."""

    scratch: str
    root: str
    commit: str

    def path(self, text: str) -> str:
        return text.removeprefix(self.scratch) if self._is_below(text) else text

    def place(self, place: Place) -> Place:
        if not self._is_below(place.path):
            return place
        return replace(place, path=f"{self.commit}:{os.path.relpath(self.path(place.path), self.root)}")

    def diagnostic(self, found: Diagnostic) -> Diagnostic:
        related = tuple(replace(each, place=self.place(each.place)) for each in found.related)
        place = self.place(found.place) if found.place else None
        return replace(found, place=place, related=related)

    def places(self, places: Places) -> Places:
        def moved(origin: Origin) -> Origin:
            return replace(origin, place=self.place(origin.place))

        found = {pointer: tuple(map(moved, each)) for pointer, each in places.by_pointer.items()}
        return Places(found, self.path(places.path))

    def value(self, value: Any) -> Any:
        """Any value of a site."""
        if isinstance(value, str):
            return self.path(value)
        if isinstance(value, SecretRef):
            return replace(value, name=self.path(value.name), base=self.path(value.base))
        if isinstance(value, Places):
            return self.places(value)
        if isinstance(value, tuple):
            return tuple(self.value(each) for each in value)
        if is_dataclass(value) and not isinstance(value, type):
            return replace(
                value, **{each.name: self.value(getattr(value, each.name)) for each in fields(value)}
            )
        return value

    def _is_below(self, text: str) -> bool:
        return text.startswith(self.scratch + os.sep)
