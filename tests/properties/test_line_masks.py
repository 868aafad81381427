"""No value of an unknown key is shown, however a document is written: in any style, width and indentation."""

from __future__ import annotations

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ivn_provision.report.line_masks import masked
from ivn_provision.spec.secret_keys import SECRET_KEYS, known_keys

KNOWN = st.sampled_from(sorted(known_keys() - SECRET_KEYS - {"labels"}))
UNKNOWN = st.sampled_from(["pw", "frob", "password", "x y"])
SIGNS = "ab :#'\"[]{},-\n@"
HARMLESS = st.text(alphabet=SIGNS, max_size=25) | st.integers()
PASSWORDS = st.lists(st.text(alphabet=SIGNS, max_size=12), min_size=1, max_size=4).map(
    lambda parts: "hunter" + " hunter ".join(parts)
)
HIDDEN = st.recursive(
    PASSWORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KNOWN, inner, max_size=3),
    max_leaves=4,
)
DOCUMENTS = st.recursive(
    HARMLESS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(
            st.dictionaries(KNOWN, inner, max_size=2),
            st.dictionaries(UNKNOWN, HIDDEN, max_size=2),
            st.dictionaries(KNOWN, inner, max_size=2),
        ).map(lambda maps: {key: value for each in maps for key, value in each.items()})
    ),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(
    document=DOCUMENTS,
    flow=st.sampled_from([True, False, None]),
    style=st.sampled_from([None, '"', "'", "|", ">"]),
    width=st.sampled_from([20, 40, 80]),
    indent=st.integers(2, 6),
)
def test_no_line_shows_a_hidden_value(
    document: object, flow: bool | None, style: str | None, width: int, indent: int
) -> None:
    text = yaml.dump(
        document, default_flow_style=flow, default_style=style, width=width, indent=indent, sort_keys=False
    )
    assert "hunter" not in "".join(masked(text.split("\n")))
