"""Whatever form a server repeats a secret in, nothing that it says shows it."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ivn_provision.secret import MASK
from ivn_provision.transports.masking import LIMIT, said

SECRETS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x2FFF), min_size=6, max_size=30)
FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "URL": lambda s: quote(s, safe=""),
    "URL, small": lambda s: quote(s, safe="").lower(),
    "URL twice": lambda s: quote(quote(s, safe=""), safe=""),
    "plus": quote_plus,
    "form": lambda s: urlencode({"client_secret": s}),
    "JSON": json.dumps,
    "JSON, as it is": lambda s: json.dumps(s, ensure_ascii=False),
    "JSON of JSON": lambda s: json.dumps(json.dumps({"password": s})),
    "JSON of a form": lambda s: json.dumps(urlencode({"p": s})),
    "HTML": escape,
    "Python": repr,
}


@pytest.mark.parametrize("name", FORMS)
@given(secret=SECRETS, before=st.text(max_size=320), after=st.text(max_size=20))
def test_no_form_of_a_secret_is_said(name: str, secret: str, before: str, after: str) -> None:
    assume(secret.strip() and secret not in before + after and secret.lower() not in MASK)
    form = FORMS[name](secret)
    text = said(f"{before} {form} {after}", [secret, ""])
    assert len(text) <= LIMIT + 3
    if secret == " ".join(secret.split()):
        assert secret not in text
    if len(form) > 8 and form not in before + after:
        assert form not in text


@pytest.mark.parametrize("secret", ["t", "sensitive", "value", "(", " ", "."])
def test_a_secret_that_is_part_of_the_mask_does_not_withhold_the_rest(secret: str) -> None:
    assert said("Hello", [secret]) == "Hello"
    assert MASK in said(f"x{secret}x", [secret])


@pytest.mark.parametrize("value", [None, 5, ["a"], {"a": "b"}, b"a", "a" * 20_001])
def test_only_text_is_said(value: object) -> None:
    assert said(value, []) == ""


def test_what_is_said_is_quick_to_mask() -> None:
    text = "%25" * 6000
    assert said(text, ["secret"] * 5).startswith("%25")
