"""A lab with one site whose first camera is emulated, and raw VAPIX requests to it: httpx and XML by hand."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import httpx
from lxml import etree

from ivn_provision.lab.camera.camera import AxisCamera
from ivn_provision.lab.lab import Lab
from ivn_provision.lab.scenario import LabCamera, LabSite

SITE = "harbor"
ADDRESS = "192.168.10.61"
MAIL = "com.axis.action.fixed.notification.smtp"
RECIPIENT = "com.axis.recipient.smtp"
PORT_TOPIC = "tns1:Device/tnsaxis:IO/Port"
CONCRETE = "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Concrete"
ITEMS = "http://www.onvif.org/ver10/tev/messageContentFilter/ItemFilter"
SPACES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://www.axis.com/vapix/ws/action1",
    "e": "http://www.axis.com/vapix/ws/event1",
    "n": "http://docs.oasis-open.org/wsn/b-2",
    "t": "http://docs.oasis-open.org/wsn/t-1",
    "tns1": "http://www.onvif.org/ver10/topics",
    "tnsaxis": "http://www.axis.com/2009/event/topics",
}


@contextmanager
def axis_lab(folder: Path, profile: str, **options: Any) -> Iterator[Lab]:
    """Portal, mail and one camera; options are those of `LabCamera`. Give `recorders=True` for a recorder too."""
    recorders = bool(options.pop("recorders", False))
    camera = LabCamera(ADDRESS, "00408C123456", axis=profile, **options)
    site = LabSite(SITE, host="127.0.0.1", cameras=(camera,))
    with Lab(folder, [site], free_ports=True, recorders=recorders) as lab:
        yield lab


def camera_of(lab: Lab) -> AxisCamera:
    return lab.camera(SITE, 10)


def password(lab: Lab) -> str:
    return lab.secret_file(f"{SITE}-camera-10").read_text().strip()


def auth_of(lab: Lab, *, tls: bool) -> httpx.Auth:
    """As the camera's policy wants it."""
    digest = camera_of(lab).device.gate.scheme(tls=tls) == "digest"
    return httpx.DigestAuth("root", password(lab)) if digest else httpx.BasicAuth("root", password(lab))


@dataclass
class Vapix:
    """One connection's worth of requests, with a login."""

    http: httpx.Client

    def params(self, group: str | None = None) -> str:
        found = {} if group is None else {"group": group}
        return self.http.get("/axis-cgi/param.cgi", params={"action": "list", **found}).text

    def values(self, group: str | None = None) -> dict[str, str]:
        lines = self.params(group).splitlines()
        return dict(line.split("=", 1) for line in lines)

    def update(self, **values: str) -> str:
        form = {"action": "update", **{name.replace("__", "."): value for name, value in values.items()}}
        return self.http.post("/axis-cgi/param.cgi", data=form).text

    def json(self, path: str, method: str, **params: Any) -> dict[str, Any]:
        asked = {"apiVersion": "1.0", "context": "ctx", "method": method, "params": params}
        reply = self.http.post(f"/axis-cgi/{path}", json=asked)
        assert reply.status_code == 200, reply.status_code
        found: dict[str, Any] = reply.json()
        return found

    def soap(self, body: str, status: int = 200) -> etree._Element:
        """The element in the reply's body."""
        reply = self.raw_soap(body)
        assert reply.status_code == status, reply.text
        assert reply.headers["content-type"] == "application/soap+xml; charset=utf-8"
        found = etree.fromstring(reply.content).find("s:Body/*", SPACES)
        assert found is not None
        return found

    def raw_soap(self, body: str) -> httpx.Response:
        envelope = f'<s:Envelope xmlns:s="{SPACES["s"]}"><s:Body>{body}</s:Body></s:Envelope>'
        headers = {"Content-Type": "application/soap+xml; charset=utf-8"}
        return self.http.post("/vapix/services", content=envelope.encode(), headers=headers)

    def get(self, kind: str) -> list[etree._Element]:
        """`ActionRule` -> all of GetActionRules."""
        asked = f'<Get{kind}s xmlns="{SPACES["a"]}"/>'
        return self.soap(asked).findall(f"a:{kind}s/a:{kind}", SPACES)

    def add(self, body: str) -> int:
        return int("".join(map(str, self.soap(body).itertext())))


@contextmanager
def vapix(lab: Lab, *, tls: bool = False, login: bool = True, **options: Any) -> Iterator[Vapix]:
    camera = camera_of(lab)
    context = ssl.create_default_context(cafile=str(lab.ca_file))
    place = (
        f"https://{camera.host}:{camera.https_port}" if tls else f"http://{camera.host}:{camera.http_port}"
    )
    auth = auth_of(lab, tls=tls) if login else None
    options = {"auth": auth, "trust_env": False, "timeout": 20.0, **options}
    with httpx.Client(base_url=place, verify=context, **options) as client:
        yield Vapix(client)


