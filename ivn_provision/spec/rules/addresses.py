"""What kind of network address a text is."""

from __future__ import annotations

import functools
import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# not the library's is_private: that one also counts the documentation networks of examples and tests
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(each)
    for each in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "224.0.0.0/3",
        "::/128",
        "fc00::/7",
        "fe80::/10",
        "ff00::/8",
    )
)


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> Address | None:
    """The address that a text spells, or None for a host name."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


@functools.lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Does a host name or address (brackets allowed) mean this machine?"""
    if host.casefold() == "localhost":
        return True
    address = parse(host.removeprefix("[").removesuffix("]"))
    return address is not None and address.is_loopback


@functools.lru_cache(maxsize=1024)
def is_inside(text: str) -> bool:
    """Is it an address that the Internet does not reach? False for names and for loopback."""
    address = parse(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address is not None and any(address in network for network in _NOT_PUBLIC)
