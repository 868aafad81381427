"""Snapshots: lossless but for secrets, kept once, verified whole, and written again where damaged."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivn_provision.errors import StateError
from ivn_provision.model.resource import UNSET, Address, LiveRef, Value
from ivn_provision.plan.plan import SitePlan
from ivn_provision.plan.values_json import Masked
from ivn_provision.run.journal_lines import canonical
from ivn_provision.run.snapshot_values import KeyedHash, from_json, keyed, to_json
from ivn_provision.run.snapshots import keep, load, snapshots_of
from ivn_provision.run.state import StateFolder
from ivn_provision.secret import Fingerprint, Secret, SecretRef
from ivn_provision.spec.values import Computed

AT, RUN = "2026-11-24T10:15:00Z", "20261124T101500Z-1a2b3c4d"
CAMERA = Address("harbor", "nvr", "camera", "10")
EVENT = Address("harbor", "nvr", "generic_event", "Ünï / côde")
MAIL = Address("harbor", "nvr", "mail_server")
PASSWORD = "hunter2-Really-Secret"
DIGEST = "f" * 64
LIVE: Mapping[Address, Mapping[str, Value]] = {
    CAMERA: {"label": "Gate \x1b \u2028 \ud800", "enabled": True, "clip.pre": 3, "fps": 12.5, "note": None},
    EVENT: {"match": "2 S", "gone": UNSET, "camera": LiveRef("{guid}", with_kind=True), "empty": ()},
    MAIL: {
        "password": Fingerprint("salt", DIGEST),
        "recipients": ("a@b.example", Computed("portal.smtp_to")),
        "user": Computed("portal.smtp_account_id"),
    },
}


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    return StateFolder(tmp_path / ".ivn")


def plan(live: Mapping[Address, Mapping[str, Value]] = LIVE, site: str = "harbor") -> SitePlan:
    return SitePlan(site, live=live)


def object_of(state: StateFolder, text: str) -> Path:
    """The file of the object that holds a text."""
    files = [each for each in (state.path / "objects").rglob("*") if each.is_file()]
    return next(each for each in files if text in each.read_text())


def test_everything_comes_back_but_secrets(state: StateFolder) -> None:
    name = keep(state, plan(), RUN, AT)
    found = load(state, name)
    assert (found.id, found.site, found.at, found.run) == (name, "harbor", AT, RUN)
    assert found.resources[CAMERA] == LIVE[CAMERA]
    assert found.resources[EVENT] == LIVE[EVENT]
    mail = found.resources[MAIL]
    assert isinstance(mail["password"], KeyedHash)
    assert {**mail, "password": None} == {**LIVE[MAIL], "password": None}
    assert isinstance(found.resources[CAMERA]["enabled"], bool)


def test_the_same_fingerprint_has_the_same_hash_and_another_key_another(
    state: StateFolder, tmp_path: Path
) -> None:
    one = keyed(state, Fingerprint("salt", DIGEST))
    assert one == keyed(state, Fingerprint("salt", DIGEST))
    assert one != keyed(state, Fingerprint("salt", "e" * 64))
    assert one != keyed(StateFolder(tmp_path / "other"), Fingerprint("salt", DIGEST))
    assert keyed(state, one) == one


def test_no_secret_reaches_a_file(state: StateFolder) -> None:
    secrets: dict[str, Value] = {
        "a": Secret(PASSWORD, SecretRef("env", "MAIL_PASSWORD")),
        "b": SecretRef("file", "mail.txt", "/home/jane/sites"),
        "c": Fingerprint("the-salt", DIGEST),
        "d": Masked("(sensitive value)"),
    }
    load(state, keep(state, plan({MAIL: secrets}), RUN, AT))
    written = b"".join(each.read_bytes() for each in state.path.rglob("*") if each.is_file())
    for hidden in (PASSWORD, "the-salt", DIGEST, "/home/jane"):
        assert hidden.encode() not in written
    assert b"!secret env:MAIL_PASSWORD" in written
    assert b"!secret file:mail.txt" in written


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.just(UNSET),
    st.builds(Computed, st.text()),
    st.builds(LiveRef, st.text(), with_kind=st.booleans()),
)
values = st.one_of(scalars, st.lists(st.one_of(st.text(), st.builds(Computed, st.text()))).map(tuple))


@given(value=values)
def test_every_value_round_trips(value: Value) -> None:
    found = from_json(to_json(StateFolder(Path("unused"), b"key"), value))
    assert found == value
    assert type(found) is type(value)


def test_what_is_the_same_is_kept_once(state: StateFolder) -> None:
    first = keep(state, plan(), RUN, AT)
    before = {each: each.stat().st_mtime_ns for each in state.path.rglob("*") if each.is_file()}
    assert keep(state, plan(), "20261125T000000Z-00000000", "2026-11-25T00:00:00Z") == first
    assert {each: each.stat().st_mtime_ns for each in state.path.rglob("*") if each.is_file()} == before
    second = keep(state, plan({**LIVE, CAMERA: {"label": "Yard"}}), RUN, AT)
    assert second != first
    new = {each for each in state.path.rglob("*") if each.is_file()} - before.keys()
    assert len(new) == 2  # the camera and the list of objects


def test_the_newest_comes_first_and_other_sites_are_left_out(state: StateFolder) -> None:
    old = keep(state, plan(), RUN, AT)
    new = keep(state, plan({CAMERA: {"label": "Yard"}}), RUN, "2026-11-25T00:00:00Z")
    keep(state, plan({}, "marina"), RUN, AT)
    assert [each.id for each in snapshots_of(state, "harbor")] == [new, old]
    assert snapshots_of(state, "nowhere") == ()


def test_only_the_owner_may_read(state: StateFolder) -> None:
    before = os.umask(0)
    try:
        keep(state, plan(), RUN, AT)
    finally:
        os.umask(before)
    for path in [state.path, *state.path.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def damages() -> dict[str, bytes]:
    return {"empty": b"", "not JSON": b"{", "not UTF-8": b"\xff\xfe", "deep": b"[" * 100_000, "other": b"{}"}


@pytest.mark.parametrize("name", damages())
@pytest.mark.parametrize("what", ["snapshot", "object"])
def test_a_damaged_file_is_an_error_and_is_written_again(state: StateFolder, name: str, what: str) -> None:
    snap = keep(state, plan(), RUN, AT)
    path = state.path / "snapshots" / f"{snap}.json" if what == "snapshot" else object_of(state, "2 S")
    path.write_bytes(damages()[name])
    with pytest.raises(StateError, match=f"{snap} is damaged") as caught:
        load(state, snap)
    assert caught.value.where == str(path)
    assert caught.value.next_step
    assert keep(state, plan(), RUN, AT) == snap
    assert load(state, snap).resources[CAMERA] == LIVE[CAMERA]


@pytest.mark.parametrize("how", ["pipe", "symlink", "folder", "missing"])
def test_an_object_that_is_no_file_of_ours(state: StateFolder, tmp_path: Path, how: str) -> None:
    snap = keep(state, plan(), RUN, AT)
    path = object_of(state, "2 S")
    (tmp_path / "copy").write_bytes(path.read_bytes())
    path.unlink()
    if how == "pipe":
        os.mkfifo(path)
    elif how == "symlink":
        path.symlink_to(tmp_path / "copy")
    elif how == "folder":
        path.mkdir()
    with pytest.raises(StateError) as caught:
        load(state, snap)
    assert str(path) in caught.value.where


def test_an_edit_is_found(state: StateFolder) -> None:
    snap = keep(state, plan(), RUN, AT)
    path = state.path / "snapshots" / f"{snap}.json"
    content = path.read_bytes()
    for old, new in (
        (b'"harbor"', b'"marina"'),
        (AT.encode(), b"2020-01-01T00:00:00Z"),
        (b'"mac":"', b'"mac":"0'),
    ):
        assert old in content
        path.write_bytes(content.replace(old, new, 1))
        with pytest.raises(StateError, match="damaged or was edited"):
            load(state, snap)


def test_a_snapshot_under_another_name_or_key_is_refused(state: StateFolder) -> None:
    snap = keep(state, plan(), RUN, AT)
    path = state.path / "snapshots" / f"{snap}.json"
    path.with_name("snap-000000000000.json").write_bytes(path.read_bytes())
    with pytest.raises(StateError, match="snap-000000000000 is damaged"):
        load(state, "snap-000000000000")
    (state.path / "key").write_text("ab" * 32)
    with pytest.raises(StateError, match="damaged or was edited"):
        load(state, snap)


def test_a_snapshot_of_a_later_format_is_refused(state: StateFolder) -> None:
    """Sealed by us, but in a form that this version does not know."""
    import hashlib

    content = {"format": 2, "site": "harbor", "objects": {}}
    name = f"snap-{hashlib.sha256(canonical(content).encode()).hexdigest()[:12]}"
    document = {**content, "at": AT, "run": RUN}
    text = canonical({**document, "mac": state.seal(canonical(document))})
    state.write(state.folder("snapshots") / f"{name}.json", text.encode())
    with pytest.raises(StateError):
        load(state, name)


@pytest.mark.parametrize("name", ["../key", "snap-", "", "snap-0123456789abc", "snap-../../../x", "\x00"])
def test_a_name_that_is_none(state: StateFolder, name: str) -> None:
    with pytest.raises(StateError, match="no id of a snapshot"):
        load(state, name)


def test_one_that_is_not_there(state: StateFolder) -> None:
    with pytest.raises(StateError, match="there is no snapshot"):
        load(state, "snap-0123456789ab")
    assert snapshots_of(state, "harbor") == ()
    assert not state.path.exists()


def test_no_temporary_file_stays_where_a_write_fails(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.key()

    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(StateError, match="No space left"):
        keep(state, plan(), RUN, AT)
    assert [each.name for each in state.path.rglob("*") if each.is_file()] == ["key"]
