"""Secrets that stand in addresses: whoever has one may do the one thing it is for. Pure.

A token is made from a longer secret and the name of what it opens, so that an answer that was lost can be given again
without anything but its digest being kept. It is compared by its digest, in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode


def token_of(secret: bytes, purpose: str, identity: str) -> str:
    """43 letters that need no escaping in an address: HMAC-SHA256 (RFC 2104) in base64url without padding."""
    mac = hmac.new(secret, f"rushes.{purpose}.{identity}".encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(mac).rstrip(b"=").decode()


def digest_of(token: str) -> str:
    """SHA-256 in hex: what is kept of a token. It has 256 random bits, so that no salt and no slow hash is needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def opens(token: str, digest: str) -> bool:
    """Whether a token is the one of this digest; the time taken tells nothing of how near it was."""
    return hmac.compare_digest(digest_of(token), digest)
