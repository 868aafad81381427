"""The action and event services of the lab's cameras (facts/axis.md, 5 and 13.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lxml import etree

from ivn_provision.lab.camera.profile import PROFILES
from ivn_provision.lab.lab import Lab
from tests.support.axis_camera import (
    CONCRETE,
    MAIL,
    PORT_TOPIC,
    SPACES,
    axis_lab,
    camera_of,
    conditions,
    configuration,
    event,
    port_filter,
    recipient,
    removal,
    rule,
    slots,
    vapix,
)


@pytest.fixture(params=PROFILES)
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    with axis_lab(tmp_path, str(request.param)) as lab:
        yield lab


@pytest.fixture
def newest(tmp_path: Path) -> Iterator[Lab]:
    with axis_lab(tmp_path, "12.9") as lab:
        yield lab


def text(element: etree._Element, path: str) -> str | None:
    return element.findtext("/".join(f"a:{step}" for step in path.split("/")), namespaces=SPACES)


def pairs(element: etree._Element) -> dict[str | None, str | None]:
    return {
        each.get("Name"): each.get("Value") for each in element.findall("a:Parameters/a:Parameter", SPACES)
    }


def test_templates_tell_their_slots(lab: Lab) -> None:
    with vapix(lab) as client:
        actions = {text(each, "TemplateToken"): each for each in client.get("ActionTemplate")}
        recipients = {text(each, "TemplateToken"): each for each in client.get("RecipientTemplate")}
    assert text(actions[MAIL], "RecipientTemplate") == "com.axis.recipient.smtp"
    assert set(pairs(actions[MAIL])) == {"subject", "message"}
    slots_ = actions[MAIL].findall("a:Parameters/a:Parameter", SPACES)
    assert {each.get("Type") for each in slots_} == {"string"}
    found = set(pairs(recipients["com.axis.recipient.smtp"]))
    if camera_of(lab).profile.name == "5.50":
        assert found == {"email_to"}
    else:
        assert {"email_to", "email_from", "host", "port", "login", "password", "encryption"} < found


def test_a_rule_is_kept_as_it_was_sent(lab: Lab) -> None:
    subject = 'Alarm <1> & "two" #n %F ü'
    factory = len(camera_of(lab).profile.rules)
    with vapix(lab) as client:
        action = client.add(configuration("N & <x>", slots(lab, subject=subject)))
        number = client.add(rule("R & <x>", action, conditions=conditions(event(), event()), timeout="PT30S"))
        kept = {text(each, "RuleID"): each for each in client.get("ActionRule")}[str(number)]
        configured = {text(each, "ConfigurationID"): each for each in client.get("ActionConfiguration")}
    assert (number, action) == (factory + 1, factory + 1)
    assert [etree.QName(each).localname for each in kept] == [
        "RuleID",
        "Name",
        "Enabled",
        "StartEvent",
        "Conditions",
        "ActivationTimeout",
        "PrimaryAction",
    ]
    assert (text(kept, "Name"), text(kept, "Enabled"), text(kept, "ActivationTimeout")) == (
        "R & <x>",
        "true",
        "PT30S",
    )
    assert text(kept, "PrimaryAction") == str(action)
    suffix = "//." if camera_of(lab).profile.name in {"5.50", "10.12"} else ""
    topics = kept.findall(".//n:TopicExpression", SPACES)
    assert [(each.text, each.get("Dialect")) for each in topics] == [(PORT_TOPIC + suffix, CONCRETE)] * 3
    assert {each.nsmap["tns1"] for each in topics} == {SPACES["tns1"]}
    assert {each.text for each in kept.findall(".//n:MessageContent", SPACES)} == {port_filter()}
    assert text(configured[str(action)], "Name") == "N & <x>"
    assert pairs(configured[str(action)]) == slots(lab, subject=subject)


def test_ids_are_never_used_twice_and_names_may_be(lab: Lab) -> None:
    with vapix(lab) as client:
        first = client.add(configuration("N", slots(lab)))
        second = client.add(configuration("N", slots(lab)))
        client.soap(removal("ActionConfiguration", second))
        third = client.add(configuration("N", slots(lab)))
        assert (second, third) == (first + 1, first + 2)
        one = client.add(rule("R", first))
        assert client.add(rule("R", first)) == one + 1
        client.soap(removal("ActionRule", one))
        names = [text(each, "Name") for each in client.get("ActionRule")]
        assert names.count("R") == 1
        assert client.add(rule("R", first)) == one + 2


def test_recipients_are_an_address_book_apart(lab: Lab) -> None:
    values = dict.fromkeys(camera_of(lab).profile.recipients["com.axis.recipient.smtp"].slots, "")
    with vapix(lab) as client:
        number = client.add(recipient("Guard", {**values, "email_to": "guard@site.example"}))
        (kept,) = client.get("RecipientConfiguration")
        assert (text(kept, "Name"), pairs(kept)["email_to"]) == ("Guard", "guard@site.example")
        client.soap(removal("RecipientConfiguration", number))
        assert client.get("RecipientConfiguration") == []
        unknown = client.soap(removal("RecipientConfiguration", number), 400)
    assert detail(unknown) == "RecipientConfigurationNotFoundFault"


def test_other_prefixes_and_dialects_mean_the_same(newest: Lab) -> None:
    odd = (
        f'<q:AddActionRule xmlns:q="{SPACES["a"]}" xmlns:w="{SPACES["n"]}" xmlns:one="{SPACES["tns1"]}" '
        f'xmlns:two="{SPACES["tnsaxis"]}"><q:NewActionRule><q:Name>odd</q:Name><q:Enabled>1</q:Enabled><q:Conditions>'
        '<q:Condition><w:TopicExpression Dialect="http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet">'
        "one:Device/two:IO/two:Port</w:TopicExpression><w:MessageContent "
        'Dialect="http://www.onvif.org/ver10/tev/messageContentFilter/ItemFilter">'
        "boolean(//SimpleItem[@Name='port' and @Value='-1'])</w:MessageContent></q:Condition></q:Conditions>"
        "<q:PrimaryAction>1</q:PrimaryAction></q:NewActionRule></q:AddActionRule>"
    )
    with vapix(newest) as client:
        client.add(odd)
        kept = next(each for each in client.get("ActionRule") if text(each, "Name") == "odd")
    topic = kept.find(".//n:TopicExpression", SPACES)
    assert topic is not None
    assert topic.text == "tns1:Device/tnsaxis:IO/tnsaxis:Port"


def test_lists_come_in_any_order_on_12_9(newest: Lab) -> None:
    with vapix(newest) as client:
        orders = {tuple(text(each, "RuleID") for each in client.get("ActionRule")) for _ in range(30)}
        raw = client.raw_soap(f'<GetActionConfigurations xmlns="{SPACES["a"]}"/>').text
    assert len(orders) > 1
    assert {tuple(sorted(map(str, each))) for each in orders} == {("1", "2", "3", "4")}
    assert raw.index("Value=") < raw.index("Name=")


def test_the_event_tree(lab: Lab) -> None:
    with vapix(lab) as client:
        found = client.soap(f'<GetEventInstances xmlns="{SPACES["e"]}"/>')
    port = found.find("t:TopicSet/tns1:Device/tnsaxis:IO/Port", SPACES)
    assert port is not None, "the leaf has no namespace"
    assert port.get(f"{{{SPACES['t']}}}topic") == "true"
    message = port.find("e:MessageInstance", SPACES)
    assert message is not None
    assert message.get(f"{{{SPACES['e']}}}isProperty") == "true"
    values = message.findall("e:SourceInstance/e:SimpleItemInstance[@Name='port']/e:Value", SPACES)
    names = {each.text: each.get(f"{{{SPACES['e']}}}NiceName") for each in values}
    assert names == {"-1": "Any", "0": "Input 1" if camera_of(lab).profile.name == "5.50" else "Port 1"}
    assert message.find("e:DataInstance/e:SimpleItemInstance[@Name='state']", SPACES) is not None


def test_without_inputs_there_is_no_port_leaf_and_no_condition(tmp_path: Path) -> None:
    with axis_lab(tmp_path, "11.11", inputs=0) as lab, vapix(lab) as client:
        tree = client.soap(f'<GetEventInstances xmlns="{SPACES["e"]}"/>')
        assert tree.find(".//Port") is None
        action = client.add(configuration("N", slots(lab)))
        refused = client.soap(rule("R", action, conditions=conditions(event())), 400)
    assert detail(refused) == "InvalidConditionFilterFault"


def test_at_most_256_rules(newest: Lab) -> None:
    with vapix(newest) as client:
        for _ in range(252):
            client.add(rule("R", 1))
        assert client.raw_soap(rule("R", 1)).status_code == 400
        client.soap(removal("ActionRule", 5))
        assert client.add(rule("R", 1)) == 257


def detail(fault: etree._Element) -> str:
    """The local name of the fault's detail; everything about it is checked that is always so."""
    assert fault.tag == f"{{{SPACES['s']}}}Fault"
    assert (fault.findtext("s:Code/s:Value", namespaces=SPACES) or "").endswith(":Sender")
    found = fault.find("s:Detail/*", SPACES)
    assert found is not None
    return etree.QName(found).localname


