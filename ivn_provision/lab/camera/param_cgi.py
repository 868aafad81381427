"""`/axis-cgi/param.cgi`: list, update, add, remove, listdefinitions (facts/axis.md, 3). Errors are HTTP 200."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from ivn_provision.lab.camera.calls import Call, Right, plain
from ivn_provision.lab.camera.param_xml import definitions_xml
from ivn_provision.lab.camera.params import ROOT, NotSet, Parameters, without_root
from ivn_provision.lab.nvr.http_wire import HttpResponse

Write = Callable[[str], AbstractContextManager[None]]
_WORDS = frozenset({"action", "group", "template", "force", "usergroup", "responseformat", "listformat"})


class _Refused(Exception):
    """Nothing was changed; the text says why."""


class ParamCgi:
    """`write` is entered around each change; `changed` is called with the names after it."""

    def __init__(
        self, params: Parameters, write: Write, changed: Callable[[list[str]], None], charset: str
    ) -> None:
        self._params, self._write, self._changed, self._charset = params, write, changed, charset

    def answer(self, call: Call) -> HttpResponse:
        """Raises Cut, if a fault says so."""
        action = call.fields.get("action", "")
        if action == "list":
            return self._plain(self._list(call))
        if action == "listdefinitions":
            return self._definitions(call)
        known = {"update": self._update, "add": self._add, "remove": self._remove}
        if action not in known:
            return self._plain(f"# Error: unknown action '{action}'\n")
        try:
            with self._write(f"param.{action}"):
                return self._plain(known[action](call))
        except _Refused as refused:
            return self._plain(str(refused))

    def _plain(self, text: str) -> HttpResponse:
        return plain(text, self._charset)

    def _list(self, call: Call) -> str:
        lines: dict[str, None] = {}
        for wanted in call.fields.get("group", ROOT).split(","):
            prefix = ROOT if wanted == "root" or wanted.startswith(ROOT) else ""
            found = list(self._params.matching(without_root(wanted.rstrip(".")), call.right))
            if not found:
                return f"# Error: Error -1 getting param in group '{wanted}'\n"
            lines.update(dict.fromkeys(f"{prefix}{name}={value}" for name, value in found))
        return "".join(f"{line}\n" for line in lines)

    def _definitions(self, call: Call) -> HttpResponse:
        if call.fields.get("listformat") != "xmlschema":
            return self._plain("# Error: unknown listformat\n")
        shown: dict[str, str] = {}
        for wanted in call.fields.get("group", "").split(","):
            shown.update(self._params.matching(without_root(wanted), call.right))
        rows = [(name, value, self._params.definitions[name]) for name, value in shown.items()]
        model = self._params.get("Brand.ProdShortName")
        body = definitions_xml(model, self._params.get("Properties.Firmware.Version"), rows, self._charset)
        return HttpResponse(200, [("Content-Type", "text/xml")], body)

    def _update(self, call: Call) -> str:
        done: list[str] = []
        try:
            for name, value in call.fields.items():
                if name in _WORDS:
                    continue
                try:
                    self._params.set(without_root(name), value, call.right)
                except NotSet:
                    return self._stopped(f"# Error: Error setting '{name}' to '{value}'!\n", done)
                done.append(without_root(name))
        finally:
            self._changed(done)
        return self._stopped("OK" if done else "# Error: no parameter to set\n", done)

    @staticmethod
    def _stopped(text: str, done: list[str]) -> str:
        """The answer; it is no change where nothing was set before. Raises _Refused."""
        if not done:
            raise _Refused(text)
        return text

    def _add(self, call: Call) -> str:
        group = without_root(call.fields.get("group", ""))
        if call.right < Right.OPERATOR:
            raise _Refused("# Request failed: Not allowed\n")
        given = {
            name.rpartition(".")[2]: value
            for name, value in call.fields.items()
            if without_root(name).startswith(f"{group}.") and name not in _WORDS
        }
        try:
            entry, refused = self._params.add(call.fields.get("template", ""), group, given)
        except NotSet:
            raise _Refused(
                f"# Error: Error adding group '{group}'\n# Request failed: Couldn't create a group\n"
            ) from None
        self._changed([f"{group}.{entry}"])
        errors = "".join(
            f"# Error: Error setting '{ROOT}{group}.{entry}.{name}' to '{given[name]}'!\n" for name in refused
        )
        return f"{errors}{entry} OK\n"

    def _remove(self, call: Call) -> str:
        wanted = [without_root(each) for each in call.fields.get("group", "").split(",")]
        if call.right < Right.OPERATOR:
            raise _Refused("# Request failed: Not allowed\n")
        for each in wanted:
            try:
                self._params.remove(each)
            except NotSet:
                raise _Refused(
                    f"# Error: Error removing group '{each}'\n# Request failed: Couldn't remove a group\n"
                ) from None
            self._changed([each])
        return "OK"
