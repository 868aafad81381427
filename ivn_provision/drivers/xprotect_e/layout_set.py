"""The layouts that a run knows: those that ship with the tool, and those of the fleet."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from ivn_provision.diagnostics import Diagnostic
from ivn_provision.drivers.xprotect_e.layout import Layout
from ivn_provision.drivers.xprotect_e.layout_file import check_layout, read_layout
from ivn_provision.errors import PlanError, SpecError
from ivn_provision.spec.source import read_bytes

PACKAGED = ("lab-2014.yml",)


@dataclass(frozen=True, slots=True)
class Layouts:
    """Layouts in the order in which they were found; one of a fleet wins over a packaged one."""

    known: tuple[Layout, ...]

    @classmethod
    def packaged(cls) -> Layouts:
        """Those that ship with the tool."""
        return _packaged()

    def with_folder(self, folder: Path) -> Layouts:
        """These and those of a fleet's `layouts/`, if there is such a folder. Raises SpecError."""
        own, found = check_folder(folder)
        if found:
            raise SpecError(
                found,
                summary=f"layout files in {folder} cannot be used",
                next_step="Correct them, learn them anew, or move them away; nothing was read or changed.",
            )
        return Layouts((*own, *self.known))

    def candidates(self, product: str) -> tuple[Layout, ...]:
        """Layouts that a recorder declared as `product` (`xprotect-professional-2014`) may turn out to have.

        All of the fleet's own: how a real recorder spells its name need not be how a site file does.
        """
        name = product.replace("-", " ")
        return tuple(
            each for each in self.known if each.origin or re.search(each.product.pattern, name, re.IGNORECASE)
        )

    def choose(self, product: str, version: str, *, lab: bool) -> Layout | None:
        """The layout for what the recorder states, None if none is known. Raises PlanError if two fit."""
        fitting = [each for each in self.known if each.fits(product, version) and (lab or not each.lab_only)]
        own = [each for each in fitting if each.origin]
        if len(own) > 1:
            raise PlanError(
                f"two layouts fit {product} {version}: {own[0].name} and {own[1].name}",
                where=f"{own[0].origin} and {own[1].origin}",
                next_step="keep one of them, or make their versions differ",
            )
        return next(iter(own or fitting), None)


@cache
def _packaged() -> Layouts:
    folder = resources.files("ivn_provision.drivers.xprotect_e") / "layouts"
    return Layouts(tuple(read_layout(name, (folder / name).read_bytes(), packaged=True) for name in PACKAGED))


def check_folder(folder: Path) -> tuple[tuple[Layout, ...], tuple[Diagnostic, ...]]:
    """The layouts of a fleet's folder, and every problem of its files; a folder that is not there is empty."""
    good: list[Layout] = []
    problems: list[Diagnostic] = []
    for path in _files(folder):
        content = read_bytes(str(path))
        if isinstance(content, Diagnostic):
            problems.append(content)
            continue
        layout, found = check_layout(str(path), content)
        problems += found
        good += [layout] if layout else []
    return tuple(good), tuple(problems)


def _files(folder: Path) -> Iterable[Path]:
    try:
        names = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [path for path in names if path.suffix == ".yml" and not path.name.startswith(".")]