def reason(fault: etree._Element) -> str:
    return fault.findtext("s:Reason/s:Text", namespaces=SPACES) or ""


@pytest.fixture
def started(lab: Lab) -> Lab:
    """With configuration N and rule R in place, both with the highest ids."""
    with vapix(lab) as client:
        client.add(rule("R & co", client.add(configuration("N", slots(lab)))))
    return lab


def last(lab: Lab) -> int:
    return max(camera_of(lab).book.configurations)


def bad_topic(text: str) -> str:
    return event(topic=text)


FAULTS = {
    "parameter missing": ("ParametersMissmatchFault", "Configuration parameter missing: subject"),
    "unknown template": ("ActionTemplateNotFoundFault", "action template with id 'a.b' not found"),
    "no stateful event": ("InvalidConditionFilterFault", "could not match any property events"),
    "several stateful events": ("InvalidConditionFilterFault", "could not match any property events"),
    "a stateless event": ("InvalidConditionFilterFault", "could not match any property events"),
    "bad XPath": ("InvalidMessageContentExpressionFault", "around character 1: syntax error, "),
    "bad topic": ("InvalidTopicExpressionFault", "failed to parse topic expression 'no such:topic'"),
    "undeclared prefix": ("InvalidTopicExpressionFault", "failed to parse topic expression 'tnx:Device'"),
    "unknown dialect": ("TopicExpressionDialectUnknownFault", ""),
    "empty conditions": ("Text", "Invalid argument"),
    "nothing to start it": ("InsufficientActivationRuleFault", ""),
    "bad timeout": ("InvalidActivationTimeoutFault", ""),
    "unknown action": (
        "ActionConfigurationNotFoundFault",
        "Unknown action configuration '9999' specified for primary action",
    ),
    "remove unknown configuration": ("ActionConfigurationNotFoundFault", ""),
    "remove unknown rule": ("ActionRuleNotFoundFault", "No action rule with id '9999' exists"),
    "remove configuration in use": ("ActionConfigurationIsInUseFault", "action configuration is in use"),
    "unknown operation": ("Text", "Invalid argument"),
    "wrong order": ("Text", "Invalid argument"),
    "no XML": ("Text", "Invalid argument"),
    "a DTD": ("Text", "Invalid argument"),
}


