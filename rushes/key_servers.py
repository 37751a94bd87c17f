"""Which key server there is, by the settings: our own derivation, or somebody else's server over HTTP."""

from __future__ import annotations

from pathlib import Path

import httpx
from pydantic import ValidationError

from rushes.api.preview_secret import kept_secret
from rushes.catalog.open import is_shared
from rushes.errors import Blame, StepFailure
from rushes.media_keys import DerivedKeys, KeyServer, MediaKey
from rushes.settings import Settings, SettingsError

NAME = "key-secret"
SHORTEST = 32
TIMEOUT = httpx.Timeout(10.0, connect=5.0)
"""Seconds of silence, and to connect."""
MOST_BYTES = 65_536
MOST_KEYS = 1000
"""Remembered; then all are forgotten, which costs one question each."""
_PASSING = (408, 425, 429)
"""Statuses below 500 after which the same request may succeed."""


def key_server(settings: Settings) -> KeyServer | None:
    """None in a fleet that names neither a secret nor a server: then nothing can be protected. Raises SettingsError."""
    if settings.key_server_url:
        return HttpKeys(settings.key_server_url, settings.key_server_token)
    if settings.key_secret:
        if len(settings.key_secret) < SHORTEST:
            raise SettingsError(f"RUSHES_KEY_SECRET must be a random text of at least {SHORTEST} characters.")
        return DerivedKeys(settings.key_secret.encode())
    return None if is_shared(settings.database) else KeptKeys(settings.data / NAME)


class KeptKeys:
    """Derived from a secret in the data directory, which is made when the first key is asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def key(self, asset: str, version: int) -> MediaKey:
        return DerivedKeys(kept_secret(self._path)).key(asset, version)


class HttpKeys:
    """`GET {url}?asset=...&version=...` gives `{"kid": ..., "key": ..., "iv": ...}`, 32 hexadecimal digits each."""

    def __init__(self, url: str, token: str, transport: httpx.BaseTransport | None = None) -> None:
        if not url.startswith(("https://", "http://")):
            raise SettingsError("RUSHES_KEY_SERVER_URL must be an http or https address.")
        headers = {"Accept": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        self._url = url
        self._known: dict[tuple[str, int], MediaKey] = {}
        self._http = httpx.Client(headers=headers, timeout=TIMEOUT, transport=transport, follow_redirects=False)

    def key(self, asset: str, version: int) -> MediaKey:
        """The same question has the same answer always, so it is asked once: every viewer wants the key."""
        known = self._known.get((asset, version))
        if known is None:
            known = self._asked(asset, version)
            if len(self._known) >= MOST_KEYS:
                self._known.clear()
            self._known[asset, version] = known
        return known

    def _asked(self, asset: str, version: int) -> MediaKey:
        """What goes wrong is told without a word of the answer: there may be a key in it."""
        try:
            answer = self._http.get(self._url, params={"asset": asset, "version": str(version)})
        except httpx.HTTPError as error:
            raise _unavailable(type(error).__name__) from error
        if answer.status_code >= 500 or answer.status_code in _PASSING:
            raise _unavailable(f"status {answer.status_code}")
        if answer.status_code != 200:
            raise StepFailure("key_server_refused", Blame.PERMANENT, detail=f"status {answer.status_code}")
        return _read(answer.content)


def _read(body: bytes) -> MediaKey:
    try:
        if len(body) <= MOST_BYTES:
            return MediaKey.model_validate_json(body.lower())
    except ValidationError:
        pass
    raise StepFailure("key_server_refused", Blame.PERMANENT, detail="the answer is not kid, key and iv in JSON")


def _unavailable(detail: str) -> StepFailure:
    return StepFailure("key_server_unavailable", Blame.TRANSIENT, detail=detail)
