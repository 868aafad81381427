"""Store A: everything in one configuration.xml, as elements. The layout `lab-2014` describes it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from datetime import datetime

from lxml import etree

from ivn_provision.errors import LabError
from ivn_provision.lab.nvr import config_edit
from ivn_provision.lab.nvr.access import Access, access_of
from ivn_provision.lab.nvr.config_active import ActiveConfiguration, load, parse_document
from ivn_provision.lab.nvr.config_initial import PATH, initial_configuration, opaque_hex, user_fields
from ivn_provision.lab.nvr.store import Edit, admin_line, check_action, restore_point
from ivn_provision.lab.nvr.tree import WindowsTree
from ivn_provision.lab.nvr.windows_machine import IMAGE_SERVER, RECORDING_SERVER
from ivn_provision.lab.scenario import LabSite

_SINGLES = {"mail_message": "Notifications/Email", "mail_server": "Notifications/EmailServer"}


class StoreA:
    """See `store.Store`."""

    files: Sequence[str] = (PATH,)

    def __init__(self, site: LabSite, tree: WindowsTree) -> None:
        self._site = site
        self._tree = tree
        self._kept: dict[str, etree._Element] = {}

    def install(self, event_port: int) -> None:
        """Write the file if it is missing."""
        if not self._tree.locate(PATH).exists():
            self._tree.write(PATH, initial_configuration(self._site, event_port))

    def load(self) -> ActiveConfiguration:
        """What the Recording Server takes. Raises Unreadable, OSError."""
        return load(self._content())

    def access(self, computer: str) -> Access:
        """What the Image Server takes. Raises Unreadable, OSError."""
        return access_of(parse_document(self._content()).getroot(), computer)

    def edit(self, edit: Edit, now: datetime) -> Sequence[str]:
        """Do it and save. Raises LabError."""
        check_action(edit)
        self._rewritten(lambda document: self._do(document, edit, now))
        restore_point(self._tree, self.files, now)
        admin_line(self._tree, edit, now)
        return () if edit.action == "save" else (IMAGE_SERVER, RECORDING_SERVER)

    def touch(self, now: datetime) -> None:  # noqa: ARG002 - this store keeps no times
        """Another archiving setting: nothing that anybody declares."""
        self._rewritten(_toggle_archiving)

    def _content(self) -> bytes:
        return self._tree.locate(PATH).read_bytes()

    def _rewritten(self, work: Callable[[config_edit.Document], None]) -> None:
        document = config_edit.open_document(self._content())
        work(document)
        self._tree.locate(PATH).write_bytes(config_edit.print_document(document))

    def _do(self, document: config_edit.Document, edit: Edit, now: datetime) -> None:
        if edit.action == "save":
            found = {kind: document.root.find(path) for kind, path in _SINGLES.items()}
            self._kept = {kind: copy.deepcopy(each) for kind, each in found.items() if each is not None}
        elif edit.action == "restore":
            put_back(document.root, edit.kind, _SINGLES, self._kept)
        elif edit.action == "remove":
            config_edit.remove(document, edit.kind, edit.key)
        elif edit.action == "add" and edit.kind != "user":
            config_edit.add(document, edit.kind, edit.key, edit.fields)
        else:
            change_as_person(document, self._site, edit, now)


def change_as_person(document: config_edit.Document, site: LabSite, edit: Edit, now: datetime) -> None:
    """Change an object; a user that does not exist is made when a password is given. Raises LabError."""
    kind, key, fields = edit.kind, edit.key, edit.fields
    if kind == "user" and "password" in fields and not config_edit.has(document, "user", key):
        _add_user(document, site, key)
    config_edit.change(document, kind, key, fields)
    if "password" not in fields:
        return
    shown = opaque_hex(kind, key, now.isoformat())
    if kind == "mail_server":
        _set_text(document.root.find("Notifications/EmailServer/Password"), shown)
    else:
        _set_text(config_edit.find(document, kind, fields.get("name", key)).find("PasswordHash"), shown)


def put_back(root: etree._Element, kind: str, paths: dict[str, str], kept: dict[str, etree._Element]) -> None:
    """Replace the settings of a kind by those that were kept at the last save. Raises LabError."""
    found = root.find(paths[kind]) if kind in paths else None
    if found is None or kind not in kept or (parent := found.getparent()) is None:
        raise LabError(f"nothing was kept of {kind or 'this'}", next_step="`save` first, then change")
    again = copy.deepcopy(kept[kind])
    again.tail = found.tail
    parent.replace(found, again)


def _toggle_archiving(document: config_edit.Document) -> None:
    switch = document.root.find("Archiving/DynamicArchiving")
    if switch is not None:
        switch.text = "0" if switch.text == "1" else "1"


def _add_user(document: config_edit.Document, site: LabSite, name: str) -> None:
    if not name:
        raise LabError("a user needs a name", next_step="give the name as the key")
    users = document.root.find("Users")
    parent = etree.SubElement(document.root, "Users") if users is None else users
    user = etree.SubElement(parent, "User")
    for field, text in user_fields(site, name, administrator=False).items():
        etree.SubElement(user, field).text = text


def _set_text(element: etree._Element | None, text: str) -> None:
    if element is not None:
        element.text = text
