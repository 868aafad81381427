"""The first files of store B: an invention, so that nothing but learning can lead to them (assumptions.yml)."""

from __future__ import annotations

import codecs
from collections.abc import Mapping

from lxml import etree

from ivn_provision.lab.nvr.config_initial import PATH, guid, initial_configuration
from ivn_provision.lab.nvr.store import FOLDER
from ivn_provision.lab.nvr.store_b_xml import Style
from ivn_provision.lab.scenario import LabSite

CONFIG = Style(PATH, "revision", "savedAt")
EVENTS = Style(
    rf"{FOLDER}\events.config", "Revision", "SavedAt", "utf-16", codecs.BOM_UTF16_LE, ticks=True, turns=True
)
MAIL = Style(rf"{FOLDER}\notifications.xml", "rev", "stamp", bom=b"", newline="\n", quote="'")
ALARMS = Style(r"C:\ProgramData\Milestone\XProtect Event Server\config\alarms.xml", "Version", "Changed")
USAGE = rf"{FOLDER}\usage.dat"
STYLES = (CONFIG, EVENTS, MAIL, ALARMS)
_ELSEWHERE = ("ProductInfo/LabLayout", "Events", "Notifications", "AlarmDefinitions")

GENERIC = """<Event Class="Generic" State="Y" Id=""><Label Text=""/>\
<Trigger Rule="0" Transport="0" Encoding="1252"/><Ranking>500</Ranking>\
<Actions><EMail On="false"/><Sms On="false"/></Actions></Event>"""
INPUT = """<Input Enabled="Y" Key="" Kind="External"><Title/><Source Device="" Port="1" Level="1"/>\
<Reaction><EMail Image="" Send="false"/><Recording Scope="0"/></Reaction></Input>"""
ALARM = """<Alarm Id="" Active="1"><Name/><Instructions/>\
<Source><Group>External Event</Group><Message Ref=""/></Source><When>Always</When>\
<Severity>1</Severity><AutoClose>false</AutoClose></Alarm>"""
_EVENTS = """<EventStore Revision="0" SavedAt="0" Schema="3">\
<Ports Alert="1234" Smtp="25" Ftp="21" PollMs="100"/><Inputs/><Generic/></EventStore>"""
_MAIL = """<notifications rev="0" stamp=""><mail active="false"><to/><template subject="" text=""/></mail>\
<smtp security="0" port="25"><server/><from/><login account="" secret=""/></smtp><sms active="false"/></notifications>"""
_ALARMS = '<AlarmList Version="0" Changed=""/>'


def initial(site: LabSite, event_port: int) -> Mapping[Style, etree._Element]:
    """The root of each file, as a technician leaves it after the wizard."""
    return {
        CONFIG: _config(site, event_port),
        EVENTS: _events(site, event_port),
        MAIL: etree.fromstring(_MAIL),
        ALARMS: _alarms(site),
    }


def braced(text: str) -> str:
    """How this store writes most GUIDs: `{UPPER}`."""
    return "{" + text.upper() + "}"


def _config(site: LabSite, event_port: int) -> etree._Element:
    root = etree.fromstring(initial_configuration(site, event_port), etree.XMLParser(remove_blank_text=True))
    for path in _ELSEWHERE:
        found = root.find(path)
        if found is not None and (parent := found.getparent()) is not None:
            parent.remove(found)
    root.set(CONFIG.revision, "0")
    root.set(CONFIG.stamp, "")
    return root


def _events(site: LabSite, event_port: int) -> etree._Element:
    root = etree.fromstring(_EVENTS)
    root[0].set("Alert", str(event_port))
    foreign = etree.fromstring(GENERIC)
    foreign.set("Id", braced(guid(site, "generic", "foreign")))
    foreign[0].set("Text", "Gate open by guard")
    foreign[1].text = "GATE"
    root[2].append(foreign)
    return root


def _alarms(site: LabSite) -> etree._Element:
    root, foreign = etree.fromstring(_ALARMS), etree.fromstring(ALARM)
    foreign.set("Id", guid(site, "alarm", "foreign"))
    foreign[0].text, foreign[1].text = "Server room temperature", "Made by the site's own technician"
    foreign[2][1].set("Ref", braced(guid(site, "generic", "foreign")))
    root.append(foreign)
    return root
