"""Secret references: what they resolve to and how they fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivn_provision.errors import SecretError
from ivn_provision.secret import SecretRef
from ivn_provision.spec.scalars import Surprise
from ivn_provision.spec.secrets import resolve
from ivn_provision.spec.tags import parse_secret


def test_env() -> None:
    secret = resolve(SecretRef("env", "X"), {"X": "hunter2\n"})
    assert secret.reveal() == "hunter2\n"
    assert "hunter2" not in repr(secret)


@pytest.mark.parametrize("env", [{}, {"X": ""}])
def test_env_not_there(env: dict[str, str]) -> None:
    with pytest.raises(SecretError, match=r"!secret env:X") as problem:
        resolve(SecretRef("env", "X"), env)
    assert "X" in problem.value.next_step


@pytest.mark.parametrize(
    ("content", "value"), [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a ", " a ")]
)
def test_file_loses_one_line_end(tmp_path: Path, content: str, value: str) -> None:
    (tmp_path / "s").write_bytes(content.encode())
    assert resolve(SecretRef("file", "s", str(tmp_path)), {}).reveal() == value
    assert resolve(SecretRef("file", str(tmp_path / "s"), "/elsewhere"), {}).reveal() == value


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * 65_537, b"\xff\xfe"])
def test_file_that_holds_no_password(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s").write_bytes(content)
    with pytest.raises(SecretError, match="!secret file:s"):
        resolve(SecretRef("file", "s", str(tmp_path)), {})


@pytest.mark.parametrize("name", ["nothing", ".", "nul\x00"])
def test_file_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(SecretError) as problem:
        resolve(SecretRef("file", name, str(tmp_path)), {})
    assert problem.value.next_step


def test_keyring_without_a_desktop(monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring
    from keyring.backends import fail

    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())  # type: ignore[no-untyped-call]
    try:
        with pytest.raises(SecretError, match="no keyring") as problem:
            resolve(SecretRef("keyring", "service/user"), {})
    finally:
        keyring.set_keyring(before)
    assert "!secret env:" in problem.value.next_step


@pytest.mark.parametrize(
    "text", ["hunter2", "", "env", "env:", "env:1X", "env:A B", "file:", "keyring:a", "keyring:/b", "x:y"]
)
def test_malformed_references_never_show_their_text(text: str) -> None:
    found = parse_secret(text, "")
    assert isinstance(found, Surprise)
    assert found.code == "SCH022"
    assert "hunter2" not in found.summary + found.hint


@pytest.mark.parametrize("text", ["env:_X1", "file:a/b c", "file:/x", "keyring:a b/c@d/e"])
def test_references_print_as_written(text: str) -> None:
    assert str(parse_secret(text, "")) == f"!secret {text}"
