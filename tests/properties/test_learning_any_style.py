"""Whatever the style of a store: what is learned reads back what was set, and the rest has a reason."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ivn_provision.drivers.xprotect_e.edit import splices_for
from ivn_provision.drivers.xprotect_e.learning.explain import TYPES
from ivn_provision.drivers.xprotect_e.learning.findings import KindFinding
from ivn_provision.drivers.xprotect_e.learning.layout_out import render
from ivn_provision.drivers.xprotect_e.learning.objects import Spot, named
from ivn_provision.drivers.xprotect_e.learning.passes import SINGLE, Pass, Value
from ivn_provision.drivers.xprotect_e.learning.structure import Leaves, leaves, tree
from ivn_provision.drivers.xprotect_e.store import Store
from ivn_provision.drivers.xprotect_e.xml_document import parse
from ivn_provision.drivers.xprotect_e.xml_edit import apply_splices
from ivn_provision.model.resource import Address
from ivn_provision.plan.plan import Action, Change, Work
from tests.support.learned_store import FILE, Product, Style, session
from tests.unit.test_learning import HEADING, KINDS, layout_of, learn, read_back

FIELDS = sorted({name for fields in TYPES.values() for name in fields})
WORDS = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["Cc", "Cs", "Zs"]),
    min_size=1,
    max_size=8,
)
CHOICES = {
    "rule": ("match", "search"),
    "edge": ("rising", "falling"),
    "security": ("none", "starttls", "tls"),
    "record": ("all", "none"),
}


@st.composite
def styles(draw: st.DrawFn) -> Style:
    words = {
        name: dict(
            zip(
                values,
                draw(st.lists(WORDS, min_size=len(values), max_size=len(values), unique=True)),
                strict=True,
            )
        )
        for name, values in CHOICES.items()
    }
    yes, no = draw(st.lists(WORDS, min_size=2, max_size=2, unique=True))
    attributes = draw(st.frozensets(st.sampled_from(FIELDS)))
    return Style(
        attributes=attributes,
        words=words,
        yes=yes,
        no=no,
        id_path=draw(st.sampled_from(["Guid", "@id", "Inner/Key", "@Nr"])),
        id_form=draw(st.sampled_from(["guid", "guid_upper", "guid_braces", "next_number"])),
        separator=draw(st.sampled_from([";", ",", "; ", ", ", "|"])),
        nested=draw(st.frozensets(st.sampled_from(FIELDS))) - attributes,
        reference_form=draw(st.sampled_from(["guid", "guid_upper", "guid_braces"])),
        reference_by=draw(st.sampled_from(["handle", "name"])),
        constants=draw(st.dictionaries(st.sampled_from(["Protocol", "@schema", "Sms"]), WORDS)),
        encoding=draw(st.sampled_from(["utf-8", "utf-16"])),
    )


@settings(max_examples=20, deadline=None)
@given(style=styles(), kind=st.sampled_from(KINDS), before=st.integers(0, 2))
def test_any_style_is_learned_whole_and_reads_back(style: Style, kind: str, before: int) -> None:
    made = session(kind, Product(style), before=before)
    finding = learn(kind, made)
    assert set(finding.unlearned) <= {"password"}, finding.unlearned
    read_back(layout_of(render(HEADING, finding)), kind, made)


@settings(max_examples=20, deadline=None)
@given(
    style=styles(),
    kind=st.sampled_from([kind for kind in KINDS if kind not in SINGLE]),
    twice=st.frozensets(st.sampled_from(FIELDS), min_size=1),
)
def test_what_stands_twice_is_never_managed(style: Style, kind: str, twice: frozenset[str]) -> None:
    both = Style(**{**{name: getattr(style, name) for name in Style.__dataclass_fields__}, "twice": twice})
    finding = learn(kind, session(kind, Product(both)))
    doubled = set(TYPES[kind]) & twice
    assert not doubled & set(finding.learned)
    assert bool(finding.by_hand) == bool(doubled)
    layout_of(render(HEADING, finding))


@settings(max_examples=20, deadline=None)
@given(style=styles(), rule=st.sampled_from(["match", "search"]), email=st.booleans(), enabled=st.booleans())
def test_what_the_tool_makes_is_what_the_product_would_have_made(
    style: Style, rule: str, email: bool, enabled: bool
) -> None:
    """An object made by the learned layout differs from the product's own in its identifier only."""
    product = Product(style)
    made = session("generic_event", product)
    finding = learn("generic_event", made)
    layout = layout_of(render(HEADING, finding))
    fields: dict[str, Value] = {
        "name": "2 S",
        "match": "2 S",
        "rule": rule,
        "email": email,
        "enabled": enabled,
    }
    before = Store.of({FILE: parse(product.raw(), path=FILE)})
    address = Address("harbor", "nvr", "generic_event", "2")
    work = Work((Change(address, Action.CREATE, ()),), {address: fields}, {})
    splices = splices_for(before, layout, work)
    ours = made_object(apply_splices(product.raw(), splices[FILE]), finding)
    product.do(Pass("add", "add", "generic_event", "mine", "2 S", fields))
    theirs = made_object(product.raw(), finding)
    identifiers = set(finding.ids)
    assert {path: text for path, text in ours.items() if path not in identifiers} == {
        path: text for path, text in theirs.items() if path not in identifiers
    }


def made_object(raw: bytes, finding: KindFinding) -> Leaves:
    node = named(tree(raw, FILE), Spot(FILE, finding.items, finding.name), "2 S")
    assert node is not None
    return leaves(node)
