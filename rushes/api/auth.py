"""Who asks. Static API keys, or nobody where `RUSHES_AUTH=off`, which the command line allows on loopback only."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

from rushes.errors import RushesError
from rushes.settings import Settings

DEFAULT_TENANT = "default"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


class Unauthorized(RushesError):
    """No key, or a wrong one (RFC 9110 section 15.5.2)."""

    status = 401


class NotAllowed(RushesError):
    status = 403


@dataclass(frozen=True)
class Keys:
    """SHA-256 of each API key with its tenant, and of each operator's key. The keys themselves are not kept."""

    digests: tuple[tuple[bytes, str], ...]
    operators: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> Keys:
        digests = tuple((_digest(key), tenant) for key, tenant in settings.keys.items())
        return cls(digests, tuple(_digest(key) for key in settings.operators))

    def tenant(self, key: str) -> str | None:
        """Compares with every key in constant time, so that the time taken tells nothing of how near a guess was."""
        digest, found = _digest(key), None
        for known, tenant in self.digests:
            if hmac.compare_digest(known, digest):
                found = tenant
        return found

    def is_operators(self, key: str) -> bool:
        """Likewise in constant time."""
        digest, found = _digest(key), False
        for known in self.operators:
            found |= hmac.compare_digest(known, digest)
        return found


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def tenant_of(request: Request) -> str:
    """The tenant that a request acts for. Raises Unauthorized, or NotAllowed where another web site is asking."""
    settings: Settings = request.app.state.services.settings
    if settings.auth == "off":
        _refuse_other_sites(request, settings)
        return DEFAULT_TENANT
    keys: Keys = request.app.state.keys
    key = _bearer(request)
    tenant = keys.tenant(key) if key else None
    if tenant is None:
        raise Unauthorized("unauthorized", TENANT_ONLY) if keys.is_operators(key) else _unknown()
    return tenant


TENANT_ONLY = "This takes a key of the tenant whose assets they are. An operator's retries, prioritises and asks why."
Tenant = Annotated[str, Depends(tenant_of)]


def _unknown() -> Unauthorized:
    return Unauthorized("unauthorized", "Send `Authorization: Bearer KEY` with a valid API key.")


def _bearer(request: Request) -> str:
    """The key that a request carries; empty: none."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


@dataclass(frozen=True)
class Caller:
    """A tenant, or an operator, who belongs to none. Where there are no keys, who sits at this machine is both."""

    tenant: str | None
    is_operator: bool


def caller_of(request: Request) -> Caller:
    """Raises Unauthorized, NotAllowed."""
    settings: Settings = request.app.state.services.settings
    if settings.auth == "off":
        return Caller(tenant_of(request), _sits_here(request))
    keys: Keys = request.app.state.keys
    key = _bearer(request)
    found = Caller(keys.tenant(key), keys.is_operators(key)) if key else Caller(None, False)
    if found.tenant is None and not found.is_operator:
        raise _unknown()
    return found


def operator_of(request: Request) -> Caller:
    """For what changes the fleet. Raises Unauthorized, NotAllowed `operator_only`."""
    caller = caller_of(request)
    if not caller.is_operator:
        raise NotAllowed("operator_only", OPERATOR_ONLY)
    return caller


OPERATOR_ONLY = "Only operators may do this: send one of the keys in RUSHES_OPERATOR_KEYS."
AnyCaller = Annotated[Caller, Depends(caller_of)]
Operator = Annotated[Caller, Depends(operator_of)]


def _refuse_other_sites(request: Request, settings: Settings) -> None:
    """Without keys, a page on any web site could use its visitor's browser to reach us on loopback.

    A foreign name that resolves to 127.0.0.1 (DNS rebinding) shows in Host, a form or script of a foreign page in
    Origin.
    """
    own = {"localhost", _host_of(settings.public_url) or "localhost"}
    host = request.url.hostname or ""
    if host not in own and not host.endswith(".localhost") and not is_loopback(host):
        raise NotAllowed(
            "host_not_allowed",
            "Without API keys only loopback names are answered. RUSHES_PUBLIC_URL may name one more.",
        )
    origin = request.headers.get("origin")
    if origin and request.method not in SAFE_METHODS and _host_of(origin) not in {*own, host}:
        raise NotAllowed("cross_site", "Without API keys, changes are not accepted from pages of other sites.")


def _host_of(address: str) -> str | None:
    """None for what names no host: `null`, which browsers send for sandboxed frames and local files, and nonsense."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """For literal addresses; a name is never loopback."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _sits_here(request: Request) -> bool:
    """On loopback, with no proxy in front."""
    proxied = any(name in request.headers for name in FORWARDED)
    return request.client is not None and is_loopback(request.client.host) and not proxied


def operator_only(request: Request) -> None:
    """For what only shows numbers of the whole fleet: callers on loopback that no proxy stands in front of, or anybody with a
    key."""
    if _sits_here(request):
        return
    if request.app.state.services.settings.auth == "off":
        raise NotAllowed("loopback_only", "This address answers on loopback only, unless API keys are set.")
    caller_of(request)