def asked(name: str, lab: Lab) -> str:
    number = last(lab)
    without = {key: value for key, value in slots(lab).items() if key != "subject"}
    port_any = 'boolean(//SimpleItem[@Name="state" and @Value="1"])'
    known: dict[str, Callable[[], str]] = {
        "parameter missing": lambda: configuration("N", without),
        "unknown template": lambda: configuration("N", slots(lab), template="a.b"),
        "no stateful event": lambda: rule(
            "R", number, conditions=conditions(event(content=port_filter("7")))
        ),
        "several stateful events": lambda: rule("R", number, conditions=conditions(event(content=port_any))),
        "a stateless event": lambda: rule(
            "R", number, conditions=conditions(event("tns1:UserAlarm/tnsaxis:Recurring/Pulse", ""))
        ),
        "bad XPath": lambda: rule("R", number, start=event(content="boolean(//SimpleItem[")),
        "bad topic": lambda: rule("R", number, start=bad_topic("no such:topic")),
        "undeclared prefix": lambda: rule("R", number, start=bad_topic("tnx:Device")),
        "unknown dialect": lambda: rule("R", number).replace(CONCRETE, "urn:other"),
        "empty conditions": lambda: rule("R", number, start=None, conditions="<Conditions></Conditions>"),
        "nothing to start it": lambda: rule("R", number, start=None),
        "bad timeout": lambda: rule("R", number, timeout="30"),
        "unknown action": lambda: rule("R", 9999),
        "remove unknown configuration": lambda: removal("ActionConfiguration", 9999),
        "remove unknown rule": lambda: removal("ActionRule", 9999),
        "remove configuration in use": lambda: removal("ActionConfiguration", number),
        "unknown operation": lambda: f'<UpdateActionRule xmlns="{SPACES["a"]}"/>',
        "wrong order": lambda: rule("R", number).replace(
            "<Name>R</Name><Enabled>true</Enabled>", "<Enabled>true</Enabled><Name>R</Name>"
        ),
        "no XML": lambda: "<a>",
        "a DTD": lambda: "",
    }
    return known[name]()


