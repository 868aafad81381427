"""Store B: the same settings in four files of other forms. Every save leaves traces in all of them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import datetime

from lxml import etree

from ivn_provision.lab.nvr import config_edit, store_b_edit
from ivn_provision.lab.nvr.access import Access, access_of
from ivn_provision.lab.nvr.config_active import ActiveConfiguration
from ivn_provision.lab.nvr.config_initial import opaque_hex
from ivn_provision.lab.nvr.store import Edit, admin_line, check_action, restore_point
from ivn_provision.lab.nvr.store_a import change_as_person, put_back
from ivn_provision.lab.nvr.store_b_active import load_b
from ivn_provision.lab.nvr.store_b_initial import CONFIG, EVENTS, MAIL, STYLES, USAGE, initial
from ivn_provision.lab.nvr.store_b_kinds import KINDS, SINGLES, kind_of, put
from ivn_provision.lab.nvr.store_b_xml import Style, open_for_edit, read, stamp, written
from ivn_provision.lab.nvr.tree import WindowsTree
from ivn_provision.lab.nvr.windows_machine import IMAGE_SERVER, RECORDING_SERVER
from ivn_provision.lab.scenario import LabSite

_IN_CONFIG = ("camera", "server_access", "services", "user")
_ALERT_PORT = "event_server_port"


class StoreB:
    """See `store.Store`."""

    files: Sequence[str] = tuple(style.path for style in STYLES)

    def __init__(self, site: LabSite, tree: WindowsTree) -> None:
        self._site = site
        self._tree = tree
        self._kept: dict[str, etree._Element] = {}
        self._saves = 0

    def install(self, event_port: int) -> None:
        """Write the files that are missing."""
        for style, root in initial(self._site, event_port).items():
            if not self._tree.locate(style.path).exists():
                self._tree.write(style.path, written(root, style))

    def load(self) -> ActiveConfiguration:
        """What the Recording Server takes. Raises Unreadable, OSError."""
        config, events, mail = (read(self._content(style), style) for style in (CONFIG, EVENTS, MAIL))
        return load_b(config, events, mail)

    def access(self, computer: str) -> Access:
        """What the Image Server takes. Raises Unreadable, OSError."""
        return access_of(read(self._content(CONFIG), CONFIG), computer)

    def edit(self, edit: Edit, now: datetime) -> Sequence[str]:
        """Do it and save. Raises LabError."""
        check_action(edit)
        roots = {style: open_for_edit(self._content(style), style) for style in STYLES}
        restart = self._do(roots, edit, now)
        self._save(roots, now)
        restore_point(self._tree, self.files, now)
        admin_line(self._tree, edit, now)
        return restart

    def touch(self, now: datetime) -> None:
        """A revision more, of every file."""
        self._save({style: open_for_edit(self._content(style), style) for style in STYLES}, now)

    def _content(self, style: Style) -> bytes:
        return self._tree.locate(style.path).read_bytes()

    def _save(self, roots: store_b_edit.Roots, now: datetime) -> None:
        for style, root in roots.items():
            stamp(root, style, now)
            self._tree.write(style.path, written(root, style))
        self._saves += 1
        self._tree.write(USAGE, f"saves={self._saves}\r\nlast={now.isoformat()}\r\n".encode())

    def _do(self, roots: store_b_edit.Roots, edit: Edit, now: datetime) -> Sequence[str]:
        if edit.action == "save":
            found = {kind: roots[MAIL].find(path) for kind, path in SINGLES.items()}
            self._kept = {kind: copy.deepcopy(each) for kind, each in found.items() if each is not None}
            return ()
        if edit.kind in _IN_CONFIG:
            return self._in_config(roots, edit, now)
        kind = kind_of(edit.kind, _IN_CONFIG)
        if edit.action == "restore":
            put_back(roots[MAIL], edit.kind, SINGLES, self._kept)
        elif edit.action == "add":
            store_b_edit.add(roots, edit.kind, edit.key, edit.fields)
        elif edit.action == "remove":
            store_b_edit.remove(roots, edit.kind, edit.key)
        else:
            store_b_edit.change(roots, edit.kind, edit.key, edit.fields)
            self._conceal(roots, edit, now)
        return kind.restart

    def _conceal(self, roots: store_b_edit.Roots, edit: Edit, now: datetime) -> None:
        if edit.kind == "mail_server" and "password" in edit.fields:
            put(roots[KINDS[edit.kind].style], "smtp/login/@secret", opaque_hex("smtp", now.isoformat()))

    def _in_config(self, roots: store_b_edit.Roots, edit: Edit, now: datetime) -> Sequence[str]:
        document, fields = config_edit.document_of(roots[CONFIG]), dict(edit.fields)
        port = fields.pop(_ALERT_PORT, None) if edit.kind == "services" else None
        if port is not None:
            put(roots[EVENTS], "Ports/@Alert", port.strip())
        if edit.action == "remove":
            config_edit.remove(document, edit.kind, edit.key)
        else:
            change_as_person(document, self._site, Edit(edit.action, edit.kind, edit.key, fields), now)
        return (IMAGE_SERVER, RECORDING_SERVER)
