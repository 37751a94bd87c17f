"""The settings about caches, checked and put in the form that steps are given."""

from __future__ import annotations

from urllib.parse import urlsplit

from rushes.engine.job import PurgeSettings
from rushes.settings import Settings, SettingsError

LEAST_SECRET = 16


def purge_settings(settings: Settings) -> PurgeSettings | None:
    """None where no cache is told. Raises SettingsError."""
    if settings.purge == "off":
        return None
    urls = tuple(url.strip().rstrip("/") for url in settings.purge_url.split(",") if url.strip())
    _check(settings, urls)
    return PurgeSettings(
        kind=settings.purge, urls=urls, secret=settings.purge_secret, method=settings.purge_method.upper(),
        headers=_headers(settings.purge_headers), body=settings.purge_body, public_url=settings.public_url.rstrip("/"),
    )  # fmt: skip


def _check(settings: Settings, urls: tuple[str, ...]) -> None:
    if not urls:
        raise SettingsError(
            f"RUSHES_PURGE={settings.purge} needs RUSHES_PURGE_URL: the address of each cache, comma-separated."
        )
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.username:
            raise SettingsError(f"RUSHES_PURGE_URL: {url} must be http(s)://host, without a user name.")
    if settings.purge != "http" and len(settings.purge_secret) < LEAST_SECRET:
        raise SettingsError(
            f"RUSHES_PURGE={settings.purge} needs RUSHES_PURGE_SECRET, of at least {LEAST_SECRET} characters."
        )
    if not settings.purge_method.isascii() or not settings.purge_method.isalpha():
        raise SettingsError("RUSHES_PURGE_METHOD must be the name of an HTTP method, such as POST or PURGE.")
    if "{url" in f"{settings.purge_url}{settings.purge_body}" and not settings.public_url:
        raise SettingsError("RUSHES_PURGE_BODY speaks of URLs, so RUSHES_PUBLIC_URL has to say what viewers call us.")


def _headers(text: str) -> dict[str, str]:
    """`Name: value|Name: value`. Raises SettingsError."""
    pairs = [pair.partition(":") for pair in text.split("|") if pair.strip()]
    if any(not colon or not name.strip() or not value.strip() for name, colon, value in pairs):
        raise SettingsError("RUSHES_PURGE_HEADERS must be `Name: value`, several of them separated by `|`.")
    return {name.strip(): value.strip() for name, _, value in pairs}
