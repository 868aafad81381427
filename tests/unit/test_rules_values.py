"""One value at a time: which names, addresses, connections, zones and windows the rules accept."""

from __future__ import annotations

import pytest

from ivn_provision.spec.rules import check_site
from ivn_provision.spec.site import (
    Mail,
    Nvr,
)
from ivn_provision.spec.values import Tls
from tests.support.declared import (
    camera,
    codes,
    connect,
    device,
    hardware,
    portal,
    site,
)


@pytest.mark.parametrize(
    ("number", "label", "expected"),
    [
        (10, "Lobby", []),
        (999, "x", []),
        (2, "Main Entrance Lobby", []),
        (10, "No\N{NO-BREAK SPACE}break", ["IVN007"]),
        (0, "Lobby", ["IVN001"]),
        (1000, "Lobby", ["IVN001"]),
        (-1, "Lobby", ["IVN001"]),
        (10, "", ["IVN001"]),
        (10, " ", ["IVN001"]),
        (10, " Lobby", ["IVN001"]),
        (10, "Lobby ", ["IVN001"]),
        (10, "Lob\nby", ["IVN001"]),
        (10, "Lobby\x00", ["IVN001"]),
        (10, "Lob\N{LINE SEPARATOR}by", ["IVN001", "IVN007"]),
        (10, "<b>&", ["IVN003"]),
        (10, "10 Lobby", ["IVN008"]),
        (10, "100 Lobby", []),
    ],
)
def test_camera_names(number: int, label: str, expected: list[str]) -> None:
    assert codes(check_site(site(cameras=(camera(number, label),)))) == expected


@pytest.mark.parametrize(
    ("pin", "label", "expected"),
    [
        (2, "", []),
        (2, "Rising signal on input 1, alert event", []),
        (999, "Door", []),
        (0, "Door", ["IVN004"]),
        (1000, "", ["IVN004"]),
        (2, " Door", ["IVN004"]),
        (2, "a\nb", ["IVN004"]),
        (2, "a" * 60, []),
        (2, "a" * 61, ["IVN006"]),
        (999, "a" * 59, ["IVN006"]),
        (2, "\N{EN DASH} Rising", ["IVN007"]),
        (2, "H Door", ["IVN008"]),
        (2, "2 H", ["IVN008"]),
        (2, "2 Hall", []),
        (2, "Hall", []),
        *((2, f"a{each}b", ["IVN005"]) for each in "<>&'\"\\/:*?|[]"),
    ],
)
def test_event_names(pin: int, label: str, expected: list[str]) -> None:
    event = hardware(pin, label=label)
    found = codes(check_site(site(hardware_events=(event,), mail=Mail())))
    assert [each for each in found if each != "IVN050"] == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://portal.ivnview.example/api/v1", []),
        ("http://127.0.0.9:8443/api/v1", []),
        ("http://[::1]:8443/", []),
        ("http://localhost/", []),
        ("HTTPS://portal.example", []),
        ("http://portal.example", ["IVN064"]),
        ("http://127.0.0.1.evil.example/", ["IVN064"]),
        ("ftp://127.0.0.1/", ["IVN064"]),
        ("https://", ["IVN064"]),
        ("https://host:port/", ["IVN064"]),
        ("https://[::1", ["IVN064"]),
        ("nonsense", ["IVN064"]),
        ("https://user:hunter2@portal.example/", ["IVN064"]),
    ],
)
def test_portal_urls(url: str, expected: list[str]) -> None:
    found = list(check_site(site(portal=portal(url=url))))
    assert codes(found) == expected
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.10", []),
        ("127.0.0.1", []),
        ("2001:db8::1", []),
        ("::1", []),
        ("10.0.0.1", ["IVN061"]),
        ("172.31.255.255", ["IVN061"]),
        ("172.32.0.1", []),
        ("192.168.1.1", ["IVN061"]),
        ("100.64.0.1", ["IVN061"]),
        ("169.254.1.1", ["IVN061"]),
        ("0.0.0.0", ["IVN061"]),
        ("224.0.0.1", ["IVN061"]),
        ("fd00::1", ["IVN061"]),
        ("fe80::1", ["IVN061"]),
        ("::ffff:10.0.0.1", ["IVN061"]),
        ("harbor.example", ["IVN060"]),
        ("1.2.3", ["IVN060"]),
        ("010.0.0.1", ["IVN060"]),
    ],
)
def test_location_addresses(address: str, expected: list[str]) -> None:
    assert codes(check_site(site(portal=portal(device=device(location_address=address))))) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tls": Tls("off")}, ["IVN062"]),
        ({"tls": Tls("off"), "host": "127.0.0.3"}, []),
        ({"tls": Tls("off"), "host": "localhost", "auth": "basic"}, ["IVN063"]),
        ({"auth": "basic"}, []),
        ({"auth": "basic", "port": 5985}, ["IVN063"]),
        ({"auth": "basic", "port": 5985, "transport": "ssh", "tls": Tls("off")}, []),
    ],
)
def test_connections(changes: dict[str, object], expected: list[str]) -> None:
    assert codes(check_site(site(nvr=Nvr("x", connect(**changes))))) == expected


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "UTC", "Etc/GMT+5"])
def test_time_zones(zone: str) -> None:
    assert codes(check_site(site(time_zone=zone))) == []


@pytest.mark.parametrize("zone", ["EST", "America", "America/", "../../etc/passwd", "/etc/passwd", "", "A/B"])
def test_not_time_zones(zone: str) -> None:
    assert codes(check_site(site(time_zone=zone))) == ["IVN070"]


@pytest.mark.parametrize(
    ("window", "accepted"),
    [
        ("Mon-Fri 09:00-16:00", True),
        ("Sat,Sun 10:00-12:00", True),
        ("Mon-Wed,Fri 22:00-04:00", True),
        ("Mon 00:00-23:59", True),
        ("mon 09:00-16:00", False),
        ("Mon-Fri 09:00-09:00", False),
        ("Mon-Fri 09:00-24:00", False),
        ("Mon-Fri 9:00-16:00", False),
        ("Mon-Fri  09:00-16:00", False),
        ("Mon-Fri 09:00-16:00\n", False),
        ("09:00-16:00", False),
        ("", False),
    ],
)
def test_maintenance_windows(window: str, accepted: bool) -> None:
    assert codes(check_site(site(time_zone="America/New_York", maintenance_window=window))) == (
        [] if accepted else ["IVN071"]
    )
