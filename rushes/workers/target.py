"""Where webhooks may go. A guard against server-side request forgery: names are resolved once and checked.

The rule: `http` and addresses on loopback are for a receiver on this machine, which the setting has to name as such
(`localhost`, `127.0.0.1`, `[::1]`). Everything else is `https` and must resolve to public addresses only; private,
link-local and metadata addresses are refused. The connection goes to the very address that was checked, so that a name
that resolves differently the second time gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

import httpx

Address = IPv4Address | IPv6Address


class TargetRefused(Exception):
    """The target is not one that we would send to; the text says why."""


@dataclass(frozen=True)
class Target:
    """A URL whose host is an address, with the name that TLS and the Host header need."""

    url: httpx.URL
    host: str
    name: str

    @classmethod
    async def resolve(cls, url: str) -> Target:
        """Raises TargetRefused."""
        parsed = check_url(url)
        address = choose(parsed.host, await _addresses(parsed))
        literal = f"[{address}]" if address.version == 6 else str(address)
        return cls(parsed.copy_with(host=literal), parsed.netloc.decode("ascii"), parsed.host)


def check_url(url: str) -> httpx.URL:
    """Scheme, host and no credentials. Raises TargetRefused."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise TargetRefused(f"the address cannot be understood: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo:
        raise TargetRefused("the address must be https://host/path without a user name")
    if parsed.scheme == "http" and not names_loopback(parsed.host):
        raise TargetRefused("http is for receivers on this machine only; use https")
    return parsed


def choose(host: str, addresses: Sequence[Address]) -> Address:
    """The address to connect to. One bad address among them refuses all: nobody mixes them by accident."""
    if not addresses:
        raise TargetRefused("the name has no address")
    local = names_loopback(host)
    for address in addresses:
        plain = _unwrapped(address)
        if not (plain.is_loopback if local else plain.is_global and not plain.is_multicast):
            raise TargetRefused(f"{host} resolves to {address}, which is not a public address")
    return addresses[0]


def names_loopback(host: str) -> bool:
    """Whether the setting itself says that the receiver is on this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _unwrapped(address: Address) -> Address:
    """The IPv4 address inside `::ffff:127.0.0.1`, 6to4 or NAT64: it is where the packets would go."""
    if isinstance(address, IPv4Address):
        return address
    if address.packed[:12] == bytes.fromhex("0064ff9b") + bytes(8):
        return IPv4Address(address.packed[12:])
    return address.ipv4_mapped or address.sixtofour or address


async def _addresses(url: httpx.URL) -> list[Address]:
    loop = asyncio.get_running_loop()
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        found = await loop.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise TargetRefused(f"the name cannot be resolved: {error}") from error
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
