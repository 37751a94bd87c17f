"""Standard Webhooks signatures (specification 1.0, "Signature scheme"): HMAC-SHA256 over `id.timestamp.body`. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re

from rushes.settings import SettingsError

PREFIX = "whsec_"
SHORTEST = 24
"""Bytes; the specification asks for 24 to 64."""


def secrets_of(setting: str) -> tuple[bytes, ...]:
    """One secret, or several between commas or spaces while a new one replaces an old one. Raises SettingsError."""
    found = tuple(_decoded(text) for text in re.split(r"[,\s]+", setting.strip()) if text)
    if not found:
        raise SettingsError("RUSHES_WEBHOOK_URL needs RUSHES_WEBHOOK_SECRET: `whsec_` and base64 of at least 24 bytes.")
    return found


def _decoded(text: str) -> bytes:
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        secret = b""
    if len(secret) < SHORTEST:
        raise SettingsError("RUSHES_WEBHOOK_SECRET must be `whsec_` and base64 of at least 24 bytes.")
    return secret


def sign(secret: bytes, identity: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: `v1,` and base64. `timestamp` is in whole seconds."""
    content = f"{identity}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, content, hashlib.sha256).digest()).decode()
