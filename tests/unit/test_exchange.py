"""What the agent's verb `exchange` is asked, and what its answers mean."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivn_provision.drivers.xprotect_e.exchange import Line, exchange_step, replies
from ivn_provision.errors import ProtocolFault, Refused, TargetError
from ivn_provision.lab.nvr.agent_emulation import answer
from ivn_provision.secret import Secret, SecretRef
from tests.support.tcp_plays import PICTURE, PLAYS, served
from tests.unit.test_lab_agent_cases import machine

CASES = Path(__file__).parents[1] / "cases" / "agent"
END = b"\r\n\r\n"
PASSWORD = Secret("p\u00e4<\U0001f6001", SecretRef("env", "X"))
LOGIN = (
    b"<methodcall><methodname>connect</methodname><username>ivnview</username>"
    b"<password>{{password}}</password><cameraid>1</cameraid></methodcall>" + END
)
LIVE = Line(
    b"<methodcall><methodname>live</methodname></methodcall>" + END, END, 100_000, "Content-Length", 4, b"<"
)


def answers(name: str) -> list[Any]:
    found = json.loads((CASES / f"{name}.json").read_text())["reply"]["always"]
    assert isinstance(found, list)
    return found


def test_a_step_has_its_secrets_apart() -> None:
    step = exchange_step(80, [[Line(LOGIN, END)], [LIVE]], 5, secrets={"password": PASSWORD})
    assert step["secrets"] == {"password": PASSWORD.reveal()}
    assert [len(each) for each in step["connections"]] == [1, 1]
    assert base64.b64decode(step["connections"][0][0]["send"]) == LOGIN
    assert step["connections"][1][0]["then_header"] == "Content-Length"
    assert exchange_step(80, [], 5)["secrets"] == {}


def test_the_image_server_shows_a_picture(tmp_path: Path) -> None:
    with served(PLAYS) as ports:
        step = exchange_step(
            ports["IMAGES"], [[Line(LOGIN, END), LIVE]] * 2, 5, secrets={"password": PASSWORD}
        )
        request = {"protocol": 1, "marker": "M" * 16, "steps": [step]}
        _, reply = answer(json.dumps(request), machine(tmp_path, {}), agent="1.3.0")
    found = replies(json.loads(reply)["steps"][0])
    assert [each.ok for each in found] == [True, True]
    assert b"<connected>yes<" in found[0].replies[0].head
    assert [each.replies[1].body for each in found] == [PICTURE, PICTURE]


def test_a_connection_that_broke_keeps_what_came_before() -> None:
    broken = replies(answers("exchange-broken-lines")[2])[1]
    assert (broken.ok, broken.error, len(broken.replies)) == (False, "the server closed the line", 1)
    refused = replies(answers("exchange-broken-lines")[0])
    assert [(each.error, each.replies) for each in refused] == [("connection refused", ())] * 2


def test_a_body_that_was_not_kept_has_its_size() -> None:
    (_, live, _) = replies(answers("exchange")[0])[0].replies
    assert (live.body, live.body_size) == (b"", len(PICTURE))


def test_a_refused_step_is_an_error() -> None:
    with pytest.raises(Refused, match="bad arguments"):
        replies(answers("exchange-arguments")[0])
    with pytest.raises(Refused, match="larger than 16777216 bytes"):
        replies(answers("exchange-too-large")[0])


GOOD = {
    "head": "",
    "body": "YQ==",
    "body_size": 1,
    "body_sha256": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
}


@pytest.mark.parametrize(
    "change",
    [
        {"connections": None},
        {"connections": [{"ok": True, "error": "x", "replies": []}]},
        {"connections": [{"ok": False, "error": "", "replies": []}]},
        {"connections": [{"ok": True, "error": "", "replies": [{**GOOD, "head": "?"}]}]},
        {"connections": [{"ok": True, "error": "", "replies": [{**GOOD, "body": "Yg=="}]}]},
        {"connections": [{"ok": True, "error": "", "replies": [{**GOOD, "body_size": 2}]}]},
        {"connections": [{"ok": True, "error": "", "replies": [{**GOOD, "body_sha256": "0"}]}]},
    ],
)
def test_another_shape_is_a_fault(change: dict[str, Any]) -> None:
    with pytest.raises(ProtocolFault, match="a port of the recorder is off"):
        replies({"verb": "exchange", "ok": True, **change})


def test_a_good_reply_is_taken() -> None:
    (found,) = replies({"ok": True, "connections": [{"ok": True, "error": "", "replies": [GOOD]}]})
    assert found.replies[0].body == b"a"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from([*GOOD, "ok", "error", "replies"]), inner)
    ),
    max_leaves=10,
)


@given(JSON)
def test_no_answer_breaks_it(connections: object) -> None:
    try:
        replies({"ok": True, "connections": connections})
    except TargetError:
        return
