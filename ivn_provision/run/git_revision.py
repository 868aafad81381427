"""The sites of a fleet as their files said at a git revision: neither work tree nor index is touched.

Only the fleet's own `*.yml` are taken out of the repository, into a private folder that is removed again. What
would be a link or another repository there is refused: the site would silently be another one.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from typing import Self

from ivn_provision.errors import PlanError, SpecError
from ivn_provision.run.git_tree import NOT_SAFE, Entry, FleetRepository, Parts, check_name
from ivn_provision.run.moved import Moved
from ivn_provision.spec.build import default_name
from ivn_provision.spec.discovery import FLEET_FILE, GROUPS, site_paths
from ivn_provision.spec.fleet import load_one, site_file, unique
from ivn_provision.spec.levels import Levels
from ivn_provision.spec.ruleset import all_rules
from ivn_provision.spec.site import Site
from ivn_provision.spec.suggest import did_you_mean, listing

_LARGEST_LEVELS = 64 * 1024 * 1024


def site_at(folder: Path, name: str, revision: str) -> tuple[Site, str]:
    """One site as its fleet's files said at a revision, and the commit's hash (see `RevisionFleet.site`)."""
    with RevisionFleet(folder, revision) as fleet:
        return fleet.site(name), fleet.commit


class RevisionFleet:
    """A fleet at a revision, listed once; its sites are loaded one by one. Thread-safe, and to be closed.

    `commit` is the hash. On disk are the levels (fleet.yml, groups), and a site's own file while it is loaded.
    """

    def __init__(self, folder: Path, revision: str) -> None:
        """Raises PlanError if there is no such revision, or no fleet in it that may be read."""
        check_name(revision)
        with ExitStack() as stack:
            self._repository = stack.enter_context(FleetRepository(folder))
            self._revision = revision
            self.commit = self._repository.commit_of(revision)
            self._files = self._listed()
            self._names: dict[str, list[Parts]] = {}
            for parts in site_paths(self._files):
                self._names.setdefault(default_name(parts[-1]), []).append(parts)
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="ivn-revision-"))
            self._there = Path(scratch + str(self._root))  # the same depth: `../` leads to the same place
            self._moved = Moved(scratch, str(self._root), self.commit[:7])
            self._write_levels()
            self._lock = Lock()
            self._levels: dict[str, Levels] = {}
            self._rules = all_rules()
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stack.close()

    def has(self, name: str) -> bool:
        """Was there a site of that name?"""
        return name in self._names

    def site(self, name: str) -> Site:
        """A site. Raises PlanError if there was none, SpecError with its diagnostics if it had errors.

        Paths are those that the files would name in the fleet's present folder: secrets stay references, and
        files that they name are read where they are now. Places say `abc1234:PATH`.
        """
        named = self._names.get(name, [])
        if len(named) != 1:
            raise self._not_one(name, named)
        with self._lock:
            file = self._there.joinpath(*named[0])
            self._put(named[0])
            try:
                return self._moved.site(self._loaded(name))
            finally:
                file.unlink()

    def _loaded(self, name: str) -> Site:
        path, root = site_file(str(self._there), name)
        levels = self._levels.setdefault(root, Levels(root))
        loaded = load_one(path, levels, self._rules)
        if loaded.site is not None and not any(each.is_error for each in loaded.diagnostics):
            return loaded.site
        problems = unique([*levels.diagnostics(), *loaded.diagnostics])
        raise SpecError(
            tuple(map(self._moved.diagnostic, problems)),
            summary=f"{name} had errors at {self.commit[:7]}, as this version of the tool sees it",
            next_step="Choose another revision, or --to RUN.",
        )

    @property
    def _root(self) -> Path:
        return self._repository.root

    def _listed(self) -> dict[Parts, Entry]:
        found = self._repository.files_of(self.commit, self._revision)
        if found is None:
            raise PlanError(
                f"{self._revision} has no folder {self._root.relative_to(self._repository.path)}",
                next_step="Choose a later revision: the fleet was somewhere else, or not there yet.",
            )
        for parts, entry in found.items():
            if entry.odd:
                raise PlanError(f"{'/'.join(parts)} is {entry.odd} in {self._revision}", next_step=NOT_SAFE)
        return found

    def _write_levels(self) -> None:
        self._there.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._there / ".git").touch()  # a fleet ends here: nothing above the scratch folder is looked at
        total = 0
        for parts in self._files:
            if _is_level(parts):
                total += self._put(parts)
            if total > _LARGEST_LEVELS:
                raise PlanError(
                    f"the groups in {self._revision} are too large for a fleet", next_step=NOT_SAFE
                )

    def _put(self, parts: Parts) -> int:
        """Bring one file out of the repository; its size in bytes."""
        content = self._repository.content(self._files[parts], "/".join(parts), self._revision)
        file = self._there.joinpath(*parts)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return file.write_bytes(content)

    def _not_one(self, name: str, named: list[Parts]) -> PlanError:
        at = f"at {self.commit[:7]} there is"
        if named:
            both = " and ".join("/".join(each) for each in named[:2])
            return PlanError(f"{at} more than one site {name}: {both}", next_step="Choose another revision.")
        known = sorted(self._names)
        there = f"There is: {listing(known)}." if known else "There is no site file."
        return PlanError(
            f"{at} no site {name!r} in {self._root}", next_step=f"{did_you_mean(name, known)}{there}"
        )


def _is_level(parts: Parts) -> bool:
    return parts[-1] == FLEET_FILE or (len(parts) > 1 and parts[-2] == GROUPS)
