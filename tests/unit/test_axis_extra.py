"""What checks and acceptance ask a camera beyond its reading: requests as bytes, and answers of any kind."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivn_provision.drivers.axis import extra
from ivn_provision.drivers.axis.looking import Looking, Wanted, ports_of
from ivn_provision.drivers.axis.params import Params
from ivn_provision.drivers.axis.posix_zone import moments_of, zone_of
from ivn_provision.drivers.axis.reading import Reading
from ivn_provision.errors import DeadlineExceeded, IvnError, ProtocolFault, Refused
from ivn_provision.spec.axis import AxisSmtp
from ivn_provision.transports.vapix import Asked, VapixReply

NOW = datetime(2026, 7, 24, 19, 19, 17, tzinfo=UTC)
OLDEST, NEWEST = datetime.fromisoformat("1970-01-02"), datetime.fromisoformat("2100-01-01")
EASTERN = "EST5EDT,M3.2.0,M11.1.0"


def reply(body: str | bytes, path: str = "/axis-cgi/x.cgi", *, status: int = 200) -> VapixReply:
    raw = body if isinstance(body, bytes) else body.encode("iso-8859-1", "replace")
    return VapixReply(status, "text/plain", raw, path, "192.0.2.1:80")


def date(text: str, zone: str, *, saves: bool = True) -> float | None:
    asked = reply(text, "/axis-cgi/date.cgi")
    return extra.parse_time(asked, NOW, NOW, zone=zone, saves=saves).offset


def test_requests() -> None:
    assert extra.inputs_asked({3, 1}).target == "/axis-cgi/io/port.cgi?checkactive=1%2C3"
    pulse = extra.pulse_asked(1)
    assert pulse.target == "/axis-cgi/io/virtualinput.cgi?action=1%3A%2F2000%5C", "as Axis documents it"
    assert pulse.writes
    assert not extra.inputs_asked({1}).writes
    assert extra.time_asked(frozenset()).target == "/axis-cgi/date.cgi?action=get"
    assert extra.time_asked(frozenset({extra.TIME_API})).path == "/axis-cgi/time.cgi"


@given(st.text(min_size=1, max_size=40), st.integers(1, 65535))
def test_a_host_stays_a_host(host: str, port: int) -> None:
    """It cannot become another argument; what no camera knows is refused."""
    try:
        target = extra.mail_server_test(host, port).target
    except Refused:
        return
    query = target.partition("?")[2]
    assert target.isascii()
    assert target.isprintable()
    assert [each.partition("=")[0] for each in query.split("&")] == ["address", "port"]
    assert query.endswith(f"port={port}")


def test_inputs() -> None:
    assert extra.parse_inputs(reply("port1=active\r\nport2=inactive\r\n")) == {1: True, 2: False}
    with pytest.raises(Refused):
        extra.parse_inputs(reply("Error: no input port 9\r\n"))
    with pytest.raises(ProtocolFault):
        extra.parse_inputs(reply("<html>no</html>"))


@pytest.mark.parametrize("status", [400, 404, 405])
def test_a_camera_without_the_pulse_refuses(status: int) -> None:
    with pytest.raises(Refused):
        extra.check_pulse(reply("", status=status))


def test_the_answer_to_a_pulse() -> None:
    extra.check_pulse(reply("OK\r\n"))
    extra.check_pulse(reply(""))
    with pytest.raises(Refused):
        extra.check_pulse(reply("Error: invalid action\r\n"))
    with pytest.raises(ProtocolFault):
        extra.check_pulse(reply("<html></html>"))


# -- the time -------------------------------------------------------------------------------------------------


def test_time_with_a_zone() -> None:
    body = '{"apiVersion":"1.0","data":{"dateTime":"2026-07-24T19:19:27Z"}}'
    seen = extra.parse_time(reply(body, "/axis-cgi/time.cgi"), NOW, NOW, zone="", saves=True)
    assert seen.offset == 10.0
    with pytest.raises(ProtocolFault):
        extra.parse_time(reply(body.replace("Z", ""), "/axis-cgi/time.cgi"), NOW, NOW, zone="", saves=True)


def test_local_time_is_judged_by_the_zone() -> None:
    assert date("Jul 24, 2026 15:19:17\n", EASTERN) == 0.0
    assert date("Jul 24, 2026 14:19:17", EASTERN) == -3599.0
    assert date("Jul 24, 2026 19:19:17", "UTC0") == 0.0
    assert date("Jul 24, 2026 19:19:17", "") is None
    assert date("Jul 24, 2026 19:19:17", "not a zone") is None


def test_where_daylight_saving_is_off_both_are_right() -> None:
    """Whether the zone's rule counts then is unknown: no clock is called wrong for it."""
    assert date("Jul 24, 2026 15:19:17", EASTERN, saves=False) == 0.0
    assert date("Jul 24, 2026 14:19:17", EASTERN, saves=False) == 0.0
    assert date("Jul 24, 2026 16:19:17", EASTERN, saves=False) == 3600.0


