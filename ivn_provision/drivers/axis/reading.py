"""Everything of one camera in at most six requests (facts/axis.md, 5.6)."""

from __future__ import annotations

from dataclasses import dataclass

from ivn_provision.drivers.axis import accounts, json_api, objects, params, soap
from ivn_provision.drivers.axis.accounts import Account
from ivn_provision.drivers.axis.objects import Configuration, Rule
from ivn_provision.drivers.axis.params import Params
from ivn_provision.errors import Refused
from ivn_provision.transports.vapix import VapixLink, VapixReply

_SERVICE = "Properties.API.WebService.WebService"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a camera has. `no_rules` says why rules and recipients could not be read, `no_accounts` likewise."""

    apis: frozenset[str]
    params: Params
    rules: tuple[Rule, ...] = ()
    configurations: tuple[Configuration, ...] = ()
    recipients: tuple[Configuration, ...] = ()
    accounts: tuple[Account, ...] = ()
    no_rules: str = ""
    no_accounts: str = ""

    @property
    def firmware(self) -> str:
        """Only this parameter says it: others name older ones (facts/axis.md, 3.2)."""
        return self.params.text("Properties.Firmware.Version")

    @property
    def serial(self) -> str:
        return self.params.text("Properties.System.SerialNumber")

    def configuration(self, number: str) -> Configuration | None:
        return next((each for each in self.configurations if each.id == number), None)


def read_camera(link: VapixLink) -> Reading:
    """Asks one thing after another. Raises TargetError."""
    apis = json_api.parse_discovery(link.ask(json_api.call(json_api.DISCOVERY, "getApiList")))
    known = params.parse_list(link.ask(params.LIST.get(params.PATH)))
    rules, configurations, recipients, no_rules = _rules(link, known)
    people, no_accounts = _accounts(link)
    return Reading(apis, known, rules, configurations, recipients, people, no_rules, no_accounts)


_Rules = tuple[tuple[Rule, ...], tuple[Configuration, ...], tuple[Configuration, ...], str]


def _rules(link: VapixLink, known: Params) -> _Rules:
    if known.text(_SERVICE).lower() == "no":
        return (), (), (), "the camera's action service is off (Properties.API.WebService)"
    reply = asked(link, "GetActionRules")
    if reply.status in {404, 405, 501}:
        return (), (), (), f"the camera has no action service (HTTP {reply.status} for {soap.PATH})"
    rules = objects.parse_rules(reply)
    configurations = objects.parse_configurations(
        asked(link, "GetActionConfigurations"), "ActionConfiguration"
    )
    recipients = objects.parse_configurations(
        asked(link, "GetRecipientConfigurations"), "RecipientConfiguration"
    )
    return rules, configurations, recipients, ""


def asked(link: VapixLink, operation: str, space: str = soap.ACTION) -> VapixReply:
    """The answer to an operation without arguments."""
    return link.ask(soap.envelope(soap.operation(operation, space)))


def _accounts(link: VapixLink) -> tuple[tuple[Account, ...], str]:
    try:
        return accounts.parse_accounts(link.ask(accounts.GET.post(accounts.PATH, writes=False))), ""
    except Refused as refusal:
        return (), f"the camera does not show its accounts: {refusal.summary}"
