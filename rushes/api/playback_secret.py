"""Where the secrets of playback tokens come from."""

from __future__ import annotations

import hashlib
import hmac

from rushes.settings import Settings


def playback_secrets(settings: Settings, preview: bytes) -> tuple[bytes, ...]:
    """The first signs, all are believed. Without a setting there is one, made of the preview's, so that a fleet that shares
    that one shares this one too. Raises SettingsError."""
    named = settings.playback_secrets
    return named or (hmac.new(preview, b"rushes.playback", hashlib.sha256).hexdigest().encode(),)
