"""No rendering of any object holds a secret's value (issue: property)."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ivn_provision.drivers.portal.tokens import TokenSource
from ivn_provision.errors import AuthenticationFailed
from ivn_provision.model.resource import Address, Resource
from ivn_provision.plan.plan import Action, Change, FieldChange, SitePlan
from ivn_provision.plan.plan_json import to_json
from ivn_provision.report.errors_text import error_json, render_error
from ivn_provision.report.paint import Paint
from ivn_provision.report.plan_text import render
from ivn_provision.run.engine import SiteOutcome
from ivn_provision.run.targets import Opener
from ivn_provision.secret import Fingerprint, Secret, SecretRef
from ivn_provision.spec.values import Tls
from ivn_provision.transports.breaker import Account, Breaker
from ivn_provision.transports.deadline import Deadline
from ivn_provision.transports.ssh import Ssh
from ivn_provision.transports.ssh_settings import SshSettings
from ivn_provision.transports.winrm import WinRm, WinRmSettings

VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x2FFF), min_size=10, max_size=30)
REFERENCE = SecretRef("env", "THE_NAME")
ADDRESS = Address("site", "portal", "device")


def plan_of(secret: Secret) -> SitePlan:
    before = Fingerprint("salt", "0" * 64)
    change = Change(ADDRESS, Action.UPDATE, (FieldChange("password", before, secret),))
    create = Change(ADDRESS, Action.CREATE, (FieldChange("password", secret, secret),))
    return SitePlan("site", (change, create), desired={ADDRESS: {"password": secret}})


def ssh(secret: Secret) -> SshSettings:
    return SshSettings("127.0.0.1", 22, "user", secret, key_file="/key", passphrase=secret)


def winrm(secret: Secret) -> WinRmSettings:
    return WinRmSettings("https://127.0.0.1:5986/wsman", "ntlm", "user", secret, Tls())


def failure(secret: Secret) -> str:
    try:
        raise AuthenticationFailed(f"refused with {secret} {secret!r}", where=str(secret))
    except AuthenticationFailed as error:
        return (
            "".join(traceback.format_exception(error))
            + render_error(error, Paint(on=True))
            + json.dumps(error_json(error))
        )


RENDERINGS: dict[str, Callable[[Secret], object]] = {
    "itself": lambda secret: (str(secret), repr(secret), f"{secret:>40}", f"{secret!s}", "%s" % secret),  # noqa: UP031
    "in containers": lambda secret: (str([secret]), str({"k": secret}), repr((secret,))),
    "resource": lambda secret: repr(Resource(ADDRESS, {"password": secret})),
    "plan": lambda secret: repr(plan_of(secret)),
    "plan as text": lambda secret: render((plan_of(secret),), Paint(on=True)),
    "plan as JSON": lambda secret: json.dumps(to_json((plan_of(secret),), timestamp="")),
    "outcome": lambda secret: repr(SiteOutcome("site", plan_of(secret))),
    "winrm settings": lambda secret: repr(winrm(secret)),
    "winrm": lambda secret: (
        repr(WinRm(winrm(secret), Deadline(1))),
        str(vars(WinRm(winrm(secret), Deadline(1)))),
    ),
    "ssh": lambda secret: (repr(ssh(secret)), str(vars(Ssh(ssh(secret), Deadline(1))))),
    "account": lambda secret: (repr(Account("account user", secret)), str(Account("account user", secret))),
    "token source": lambda secret: repr(TokenSource("id", secret, "scope", Breaker())),
    "opener": lambda secret: repr(Opener(secret=lambda _: secret, run_id="r")),
    "error": failure,
}


@pytest.mark.parametrize("name", RENDERINGS)
@settings(max_examples=40, deadline=None)
@given(value=VALUES)
def test_a_rendering_never_holds_the_value(name: str, value: str) -> None:
    # words that stand there with any secret (hypothesis also draws words of the source) show nothing
    assume(value not in str(RENDERINGS[name](Secret("\x00", REFERENCE))))
    shown = str(RENDERINGS[name](Secret(value, REFERENCE)))
    assert value not in shown
    assert json.dumps(value)[1:-1] not in shown


@given(value=VALUES)
def test_a_secret_cannot_be_serialised_or_copied(value: str) -> None:
    secret = Secret(value, REFERENCE)
    attempts: tuple[Callable[[Any], object], ...] = (pickle.dumps, copy.copy, copy.deepcopy, json.dumps)
    for attempt in attempts:
        with pytest.raises(TypeError):
            attempt(secret)


@given(one=VALUES, other=VALUES)
def test_secrets_compare_by_value(one: str, other: str) -> None:
    assert (Secret(one, REFERENCE) == Secret(other, SecretRef("env", "B"))) == (one == other)
    assert Secret(one, REFERENCE) != one
