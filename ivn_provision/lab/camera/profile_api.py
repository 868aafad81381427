"""`/axis-cgi/streamprofile.cgi`: the same profiles as the group StreamProfile (facts/axis.md, 4)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from ivn_provision.lab.camera.json_api import BAD_VALUE, Json, JsonError, Method, items_of
from ivn_provision.lab.camera.params import NotSet, Parameters

BAD_METHOD = 2005
_GROUP = "StreamProfile"
_FIELDS = {"name": "Name", "description": "Description", "parameters": "Parameters"}


class StreamProfileApi:
    """Profiles are told apart by their names here; the first of a name counts."""

    def __init__(
        self,
        params: Parameters,
        write: Callable[[str], AbstractContextManager[None]],
        changed: Callable[[list[str]], None],
    ) -> None:
        self._params, self._write, self._changed = params, write, changed

    def methods(self) -> dict[str, Method]:
        """`list`, `create`, `update`, `remove`."""
        return {"list": self._list, "create": self._create, "update": self._update, "remove": self._remove}

    def _entries(self) -> dict[str, str]:
        """Group by name."""
        found: dict[str, str] = {}
        for entry in self._params.entries(self._params.groups["streamprofile"]):
            found.setdefault(self._params.get(f"{_GROUP}.{entry}.Name"), f"{_GROUP}.{entry}")
        return found

    def _list(self, given: Json) -> Json:
        known = self._entries()
        wanted = [str(each.get("name")) for each in items_of(given, "streamProfileName")] if given else []
        shown = [
            {field: self._params.get(f"{known[name]}.{last}") for field, last in _FIELDS.items()}
            for name in (wanted or known)
            if name in known
        ]
        return {"streamProfile": shown, "maxProfiles": int(self._params.get(f"{_GROUP}.MaxGroups"))}

    def _create(self, given: Json) -> Json:
        for each in items_of(given, "streamProfile"):
            if str(each.get("name")) in self._entries():
                raise JsonError(BAD_VALUE, "Profile exists already")
            values = {last: str(each.get(field, "")) for field, last in _FIELDS.items()}
            with self._write("streamprofile.create"):
                try:
                    entry, _ = self._params.add("streamprofile", _GROUP, values)
                except NotSet:
                    raise JsonError(BAD_VALUE, "No further profiles") from None
                self._changed([f"{_GROUP}.{entry}"])
        return {}

    def _update(self, given: Json) -> Json:
        for each in items_of(given, "streamProfile"):
            group = self._known(str(each.get("name")))
            with self._write("streamprofile.update"):
                for field in ("description", "parameters"):
                    if field in each:
                        self._put(f"{group}.{_FIELDS[field]}", str(each[field]))
                self._changed([group])
        return {}

    def _remove(self, given: Json) -> Json:
        for each in items_of(given, "streamProfileName"):
            group = self._known(str(each.get("name")))
            with self._write("streamprofile.remove"):
                self._params.remove(group)
                self._changed([group])
        return {}

    def _known(self, name: str) -> str:
        group = self._entries().get(name)
        if group is None:
            raise JsonError(BAD_VALUE, f"No such profile: {name}")
        return group

    def _put(self, name: str, value: str) -> None:
        try:
            self._params.set(name, value)
        except NotSet:
            raise JsonError(BAD_VALUE, f"Invalid value of {name}") from None
