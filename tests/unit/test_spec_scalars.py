"""YAML 1.2 scalars, compared with what YAML 1.1 (PyYAML's own resolver) makes of them."""

from __future__ import annotations

import pytest
import yaml

from ivn_provision.spec.scalars import Surprise, resolve_plain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("0", 0),
        ("-12", -12),
        ("+7", 7),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        (".5", 0.5),
        ("80.0", 80),
        ("1.0e+2", 100),
        ("word", "word"),
        ("192.168.10.52", "192.168.10.52"),
        ("1280x800", "1280x800"),
        ("00:40:8C:12:34:56", "00:40:8C:12:34:56"),
        ("-", "-"),
        ("2H", "2H"),
        ("nope", "nope"),
    ],
)
def test_values(text: str, value: object) -> None:
    found = resolve_plain(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["yes", "Yes", "NO", "on", "Off", "y", "N"])
def test_words_that_are_booleans_in_yaml_1_1(text: str) -> None:
    found = resolve_plain(text)
    assert isinstance(found, Surprise)
    assert found.code == "YML013"


@pytest.mark.parametrize(
    "text",
    ["0123", "-07", "1:30", "18:00:00", "1_000", "1_0.5", "0b11", "+0x1F", "1e3", "1.0e5", "2024-01-31"],
)
def test_numbers_that_differ_between_versions(text: str) -> None:
    found = resolve_plain(text)
    assert isinstance(found, Surprise)
    assert found.code == "YML014"
    assert text in found.summary


@pytest.mark.parametrize(
    "text", ["9" * 19, "9" * 10_000, "1.0e+999", ".inf", "-.INF", ".nan", "0x" + "f" * 30]
)
def test_numbers_out_of_range(text: str) -> None:
    found = resolve_plain(text)
    assert isinstance(found, Surprise)
    assert found.code == "YML019"
    assert len(found.summary) < 100


@pytest.mark.parametrize(
    "text", ["abc", "12", "1.25", "true", "null", "10.0.0.1", "a:b", "x_1", "-5", "<", "12:ab"]
)
def test_what_passes_means_the_same_in_yaml_1_1(text: str) -> None:
    assert resolve_plain(text) == yaml.safe_load(text)