def configuration(name: str, parameters: Mapping[str, str], template: str = MAIL) -> str:
    return _named("Action", name, parameters, template)


def recipient(name: str, parameters: Mapping[str, str], template: str = RECIPIENT) -> str:
    return _named("Recipient", name, parameters, template)


def _named(kind: str, name: str, parameters: Mapping[str, str], template: str) -> str:
    inside = "".join(f"<Parameter Name={quoteattr(k)} Value={quoteattr(v)}/>" for k, v in parameters.items())
    return (
        f'<Add{kind}Configuration xmlns="{SPACES["a"]}"><New{kind}Configuration><Name>{escape(name)}</Name>'
        f"<TemplateToken>{escape(template)}</TemplateToken><Parameters>{inside}</Parameters>"
        f"</New{kind}Configuration></Add{kind}Configuration>"
    )


def port_filter(port: str = "0", state: str = "1") -> str:
    return (
        f'boolean(//SimpleItem[@Name="port" and @Value="{port}"]) and '
        f'boolean(//SimpleItem[@Name="state" and @Value="{state}"])'
    )


def event(topic: str = PORT_TOPIC, content: str | None = None) -> str:
    content = port_filter() if content is None else content
    space = SPACES["n"]
    said = f'<MessageContent Dialect="{ITEMS}" xmlns="{space}">{escape(content)}</MessageContent>'
    return (
        f'<TopicExpression Dialect="{CONCRETE}" xmlns="{space}">{escape(topic)}</TopicExpression>'
        f"{said if content else ''}"
    )


def rule(
    name: str,
    action: int | str,
    *,
    start: str | None = "",
    conditions: str = "",
    enabled: str = "true",
    timeout: str = "",
) -> str:
    """`start` "" is input 1 becoming active, None is no StartEvent; `conditions` is the XML as it stands."""
    begun = "" if start is None else f"<StartEvent>{start or event()}</StartEvent>"
    wait = f"<ActivationTimeout>{timeout}</ActivationTimeout>" if timeout else ""
    return (
        f'<AddActionRule xmlns="{SPACES["a"]}"><NewActionRule xmlns:tns1="{SPACES["tns1"]}" '
        f'xmlns:tnsaxis="{SPACES["tnsaxis"]}"><Name>{escape(name)}</Name><Enabled>{enabled}</Enabled>{begun}'
        f"{conditions}{wait}<PrimaryAction>{action}</PrimaryAction></NewActionRule></AddActionRule>"
    )


def conditions(*events: str) -> str:
    inside = "".join(f"<Condition>{each}</Condition>" for each in events)
    return f"<Conditions>{inside}</Conditions>"


def removal(kind: str, number: int | str) -> str:
    """`removal("ActionRule", 3)`"""
    tag = "RuleID" if kind == "ActionRule" else "ConfigurationID"
    return f'<Remove{kind} xmlns="{SPACES["a"]}"><{tag}>{number}</{tag}></Remove{kind}>'


def slots(lab: Lab, **values: str) -> dict[str, str]:
    """Every parameter that a mail action of this firmware needs; those that are not given are empty."""
    profile = camera_of(lab).profile
    names = [*profile.actions[MAIL].slots, *profile.recipients[RECIPIENT].slots]
    return {name: values.get(name, "") for name in names}


def sink_slots(lab: Lab, **values: str) -> dict[str, str]:
    """Those with the lab's mail server and the site's account in them, as far as this firmware has slots."""
    account = lab.secret_file(f"{SITE}-smtp").read_text().strip()
    server = {
        "host": "127.0.0.1",
        "port": str(lab.mail_port),
        "login": SITE,
        "password": account,
        "encryption": "tls",
        "email_from": "camera@site.example",
        "email_to": "guard@site.example",
    }
    return slots(lab, **{**server, **values})


def set_legacy_smtp(lab: Lab, client: Vapix) -> None:
    """root.SMTP of a 5.x camera, with the lab's mail server."""
    account = lab.secret_file(f"{SITE}-smtp").read_text().strip()
    values = {
        "root.SMTP.MailServer1": "127.0.0.1",
        "root.SMTP.MailServerPort1": str(lab.mail_port),
        "root.SMTP.MailServerSSL1": "yes",
        "root.SMTP.FromEmail": "camera@site.example",
        "root.SMTP.Authentication.A1.Enabled": "yes",
        "root.SMTP.Authentication.A1.UserName": SITE,
        "root.SMTP.Authentication.A1.Password": account,
    }
    assert client.update(**values) == "OK"
