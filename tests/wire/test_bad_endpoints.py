"""A sick target gives one clear error that names it, in time, and the other sites go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ivn_provision.errors import (
    AuthenticationFailed,
    DeadlineExceeded,
    IvnError,
    ProtocolFault,
    Refused,
    TlsFailed,
    Unreachable,
)
from ivn_provision.report.errors_text import render_error
from ivn_provision.report.paint import Paint
from ivn_provision.run.engine import SiteOutcome
from tests.support.world import World, started

SICK, WELL = "lab-0001", "lab-0002"
DEADLINE = 3.0


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[World]:
    with started(tmp_path, count=2) as running:
        yield running


def sick_error(world: World) -> IvnError:
    """Plans both sites; the well one must be right, the sick one's error is returned."""
    began = time.monotonic()
    sick, well = world.plan(SICK, WELL, deadline=DEADLINE)
    took = time.monotonic() - began
    assert took < 4 * DEADLINE, f"took {took:.1f} s with a deadline of {DEADLINE} s an operation"
    assert_well(well)
    assert sick.error is not None
    text = render_error(sick.error, Paint(on=False))
    assert SICK in text
    assert "next:" in text
    assert "defect" not in text
    for secret in world.secrets:
        assert secret not in text
    return sick.error


def assert_well(outcome: SiteOutcome) -> None:
    assert outcome.error is None, outcome.error
    assert outcome.plan is not None
    assert outcome.plan.changes


def nvr_fault(name: str) -> Callable[[World], None]:
    return lambda world: world.lab.fault(SICK, name)


def wrong_nvr_password(world: World) -> None:
    path = world.folder / "wrong"
    path.write_text("not-the-password", encoding="utf-8")
    world.edit(SICK, "../lab/secrets/lab-0001-nvr", "wrong")


def closed_port(world: World) -> None:
    world.edit(SICK, f"port: {world.lab.site(SICK).https_port}", "port: 1")


def unknown_authority(world: World) -> None:
    text = (world.folder / f"{SICK}.yml").read_text(encoding="utf-8")
    start = text.index("    tls: {ca:")
    end = text.index("\n", start)
    (world.folder / f"{SICK}.yml").write_text(text[:start] + "    tls: verify" + text[end:], encoding="utf-8")


def missing_authority(world: World) -> None:
    world.edit(SICK, "../lab/ca.pem", "../lab/no-such-ca.pem")


def http_on_a_tls_port(world: World) -> None:
    world.edit(SICK, f"port: {world.lab.site(SICK).https_port}", f"port: {world.lab.site(SICK).http_port}")


def another_product(world: World) -> None:
    world.edit(SICK, "product: xprotect-professional-2014", "product: xprotect-enterprise-2014")


def secret_missing(world: World) -> None:
    world.edit(SICK, "../lab/secrets/lab-0001-nvr", "no-such-file")


CASES: dict[str, tuple[Callable[[World], None], type[IvnError]]] = {
    "wrong password": (wrong_nvr_password, AuthenticationFailed),
    "closed port": (closed_port, Unreachable),
    "unknown authority": (unknown_authority, TlsFailed),
    "missing authority": (missing_authority, TlsFailed),
    "TLS to an HTTP port": (http_on_a_tls_port, TlsFailed),
    "another product": (another_product, Refused),
    "secret missing": (secret_missing, IvnError),
    "hangs": (nvr_fault("hang"), DeadlineExceeded),
    "hangs in Receive": (nvr_fault("hang_receive"), DeadlineExceeded),
    "HTTP 500": (nvr_fault("http_500"), ProtocolFault),
    "HTML": (nvr_fault("html"), ProtocolFault),
    "truncated": (nvr_fault("truncate"), ProtocolFault),
    "garbage XML": (nvr_fault("garbage_xml"), ProtocolFault),
    "reset": (nvr_fault("reset"), IvnError),
}


@pytest.mark.parametrize("name", CASES)
def test_a_sick_recorder(pair: World, name: str) -> None:
    make_sick, kind = CASES[name]
    make_sick(pair)
    error = sick_error(pair)
    assert isinstance(error, kind), f"{type(error).__name__}: {error}"


def test_a_wrong_password_is_one_logon_failure(pair: World) -> None:
    wrong_nvr_password(pair)
    sick_error(pair)
    counters = pair.lab.nvr(SICK).counters
    assert (counters.authentication_failures, counters.processes) == (1, 0)


def test_a_refused_account_is_not_tried_on_the_next_site(tmp_path: Path) -> None:
    with started(tmp_path, count=3) as world:
        wrong = world.folder / "wrong"
        wrong.write_text("not-the-password", encoding="utf-8")
        names = [site.key for site in world.lab.sites]
        for name in names:
            world.edit(name, f"../lab/secrets/{name}-nvr", "wrong")
        opener = world.opener()
        from ivn_provision.run.engine import plan_sites
        from tests.support.world import Events

        for name in names:
            (outcome,) = plan_sites([world.site(name)], opener, Events())
            assert isinstance(outcome.error, AuthenticationFailed)
        failures = [world.lab.nvr(name).counters.authentication_failures for name in names]
        assert failures == [1, 0, 0]


PORTAL_FAULTS: dict[str, type[IvnError]] = {
    "hang": DeadlineExceeded,
    "http_500": ProtocolFault,
    "html": ProtocolFault,
    "truncate": ProtocolFault,
    "http_429": ProtocolFault,
}


@pytest.mark.parametrize("fault", PORTAL_FAULTS)
def test_a_sick_portal(world: World, fault: str) -> None:
    world.lab.fault("portal", fault)
    (outcome,) = world.plan(SICK, deadline=DEADLINE)
    assert outcome.error is not None
    assert isinstance(outcome.error, PORTAL_FAULTS[fault]), f"{type(outcome.error).__name__}: {outcome.error}"
    text = render_error(outcome.error, Paint(on=False))
    assert SICK in text
    assert "127.0.0.1" in text
    assert "next:" in text


def test_a_wrong_client_secret(world: World) -> None:
    world.lab.secret_file("portal-client").write_text("n0t-the-secret", encoding="utf-8")
    (outcome,) = world.plan(SICK)
    assert isinstance(outcome.error, AuthenticationFailed)
    assert "n0t-the-secret" not in render_error(outcome.error, Paint(on=False))
