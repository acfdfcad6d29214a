"""Which addresses a callback may connect to: public ones, and the networks that were allowed.

From the IANA special-purpose registries (RFC 6890), with what stands inside other addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from ..errors import ConfigurationError

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

_SPECIAL: Sequence[tuple[Network, str]] = [
    (ip_network(network), why)
    for why, networks in {
        "the cloud's metadata": "169.254.169.254/32 169.254.170.2/32 168.63.129.16/32 "
        "100.100.100.200/32 192.0.0.192/32 fd00:ec2::254/128",
        "unspecified": "0.0.0.0/8 ::/128",
        "loopback": "127.0.0.0/8 ::1/128",
        "link-local": "169.254.0.0/16 fe80::/10",
        "private": "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 198.18.0.0/15 "
        "fc00::/7 fec0::/10 64:ff9b:1::/48",
        "multicast": "224.0.0.0/4 ff00::/8",
        "reserved": "192.0.0.0/24 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 "
        "192.175.48.0/24 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 ::/96 100::/64 2001::/23 "
        "2001:db8::/32 3fff::/20 5f00::/16",
    }.items()
    for network in networks.split()
]
_GIVEN_OUT = IPv6Network("2000::/3")  # all that IANA has allocated to anybody
_NAT64 = IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = IPv6Network("2002::/16")


def parse_networks(text: str) -> Sequence[Network]:
    """Networks with commas between them, such as `10.0.0.0/8`. `ConfigurationError`."""
    try:
        return [ip_network(one.strip()) for one in text.split(",") if one.strip()]
    except ValueError as error:
        raise ConfigurationError(
            f"EITHERWAY_CALLBACK_NETWORKS: {error}: give networks such as 10.0.0.0/8"
        ) from None


def refusal(text: str, allowed: Iterable[Network]) -> str | None:
    """What kind of address it is that a callback may not connect to; None: it may."""
    address = _innermost(ip_address(text.partition("%")[0]))
    if any(address in network for network in allowed):
        return None
    for network, why in _SPECIAL:
        if address in network:
            return why
    given_out = isinstance(address, IPv4Address) or address in _GIVEN_OUT
    return None if given_out and address.is_global else "reserved"


def _innermost(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if address in _SIX_TO_FOUR:
        return IPv4Address(int(address) >> 80 & 0xFFFF_FFFF)
    return address
