"""Which store a site's recorder has."""

from __future__ import annotations

from ivn_provision.lab.nvr.store import Store
from ivn_provision.lab.nvr.store_a import StoreA
from ivn_provision.lab.nvr.store_b import StoreB
from ivn_provision.lab.nvr.tree import WindowsTree
from ivn_provision.lab.scenario import LabSite


def store_of(site: LabSite, tree: WindowsTree) -> Store:
    """The store of a recorder, in its file tree."""
    return StoreB(site, tree) if site.store == "b" else StoreA(site, tree)
