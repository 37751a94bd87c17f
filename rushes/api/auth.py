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
    """SHA-256 of each API key with its tenant. The keys themselves are not kept."""

    digests: tuple[tuple[bytes, str], ...]

    @classmethod
    def of(cls, settings: Settings) -> Keys:
        return cls(tuple((_digest(key), tenant) for key, tenant in settings.keys.items()))

    def tenant(self, key: str) -> str | None:
        """Compares with every key in constant time, so that the time taken tells nothing of how near a guess was."""
        digest, found = _digest(key), None
        for known, tenant in self.digests:
            if hmac.compare_digest(known, digest):
                found = tenant
        return found


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def tenant_of(request: Request) -> str:
    """The tenant that a request acts for. Raises Unauthorized, or NotAllowed where another web site is asking."""
    settings: Settings = request.app.state.services.settings
    if settings.auth == "off":
        _refuse_other_sites(request, settings)
        return DEFAULT_TENANT
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    keys: Keys = request.app.state.keys
    tenant = keys.tenant(key.strip()) if scheme.lower() == "bearer" and key.strip() else None
    if tenant is None:
        raise Unauthorized("unauthorized", "Send `Authorization: Bearer KEY` with a valid API key.")
    return tenant


Tenant = Annotated[str, Depends(tenant_of)]


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


def operator_only(request: Request) -> None:
    """For /metrics: callers on loopback that no proxy stands in front of, or anybody with a key."""
    proxied = any(name in request.headers for name in FORWARDED)
    if request.client and is_loopback(request.client.host) and not proxied:
        return
    if request.app.state.services.settings.auth == "off":
        raise NotAllowed("loopback_only", "This address answers on loopback only, unless API keys are set.")
    tenant_of(request)
