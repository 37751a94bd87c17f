"""Opens the database that a URL names."""

from __future__ import annotations

from pathlib import Path

from rushes.catalog.database import Database
from rushes.catalog.sqlite import SqliteDatabase
from rushes.settings import SettingsError


def open_database(url: str) -> Database:
    """`sqlite:///relative`, `sqlite:////absolute` or `postgresql://...`. Raises SettingsError, which never quotes a URL:
    there may be a password in it. A server is not called before the first transaction."""
    if not is_shared(url):
        return SqliteDatabase(database_path(url))
    try:
        from rushes.catalog.postgres import PostgresDatabase  # deferred: embedded mode works without the driver
    except ImportError as error:
        raise SettingsError("PostgreSQL needs an extra: pip install 'rushes[fleet]'.") from error
    return PostgresDatabase(url)


def is_shared(url: str) -> bool:
    """Whether the URL names a server that many machines may use."""
    return url.partition(":")[0] in ("postgresql", "postgres")


def database_path(url: str) -> Path:
    """`sqlite:///relative` or `sqlite:////absolute` -> path. Raises SettingsError."""
    if not url.startswith("sqlite:///"):
        raise SettingsError(
            "RUSHES_DATABASE_URL must look like sqlite:///path/to/rushes.db or postgresql://user:password@host:5432/rushes."
        )
    return Path(url.removeprefix("sqlite:///"))
