"""A site that was loaded from a private folder, as if it had been loaded from its fleet's own."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from ivn_provision.diagnostics import Diagnostic, Place
from ivn_provision.secret import SecretRef
from ivn_provision.spec.site import Origin, Places, Site


@dataclass(frozen=True, slots=True)
class Moved:
    """Paths below `scratch` as they would be in the fleet's folder `root`; places with the commit in front."""

    scratch: str
    root: str
    commit: str

    def site(self, site: Site) -> Site:
        """The whole site."""
        found = self._value(site)
        assert isinstance(found, Site)
        return found

    def path(self, text: str) -> str:
        return text.removeprefix(self.scratch) if self._is_below(text) else text

    def diagnostic(self, found: Diagnostic) -> Diagnostic:
        related = tuple(replace(each, place=self._place(each.place)) for each in found.related)
        place = self._place(found.place) if found.place else None
        return replace(found, place=place, related=related)

    def _place(self, place: Place) -> Place:
        if not self._is_below(place.path):
            return place
        return replace(place, path=f"{self.commit}:{os.path.relpath(self.path(place.path), self.root)}")

    def _places(self, places: Places) -> Places:
        def moved(origin: Origin) -> Origin:
            return replace(origin, place=self._place(origin.place))

        found = {pointer: tuple(map(moved, each)) for pointer, each in places.by_pointer.items()}
        return Places(found, self.path(places.path))

    def _value(self, value: Any) -> Any:
        """Any value of a site."""
        if isinstance(value, str):
            return self.path(value)
        if isinstance(value, SecretRef):
            return replace(value, name=self.path(value.name), base=self.path(value.base))
        if isinstance(value, Places):
            return self._places(value)
        if isinstance(value, tuple):
            return tuple(self._value(each) for each in value)
        if is_dataclass(value) and not isinstance(value, type):
            return replace(
                value, **{each.name: self._value(getattr(value, each.name)) for each in fields(value)}
            )
        return value

    def _is_below(self, text: str) -> bool:
        return text.startswith(self.scratch + os.sep)
