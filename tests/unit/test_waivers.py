"""waivers.yml: what is refused, where, and with which next step; and `validate` looks at it too."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ivn_provision.cli.validate import command as validate_command
from ivn_provision.errors import SpecError
from ivn_provision.spec.waivers import CODES, check_waivers, read_waivers, waivers_of
from tests.support.doc_pages import DOCS

TODAY = date(2026, 11, 24)
GOOD = """\
waivers:
  - address: harbor-marina/nvr/camera/10
    field: recording.*
    reason: the disk is replaced next week
    owner: Ada
    until: "2026-12-31"
  - address: "*"
    check: dormant-pins
    reason: winter
    owner: northside
    until: "2027-03-01"
"""
# name: (text in GOOD, what stands there instead, line, code, a part of the summary)
BROKEN = {
    "unknown key": ("    owner: Ada", "    onwer: Ada", 5, "SCH001", "onwer"),
    "no reason": ("    reason: winter\n", "", 7, "SCH004", "no `reason`"),
    "no owner": ("    owner: northside\n", "", 7, "SCH004", "no `owner`"),
    "no end": ('    until: "2027-03-01"\n', "", 7, "SCH004", "no `until`"),
    "blank owner": ("owner: Ada", "owner: ' '", 5, "SCH006", "owner"),
    "no day": ('"2026-12-31"', '"2026-02-30"', 6, "WAV001", "2026-02-30"),
    "not a day": ('"2026-12-31"', "next year", 6, "SCH006", "wrong form"),
    "far ahead": ('"2026-12-31"', '"2027-11-26"', 6, "WAV002", "366 days"),
    "everything": ("    check: dormant-pins\n", "", 7, "WAV004", "everything"),
    "everything by its check": ("check: dormant-pins", 'check: "*"', 7, "WAV004", "everything"),
    "everything by its field": ("check: dormant-pins", 'field: "?*"', 7, "WAV004", "everything"),
    "everything spelled otherwise": (
        '"*"\n    check: dormant-pins',
        '"[!_]*"',
        7,
        "WAV004",
        "everything",
    ),
    "field and check": ("    check: dormant-pins", "    check: x\n    field: y", 8, "WAV005", "never hold"),
    "a secret": ("owner: Ada", "owner: !secret env:ADA", 5, "SCH002", "no !secret"),
    "a reference": ("owner: Ada", "owner: !ref site", 5, "SCH002", "no !ref"),
    "nothing": ("owner: Ada", "owner:", 5, "SCH002", "empty"),
    "a number": ("owner: Ada", "owner: 5", 5, "SCH002", "owner"),
    "a key twice": ("    owner: Ada", "    owner: Ada\n    owner: Bo", 6, "YML009", "twice"),
    "an escape": ("winter", '"a\\x1b[31mb"', 9, "SCH006", "wrong form"),
    "a top without it": ("waivers:", "waiver:", 1, "SCH001", "waiver"),
}


def written(folder: Path, text: str) -> str:
    path = folder / "waivers.yml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_what_a_file_says(tmp_path: Path) -> None:
    first, second = read_waivers(written(tmp_path, GOOD), TODAY)
    assert (first.address, first.field, first.check) == ("harbor-marina/nvr/camera/10", "recording.*", "")
    assert (first.reason, first.owner, first.until) == (
        "the disk is replaced next week",
        "Ada",
        date(2026, 12, 31),
    )
    assert first.place is not None
    assert (first.place.line, first.place.column) == (2, 5)
    assert second.check == "dormant-pins"
    assert second.title == "* check dormant-pins"


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file(name: str, tmp_path: Path) -> None:
    old, new, line, code, part = BROKEN[name]
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new))
    _, found = check_waivers(path, TODAY)
    assert found
    first = next(each for each in found if each.code == code)
    assert first.place is not None
    assert (first.place.path, first.place.line) == (path, line), first
    assert part in first.summary
    assert first.is_error
    assert first.hint
    with pytest.raises(SpecError):
        read_waivers(path, TODAY)


def test_a_day_needs_no_quotes(tmp_path: Path) -> None:
    first, _ = read_waivers(written(tmp_path, GOOD.replace('"2026-12-31"', "2026-12-31")), TODAY)
    assert first.until == date(2026, 12, 31)


def test_a_map_is_no_list(tmp_path: Path) -> None:
    _, found = check_waivers(written(tmp_path, "waivers: {address: x}\n"), TODAY)
    assert [(each.code, each.place.line if each.place else 0) for each in found] == [("SCH002", 1)]
    assert "a list" in found[0].summary


@pytest.mark.parametrize(
    ("until", "codes"),
    [
        (TODAY - timedelta(days=1), ["WAV003"]),
        (TODAY, []),
        (TODAY + timedelta(days=366), []),
        (TODAY + timedelta(days=367), ["WAV002"]),
    ],
)
def test_the_day(until: date, codes: list[str], tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("2026-12-31", until.isoformat()))
    waivers, found = check_waivers(path, TODAY)
    assert [each.code for each in found] == codes
    assert len(waivers) == (1 if codes == ["WAV002"] else 2)
    assert waivers[0].holds_on(TODAY) is (until >= TODAY)


def test_an_expired_one_is_a_warning_and_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("2026-12-31", "2026-11-01"))
    assert [each.until for each in read_waivers(path, TODAY)] == [date(2026, 11, 1), date(2027, 3, 1)]


def test_the_same_twice(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD + GOOD.partition("\n")[2])
    _, found = check_waivers(path, TODAY)
    assert [(each.code, each.place.line if each.place else 0) for each in found] == [
        ("WAV006", 12),
        ("WAV006", 17),
    ]
    assert "waivers.yml:2:" in found[0].hint


def test_a_fleet_without_waivers(tmp_path: Path) -> None:
    assert waivers_of(str(tmp_path), TODAY) == ()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200))
def test_any_bytes(content: bytes) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder, "waivers.yml")
        path.write_bytes(content)
        waivers, found = check_waivers(str(path), TODAY)
        assert found or waivers == ()
        assert all(each.place and each.place.path == str(path) for each in found)


def test_a_device_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "waivers.yml").symlink_to("/dev/zero")
    _, found = check_waivers(str(tmp_path / "waivers.yml"), TODAY)
    assert [each.code for each in found] == ["YML001"]


def test_validate_looks_at_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sites/more").mkdir(parents=True)
    Path("sites/fleet.yml").write_text("labels: {a: b}\n")
    Path("sites/a.yml").write_text("site: a\n")
    Path("sites/waivers.yml").write_text(GOOD.replace("owner: Ada", "onwer: Ada"))
    Path("sites/more/waivers.yml").write_text(GOOD)
    ran = CliRunner().invoke(validate_command, ["--no-cache"], catch_exceptions=False)
    assert ran.exit_code == 1
    assert "sites/waivers.yml:5:5" in ran.stdout
    assert "warning[SCH043]: the file is not read: waivers stand beside fleet.yml" in ran.stdout
    alone = CliRunner().invoke(validate_command, ["--no-cache", "sites/waivers.yml"], catch_exceptions=False)
    assert "SCH001" in alone.stdout
    assert "the site" not in alone.stdout


def test_every_code_is_in_the_reference() -> None:
    text = (DOCS / "reference" / "diagnostics.md").read_text("utf-8")
    assert [code for code, title in CODES.items() if f"| {code} | {title}" not in text] == []