def test_every_fault_is_a_400_with_its_detail(started: Lab) -> None:
    kept = camera_of(started).book
    before = (dict(kept.rules), dict(kept.configurations), camera_of(started).counters.writes)
    with vapix(started) as client:
        for name, (wanted, words) in FAULTS.items():
            if name == "a DTD":
                hostile = f'<!DOCTYPE x [<!ENTITY e "x">]><s:Envelope xmlns:s="{SPACES["s"]}"><s:Body>&e;</s:Body></s:Envelope>'
                reply = client.http.post("/vapix/services", content=hostile)
                found = etree.fromstring(reply.content).find("s:Body/*", SPACES)
                assert found is not None
            else:
                found = client.soap(asked(name, started), 400)
            assert detail(found) == wanted, name
            assert words in reason(found), name
    assert (dict(kept.rules), dict(kept.configurations), camera_of(started).counters.writes) == before


def test_details_that_say_more(started: Lab) -> None:
    with vapix(started) as client:
        used = client.soap(asked("remove configuration in use", started), 400)
        path = "s:Detail/a:ActionConfigurationIsInUseFault/a:UsedByActionRules/a:ActionRule"
        assert used.findtext(f"{path}/a:ActionRuleName", namespaces=SPACES) == "R & co"
        assert used.findtext(f"{path}/a:ActionRuleID", namespaces=SPACES) == str(
            max(camera_of(started).book.rules)
        )
        empty = client.soap(asked("empty conditions", started), 400)
        assert empty.findtext("s:Code/s:Subcode/s:Value", namespaces=SPACES) == "ter:InvalidArgs"
        assert "occurrence violation in element Conditions" in (
            empty.findtext("s:Detail/s:Text", namespaces=SPACES) or ""
        )
        xpath = client.soap(asked("bad XPath", started), 400)
        time = (
            "s:Detail/n:InvalidMessageContentExpressionFault/{http://docs.oasis-open.org/wsrf/bf-2}Timestamp"
        )
        assert (xpath.findtext(time, namespaces=SPACES) or "").endswith("Z")


def test_an_unlimited_action_needs_a_condition(newest: Lab) -> None:
    with vapix(newest) as client:
        refused = client.soap(rule("R", 2), 400)
        assert detail(refused) == "InsufficientActivationRuleFault"
        assert client.add(rule("R", 2, start=None, conditions=conditions(event()))) == 5


def test_a_start_event_is_not_held_against_the_tree(newest: Lab) -> None:
    with vapix(newest) as client:
        assert client.add(rule("R", 1, start=event(content=port_filter("7")))) == 5
