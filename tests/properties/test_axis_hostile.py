"""What a camera answers, and what a site declares of one, is data: it breaks nothing and gets in nowhere else."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import etree

from ivn_provision.drivers.axis import accounts, device_write, params, soap
from ivn_provision.drivers.axis.conditions import condition_of, declared
from ivn_provision.drivers.axis.device_live import profile_parameters, profile_text
from ivn_provision.drivers.axis.forms import Form
from ivn_provision.drivers.axis.naming import PREFIX, Owned, keyed_name, owned, salt_of
from ivn_provision.drivers.axis.objects import parse_added, parse_configurations, parse_rules
from ivn_provision.drivers.axis.rule_live import MAIL, addresses, addresses_text, text_parameter
from ivn_provision.drivers.axis.rule_write import add_configuration, add_rule, filled, remove, rule_of
from ivn_provision.errors import IvnError, ProtocolFault, Refused
from ivn_provision.model.resource import Value
from ivn_provision.secret import Secret
from ivn_provision.transports.vapix import Asked
from ivn_provision.transports.vapix_auth import challenges_of, chosen
from tests.support.axis_cases import CASES, CODECS, outcome, reply
from tests.support.axis_driver import REFERENCE, link_to

BODIES = [json.loads(each.read_text(encoding="utf-8"))["given"] for each in sorted(CASES.glob("*.json"))]
MARKS = "\"'<>&;%#=?/\\]]>`$ \n\r\t\x00\x1bé\u2028日"
TEXT = st.text(st.one_of(st.sampled_from(MARKS), st.characters(exclude_categories=["Cs"])), max_size=60)
LATIN = st.text(st.characters(max_codepoint=0xFF, exclude_categories=["Cc"]), max_size=60)
SLOTS = ("subject", "message", "email_to", "email_from", "host", "port", "login", "password", "encryption")


@st.composite
def spoiled(draw: st.DrawFn) -> dict[str, Any]:
    """An answer from the cases, cut or with something else in it, for any codec."""
    case = dict(draw(st.sampled_from(BODIES)))
    body = case["body"]
    at = draw(st.integers(0, len(body)))
    rest = draw(st.integers(at, len(body)))
    case["body"] = body[:at] + draw(TEXT) + body[rest:]
    case["charset"] = "utf-8"
    case["codec"] = draw(st.sampled_from([case["codec"], *CODECS]))
    return case


@given(spoiled())
@settings(max_examples=400)
def test_spoiled_answers_are_read_or_refused(case: dict[str, Any]) -> None:
    assert set(outcome(case)) in ({"read"}, {"error", "says"})


@given(st.binary(max_size=300), st.sampled_from(sorted(CODECS)), st.sampled_from([200, 400, 404]), TEXT)
@settings(max_examples=300)
def test_any_bytes_are_read_or_refused(body: bytes, codec: str, status: int, kind: str) -> None:
    said: list[str] = ["read", "so"]
    try:
        CODECS[codec](reply(body, status=status, content_type=kind))
    except IvnError as error:
        said = [error.summary, error.next_step]
    assert all(said)


@given(st.lists(TEXT, max_size=3))
@example(['Basic realm="a, b", Digest realm="x", nonce="y"'])
@example(['Digest realm="x", nonce="y", qop="auth-int"'])
def test_any_challenge_is_chosen_or_refused(headers: list[str]) -> None:
    found = challenges_of(headers)
    try:
        scheme = chosen(found, endpoint="e", encrypted=False, basic_over_http=False).scheme
    except IvnError:
        return
    assert scheme == "digest"


@given(st.lists(st.tuples(st.sampled_from(["A.B", "user", "pwd"]), TEXT), min_size=1, max_size=4))
def test_a_form_holds_what_was_put_in_and_no_more(pairs: list[tuple[str, str]]) -> None:
    form = Form(tuple((name, Secret(value, REFERENCE)) for name, value in pairs))
    try:
        body = form.post("/p").body or b""
    except Refused:
        return
    assert parse_qsl(body.decode("ascii"), keep_blank_values=True, encoding="iso-8859-1") == pairs


@given(LATIN, LATIN)
def test_parameters_and_accounts_hold_one_value_each(name: str, value: str) -> None:
    asked = params.update_form([("IOPort.I0.Input.Name", value)]).post(params.PATH)
    assert dict(_fields(asked)) == {"action": "update", "root.IOPort.I0.Input.Name": value}
    asked = accounts.add_form(name, Secret(value, REFERENCE), "viewer", ptz=False).post(accounts.PATH)
    assert dict(_fields(asked))["user"] == name
    assert dict(_fields(asked))["sgrp"] == "viewer"
    profile = _fields(device_write.add_profile(value, {"codec": "h264"}))
    assert dict(profile)["StreamProfile.S.Name"] == value


def _fields(asked: Asked) -> list[tuple[str, str]]:
    assert asked.target.isascii()
    assert "?" not in asked.target
    return parse_qsl((asked.body or b"").decode("ascii"), keep_blank_values=True, encoding="iso-8859-1")


@given(TEXT)
def test_stream_profiles_have_plain_values_only(value: str) -> None:
    try:
        found = device_write.profile_values({"resolution": value})
    except Refused:
        return
    assert profile_parameters(profile_text(found)) == {"resolution": value}


@given(TEXT)
def test_a_clock_server_is_one_parameter(value: str) -> None:
    try:
        pairs = device_write.clock_pairs({"ntp_server": value})
    except Refused:
        return
    assert value in {"", "dhcp"} or ("Time.NTP.Server", value) in pairs


@given(TEXT, TEXT, TEXT, TEXT)
def test_soap_holds_what_was_put_in_and_no_more(name: str, subject: str, message: str, password: str) -> None:
    fields: dict[str, Value] = {"mail.subject": subject, "mail.message": message, "mail.addresses": ("a@b",)}
    found = filled(SLOTS, fields, Secret(password, REFERENCE))
    try:
        asked = add_configuration("ActionConfiguration", name, MAIL, found.parameters)
    except Refused:
        return
    new = _operation(asked)[0]
    listed = soap.child(new, "Parameters")
    assert listed is not None
    given_back = {each.get("Name"): each.get("Value") for each in listed}
    assert list(given_back) == list(SLOTS)
    assert len(listed) == len(SLOTS)
    assert unquote(given_back["subject"] or "") == subject
    assert unquote(given_back["message"] or "") == message
    assert given_back["password"] == password
    assert (soap.full_text(soap.child(new, "Name"))).replace("\r", "\n") == name.replace("\r", "\n")


def _operation(asked: Asked) -> etree._Element:
    root = etree.fromstring(asked.body or b"")
    assert len(root) == len(root[0]) == 1
    return root[0][0]


@given(TEXT)
def test_ids_from_a_camera_stay_ids(number: str) -> None:
    try:
        asked = remove("ActionRule", number)
    except Refused:
        return
    (only,) = _operation(asked)
    assert soap.local(only) == "RuleID"
    assert len(only) == 0


CONDITIONS = st.builds(
    lambda what, number, state: f"{what} {number} {state}",
    st.sampled_from(["input", "virtual input"]),
    st.integers(1, 64),
    st.sampled_from(["active", "inactive"]),
) | st.sampled_from(["input any active", "input any inactive"])


@given(CONDITIONS, st.lists(CONDITIONS, max_size=4), st.integers(0, 10**6), st.booleans())
def test_a_rule_is_read_as_it_was_written(
    trigger: str, conditions: list[str], wait: int, enabled: bool
) -> None:
    fields: dict[str, Value] = {
        "trigger": trigger,
        "conditions": tuple(conditions),
        "wait_seconds": wait,
        "enabled": enabled,
    }
    rule = rule_of("A", fields, "7")
    new = _operation(add_rule(rule))[0]
    new.tag = f"{{{soap.ACTION}}}ActionRule"
    number = etree.Element(etree.QName(soap.ACTION, "RuleID"))
    number.text = "3"
    new.insert(0, number)
    response = soap.operation("GetActionRulesResponse")
    soap.below(response, "ActionRules").append(new)
    (found,) = parse_rules(reply(soap.envelope(response).body or b""))
    assert found.start is not None
    assert str(found.start) == trigger
    assert [str(each) for each in found.conditions] == conditions
    assert (found.wait, found.enabled, found.action) == (wait, enabled, "7")


@given(CONDITIONS)
def test_canonical_forms_are_fixed_points(text: str) -> None:
    condition = declared(text)
    again = condition_of(
        condition.topic + "//.", condition.filter, {"tns1": soap.TNS1, "tnsaxis": soap.TNSAXIS}
    )
    assert str(again) == text
    assert again == condition


@given(TEXT, TEXT)
def test_filters_that_are_no_names_are_kept_to_the_letter(topic: str, content: str) -> None:
    condition = condition_of(topic, content, {})
    assert condition.pairs is not None or condition.filter == content.strip()


@given(TEXT)
def test_texts_of_mails_come_back(text: str) -> None:
    assert unquote(text_parameter(text)) == text


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Z", "C"], exclude_characters=",;"), min_size=1), max_size=5
    )
)
def test_addresses_come_back(found: list[str]) -> None:
    assert addresses(addresses_text(tuple(found))) == tuple(found)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="#"), min_size=1), TEXT)
def test_our_names_are_known_again_and_tell_no_password(key: str, password: str) -> None:
    salt = salt_of(Secret("account", REFERENCE), "00408C123456")
    name = keyed_name(key, salt, Secret(password, REFERENCE))
    known = owned(name)
    assert known is not None
    assert (known.key, len(known.print)) == (key, 32)
    assert owned(keyed_name(key, salt, None)) == Owned(key)
    assert owned(key) is None or key.startswith(PREFIX)


@given(TEXT, st.integers(1, 65535))
@example("a@b", 80)
@example("a/../b", 80)
@example("[::1]", 80)
def test_a_host_is_a_host_or_refused(host: str, port: int) -> None:
    try:
        link = link_to(host, port, "x")
    except Refused:
        return
    parts = urlsplit(f"http://{link.endpoint}")
    assert (parts.port, parts.path, parts.query, parts.username) == (port, "", "", None)


SECRET = "S3cr&t<%41>'\"é"


@pytest.mark.parametrize("read", ["param", "configuration"])
def test_no_secret_is_in_what_was_read(read: str) -> None:
    if read == "param":
        known = params.parse_list(reply(f"root.SMTP.Authentication.A1.Password={SECRET}\n".encode("latin-1")))
        assert SECRET not in repr(known)
        return
    response = soap.operation("GetActionConfigurationsResponse")
    one = soap.below(soap.below(response, "ActionConfigurations"), "ActionConfiguration")
    for name, text in (("ConfigurationID", "1"), ("Name", "A"), ("TemplateToken", MAIL)):
        soap.below(one, name, text)
    parameter = soap.below(soap.below(one, "Parameters"), "Parameter")
    soap.attribute(parameter, "Name", "password")
    soap.attribute(parameter, "Value", SECRET)
    found = parse_configurations(reply(soap.envelope(response).body or b""), "ActionConfiguration")
    assert SECRET not in repr(found)


def test_no_secret_is_in_what_is_shown_of_a_request() -> None:
    secret = Secret(SECRET, REFERENCE)
    form = accounts.add_form("guard", secret, "viewer", ptz=False)
    parameters = filled(SLOTS, {}, secret)
    asked = add_configuration("ActionConfiguration", "A", MAIL, parameters.parameters)
    link = link_to("127.0.0.1", 80, SECRET)
    for each in (form, form.post(accounts.PATH), parameters, asked, link):
        assert "S3cr" not in repr(each)


def test_a_camera_that_repeats_a_password_gets_no_word_of_it_out() -> None:
    page = f"<html><body>Error: invalid password {SECRET}.\n</body></html>".encode("latin-1")
    with pytest.raises(Refused) as refusal:
        accounts.check_done(reply(page, content_type="text/html"), "guard", (SECRET,))
    assert "S3cr" not in repr(refusal.value) + refusal.value.summary


LONG = 1_000_000


@pytest.mark.parametrize(
    ("codec", "body"),
    [
        ("account done", "Created account " * (LONG // 16)),
        ("account done", f"Created account {'a' * LONG}"),
        ("added", "a" * LONG),
        ("added", "1" * LONG),
        ("accounts", f'digusers="{"a," * (LONG // 4)}"\nadmin="{"b," * (LONG // 4)}"\n'),
    ],
)
def test_long_answers_that_say_nothing_are_refused_at_once(codec: str, body: str) -> None:
    """What takes time with the square of its length would take hours: the test's own deadline."""
    with pytest.raises(ProtocolFault):
        CODECS[codec](reply(body.encode()))


def test_a_long_topic_is_read_at_once() -> None:
    assert condition_of("a:B" + "//. " * LONG, "", {}).topic == "a:B"


@pytest.mark.parametrize("where", ["reason", "detail", "name"])
def test_a_fault_that_repeats_a_password_gets_no_word_of_it_out(where: str) -> None:
    password = "S3cret-Parameter.9"
    said = {"reason": "no", "detail": "no", "name": "aa:InvalidFault", where: password}
    tag = "s:Text" if where == "detail" else said["name"]
    body = (
        f'<s:Envelope xmlns:s="{soap.ENVELOPE}" xmlns:aa="{soap.ACTION}"><s:Body><s:Fault>'
        f"<s:Reason><s:Text>cannot set {said['reason']}</s:Text></s:Reason>"
        f"<s:Detail><{tag}>{said['detail']}</{tag}></s:Detail></s:Fault></s:Body></s:Envelope>"
    )
    answer = reply(body.encode(), status=400, content_type="application/soap+xml")
    with pytest.raises(Refused) as refusal:
        parse_added(answer, "AddActionConfiguration", "ConfigurationID", [password])
    assert password not in f"{refusal.value!r} {refusal.value.summary} {refusal.value.__dict__}"
