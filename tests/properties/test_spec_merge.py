"""The merge of levels is associative, whatever the levels hold."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ivn_provision.spec.merge import merge
from ivn_provision.spec.nodes import Node
from ivn_provision.spec.source import Source
from ivn_provision.spec.yaml_nodes import parse

_FROM = parse("x", Source("x", "x")).root
assert _FROM is not None
MARK = _FROM.start

scalars = st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.sampled_from(["a", "b"]))
items = st.dictionaries(st.sampled_from(["number", "pin", "source", "name", "label"]), scalars, max_size=4)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(items, max_size=4),
        st.dictionaries(st.sampled_from(["users", "pins", "x", "y"]), inner, max_size=3),
    ),
    max_leaves=8,
)
documents = st.dictionaries(
    st.sampled_from(["cameras", "hardware_events", "generic_events", "alarms", "nvr", "portal", "x"]),
    values,
    max_size=5,
)


def tree(value: Any, level: str) -> Node:
    if isinstance(value, dict):
        content: Any = {key: tree(each, level) for key, each in value.items()}
    elif isinstance(value, list):
        content = [tree(each, level) for each in value]
    else:
        content = value
    return Node(content, MARK, MARK, None, Source(level, level))


def snapshot(node: Node) -> Any:
    """Everything that can be seen of a tree: values, order, levels and history."""
    history = [(each.source.level, each.reset if each is node else None) for each in node.levels()]
    value = node.value
    if isinstance(value, dict):
        return history, [(key, snapshot(each)) for key, each in value.items()]
    if isinstance(value, list):
        return history, [snapshot(each) for each in value]
    return history, type(value), value


@settings(max_examples=100, deadline=None)
@given(documents, documents, documents)
def test_merge_is_associative(fleet: Any, group: Any, site: Any) -> None:
    a, b, c = tree(fleet, "fleet"), tree(group, "group g"), tree(site, "site")
    assert snapshot(merge(merge(a, b), c)) == snapshot(merge(a, merge(b, c)))


@settings(max_examples=30, deadline=None)
@given(documents, documents)
def test_merge_changes_neither_side(lower: Any, upper: Any) -> None:
    a, b = tree(lower, "fleet"), tree(upper, "site")
    before = snapshot(a), snapshot(b)
    merge(a, b)
    assert (snapshot(a), snapshot(b)) == before


@settings(max_examples=30, deadline=None)
@given(documents)
def test_a_level_over_nothing_is_itself(document: Any) -> None:
    merged = merge(tree({}, "fleet"), tree(document, "site"))
    alone = tree(document, "site")
    assert isinstance(merged.value, dict)
    assert isinstance(alone.value, dict)
    assert {k: snapshot(v) for k, v in merged.value.items()} == {
        k: snapshot(v) for k, v in alone.value.items()
    }