def test_the_hour_that_comes_twice_is_both() -> None:
    twice = moments_of(datetime.fromisoformat("2026-11-01T01:30:00"), EASTERN, saves=True)
    assert [each.hour for each in twice] == [5, 6]


def test_zones() -> None:
    assert zone_of("GMT0BST,M3.5.0/1,M10.5.0") is not None
    assert zone_of("<+0530>-5:30") is not None
    assert zone_of("EST5EDT") is None, "when its summer begins is not said"
    assert zone_of("Europe/Paris") is None


@pytest.mark.parametrize("text", ["Request failed: no", "Error: no"])
def test_a_time_that_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        date(text, EASTERN)


@given(st.binary(max_size=200), st.sampled_from([200, 404, 500]))
def test_garbage_is_an_error_of_ours(body: bytes, status: int) -> None:
    for path in ("/axis-cgi/time.cgi", "/axis-cgi/date.cgi"):
        said = reply(body, path, status=status)
        with suppress(IvnError):
            assert extra.parse_time(said, NOW, NOW, zone=EASTERN, saves=True).said
    with suppress(IvnError):
        assert extra.parse_inputs(reply(body, status=status))
    with suppress(IvnError):
        assert extra.parse_mail_server_test(reply(body, status=status))
    with suppress(IvnError):
        extra.check_pulse(reply(body, status=status))


@given(st.text(max_size=60), st.datetimes(OLDEST, NEWEST))
def test_any_zone_gives_moments_near_the_local_time(zone: str, local: datetime) -> None:
    for each in moments_of(local, zone, saves=False):
        assert abs(each - local.replace(tzinfo=UTC)) <= timedelta(days=8)


# -- all of it together ---------------------------------------------------------------------------------------


def params(**values: str) -> Params:
    return Params({name.replace("__", "."): value for name, value in values.items()})


def test_ports() -> None:
    assert ports_of(params(Input__NbrOfInputs="0")) == (frozenset(), frozenset())
    assert ports_of(params(Brand__Brand="AXIS")) == (None, frozenset())
    fixed = params(IOPort__I0__Input__Name="A", IOPort__I1__Output__Name="B")
    assert ports_of(fixed) == (frozenset({1}), frozenset({2}))
    free = params(IOPort__I0__Direction="output", IOPort__I0__Input__Name="A", IOPort__I2__Direction="input")
    assert ports_of(free) == (frozenset({3}), frozenset({1}))


def test_a_camera_that_falls_silent_is_noted_and_nothing_is_raised() -> None:
    def silent(asked: Asked) -> VapixReply:
        raise DeadlineExceeded(f"{asked.path} was not answered", endpoint="192.0.2.1:80", next_step="wait")

    known = params(
        Properties__Firmware__Version="11.11.73",
        IOPort__I0__Direction="input",
        Event__E0__Name="Door",
        Event__E1__Enabled="yes",
    )
    looking = Looking(Reading(frozenset(), known, no_rules="no service"), silent, lambda: NOW)
    smtp = AxisSmtp("a@b.example", "mail.example", 25, "none", "", None, "")
    seen = looking.seen(Wanted(frozenset({1, 7}), smtp))
    assert set(seen.missing) == {"inputs", "clock", "mail_server", "mailers"}
    assert seen.legacy == ("Event.E0 (Door)", "Event.E1")
    assert (seen.clock, seen.mail_server, seen.mailers, dict(seen.active)) == (None, "", None, {})
