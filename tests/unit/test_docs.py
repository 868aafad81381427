"""The documentation holds together: links, ways in, blocks, and generated pages in sync."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.support.doc_pages import DOCS, ROOT, Page, page, pages

PAGES = pages()
INDEX = DOCS / "index.md"
LANGUAGES = {"console", "sh", "yaml", "json", "text", "xml", "powershell", "python", "crontab", "ini"}


@pytest.mark.parametrize("one", PAGES, ids=[each.name for each in PAGES])
def test_internal_links_resolve(one: Page) -> None:
    for link in one.links:
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, fragment = unquote(link).partition("#")
        target = (one.path.parent / path).resolve() if path else one.path
        assert target.exists(), f"{one.name}: {link} leads nowhere"
        assert target.is_relative_to(ROOT), f"{one.name}: {link} leads out of the repository"
        if fragment and target.suffix == ".md":
            assert fragment in page(target).anchors, f"{one.name}: {link}: no such heading"


def test_every_page_is_reachable_from_the_index() -> None:
    seen: set[Path] = set()
    todo = [INDEX]
    while todo:
        here = todo.pop()
        if here in seen or here.suffix != ".md" or not here.is_file():
            continue
        seen.add(here)
        links = [link.partition("#")[0] for link in page(here).links if "://" not in link]
        todo += [(here.parent / link).resolve() for link in links if link]
    lost = [each.name for each in PAGES if each.path.is_relative_to(DOCS) and each.path not in seen]
    assert lost == []


@pytest.mark.parametrize("one", PAGES, ids=[each.name for each in PAGES])
def test_blocks_say_what_they_are(one: Page) -> None:
    """A command in a block without `console` or `sh` would be tested by nobody, unnoticed."""
    unknown = [(line, name) for line, name in one.languages if name not in LANGUAGES]
    assert unknown == [], f"{one.name}: blocks of an unknown kind"
    for first in one.commands:
        assert first.command.strip(), f"{one.name}:{first.line}: an empty command"


@pytest.mark.parametrize(
    "name",
    [
        "make-cli-reference",
        "make-site-reference",
        "make-checks-reference",
        "make-failure-table",
        "make-playbook-reference",
    ],
)
def test_generated_pages_are_in_sync(name: str) -> None:
    script = ROOT / "scripts" / name
    done = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_code_is_in_the_diagnostics_reference() -> None:
    from ivn_provision.spec.codes import CODES

    text = (DOCS / "reference" / "diagnostics.md").read_text("utf-8")
    missing = [code for code, title in CODES.items() if f"| {code} | {title}" not in text]
    assert missing == []


def test_every_code_of_playbooks_is_in_the_diagnostics_reference() -> None:
    from ivn_provision.spec.playbook_file import PLAYBOOK_CODES

    text = (DOCS / "reference" / "diagnostics.md").read_text("utf-8")
    assert [code for code, title in PLAYBOOK_CODES.items() if f"| {code} | {title}" not in text] == []


def test_every_managed_kind_and_field_is_in_the_capabilities_reference() -> None:
    from ivn_provision.drivers.xprotect_e.layout_set import Layouts

    text = (DOCS / "reference" / "capabilities.md").read_text("utf-8")
    for kind, layout in Layouts.packaged().known[0].kinds.items():
        for name, one in layout.fields.items():
            row = next((line for line in text.splitlines() if line.startswith(f"| {kind} | {name} |")), "")
            cells = [cell.strip() for cell in row.split("|")]
            wanted = [str(one.capability.ability), one.capability.evidence or "-"]
            assert cells[3:5] == wanted, f"{kind} {name}: {row!r}"
