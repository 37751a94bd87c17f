"""Where we may be sent to fetch something: which URLs, and which addresses of the net. Pure.

A guard against server-side request forgery. Whoever connects resolves a name once, has all of its addresses judged
here, and connects to one of those very addresses; each redirect begins anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import quote, unquote, urljoin, urlsplit

Address = IPv4Address | IPv6Address
MOST = 8192
"""Characters of a URL; presigned ones have up to about 2,000."""

_GLOBAL = ip_network("2000::/3")
"""What of IPv6 is given out for the public (IANA, "Internet Protocol Version 6 Address Space"). So the mapped, translated
(NAT64), unique-local, link-local and multicast ranges are out, which all lie elsewhere."""
_PRIVATE = tuple(
    map(
        ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "100.64.0.0/10", "fc00::/7", "::1/128"),
    )
)
_SPECIAL = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
            "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
        ),
    )
)  # fmt: skip
"""IANA's registries of special-purpose IPv4 and IPv6 addresses (RFC 6890), with multicast and what is reserved. Also those
that count as reachable there: anycast relays, Teredo, 6to4, which would carry a packet to some other place."""

_SHAPE = re.compile(r"[\x21-\x5b\x5d-\x7e]+")  # visible ASCII without the backslash, which parsers disagree about
_HOST = re.compile(
    r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.?"
)
_NUMBER = re.compile(r"(?:\d+|0x[0-9a-f]*)\.?")
_DEFAULT_PORTS = {"https": 443, "http": 80}


class AddressRefused(ValueError):
    """We do not go there; the text says why, in words for whoever gave the URL."""


@dataclass(frozen=True)
class Rules:
    private: bool = False
    """This machine and private networks too; never link-local addresses, where clouds keep their keys."""
    http: bool = False
    ports: tuple[int, ...] = (443,)


@dataclass(frozen=True)
class HttpUrl:
    """A URL in its parts. `host` is a name in ASCII small letters, or a literal address without brackets."""

    scheme: str
    host: str
    port: int
    path: str
    """With the query, as it goes into the request line."""

    @property
    def authority(self) -> str:
        """For the Host header (RFC 9110 section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def plain(self) -> str:
        """What may be written to a log: queries hold signatures."""
        return f"{self.scheme}://{self.authority}{self.path.split('?')[0]}"

    def at(self, address: Address) -> str:
        """The same URL with the address in the place of the name."""
        literal = f"[{address}]" if address.version == 6 else str(address)
        return f"{self.scheme}://{literal}:{self.port}{self.path}"

    @property
    def filename(self) -> str:
        return unquote(self.path.split("?")[0].rsplit("/", 1)[-1], errors="replace")

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_url(text: str, rules: Rules) -> HttpUrl:
    """Raises AddressRefused for what is no plain http(s) URL, or goes where the rules do not lead."""
    text = _ascii(text.strip())
    if len(text) > MOST or not _SHAPE.fullmatch(text):
        raise AddressRefused(f"A URL may have {MOST} visible characters, without spaces or backslashes.")
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or ""), parts.port
    except ValueError as error:
        raise AddressRefused("The URL cannot be understood.") from error
    scheme = parts.scheme.lower()
    if scheme != "https" and not (scheme == "http" and rules.http):
        raise AddressRefused("The URL must begin with https://.")
    if "@" in parts.netloc:
        raise AddressRefused("The URL must not hold a user name or a password.")
    port = port if port is not None else _DEFAULT_PORTS[scheme]
    if port not in rules.ports:
        raise AddressRefused(f"Port {port} is not one that files are fetched from.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return HttpUrl(scheme, _host(host, bracketed="[" in parts.netloc), port, path)


def redirected(url: HttpUrl, location: str, rules: Rules) -> HttpUrl:
    """Where an answer's Location leads (RFC 9110 section 10.2.2). Never from https to http. Raises AddressRefused."""
    target = parse_url(urljoin(str(url), _ascii(location.strip())), rules)
    if url.scheme == "https" and target.scheme != "https":
        raise AddressRefused("The server leads from https to http.")
    return target


def judge(host: str, addresses: Iterable[Address], rules: Rules) -> Sequence[Address]:
    """The addresses of a name, each once. One bad among them refuses all: nobody mixes them by accident.

    Raises AddressRefused.
    """
    found = tuple(dict.fromkeys(addresses))
    if not found:
        raise AddressRefused(f"There is no address of the name {host}.")
    if not all(is_public(address) or (rules.private and is_private(address)) for address in found):
        raise AddressRefused(f"{host} is not at a public address.")
    return found


def is_public(address: Address) -> bool:
    """Whether packets to it go out into the public net, and nowhere else."""
    if isinstance(address, IPv6Address) and (address not in _GLOBAL or address.scope_id is not None):
        return False
    return not _within(address, _SPECIAL)


def is_private(address: Address) -> bool:
    """Loopback, private networks (RFC 1918, RFC 4193), a provider's (RFC 6598)."""
    return _within(address, _PRIVATE)


def _within(address: Address, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _host(host: str, *, bracketed: bool) -> str:
    """A name, or an address in its one canonical form: `127.1`, `0x7f000001` and `2130706433` are none of them."""
    try:
        literal = ip_address(host)
        if bracketed == (literal.version == 6) and "%" not in host:
            return str(literal)
    except ValueError:
        if not bracketed and _HOST.fullmatch(host) and not _NUMBER.fullmatch(host.removesuffix(".").rsplit(".", 1)[-1]):
            return host.removesuffix(".")
    raise AddressRefused("The URL must name a host, such as https://files.example.com/clip.mp4.")


def _ascii(text: str) -> str:
    """A URL as people write it (RFC 3987 section 3.1): the name in Punycode, the rest percent-encoded."""
    if text.isascii():
        return text
    match = re.fullmatch(r"(?P<scheme>[a-zA-Z]+://)(?P<authority>[^/?#]*)(?P<rest>.*)", text)
    if match is None:
        return quote(text, safe="!#$%&'()*+,/:;=?@[]~")
    try:
        authority = match["authority"].encode("idna").decode("ascii")
    except UnicodeError as error:
        raise AddressRefused("The URL must name a host, such as https://files.example.com/clip.mp4.") from error
    return match["scheme"] + authority + quote(match["rest"], safe="!#$%&'()*+,/:;=?@[]~")
