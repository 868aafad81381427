"""Every command that README.md and docs/ show in a `console` block works and prints what is shown.

Rules for pages: `$ ` begins a command, `> ` continues it. A command that shows no output must exit 0; one that shows output
must print exactly that, where a line of `...` stands for any lines. Exit codes are shown with `$ echo $?`. A comment
`<!-- run: COMMAND -->` is run too, for what a reader has done on another page.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.doc_pages import Page, pages
from tests.support.doc_session import first_difference, session

NOT_RUN = {"docs/performance.md": "its benchmarks take many minutes; tests/ runs them at small sizes"}
PAGES = [each for each in pages() if each.commands and each.name not in NOT_RUN]


@pytest.mark.parametrize("page", PAGES, ids=[each.name for each in PAGES])
def test_the_commands_of_a_page(page: Page, tmp_path: Path) -> None:
    with session(tmp_path) as shell:
        for index, shown in enumerate(page.commands):
            done = shell.run(shown.command)
            place = f"{page.name}:{shown.line}: $ {shown.command}"
            printed = "\n".join(done.lines)
            if shown.output is not None:
                difference = first_difference(shown.output, done.lines)
                assert difference is None, f"{place}\n{difference}\n\n{printed}"
            following = page.commands[index + 1 : index + 2]
            if shown.output is None and not (following and following[0].command == "echo $?"):
                assert done.code == 0, f"{place}\nexit code {done.code}\n\n{printed}"


@pytest.mark.parametrize(
    ("shown", "real", "fits"),
    [
        (["a", "...", "d"], ["a", "b", "c", "d"], True),
        (["a", "...", "d"], ["a", "b", "c"], False),
        (["a", "..."], ["a"], True),
        (["a"], ["a", "b"], False),
        (["..."], [], True),
        (["  ... 3 more lines ...", "d"], ["x", "d", "d"], False),
        (["(process 12)", "at 2026-01-02T03:04:05Z"], ["(process 9)", "at 2027-01-02T03:04:05Z"], True),
    ],
)
def test_what_is_shown_is_compared(shown: list[str], real: list[str], fits: bool) -> None:
    assert (first_difference(shown, real) is None) is fits
