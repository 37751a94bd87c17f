"""Where the fleet's doorbell is: `redis[s]://[[user]:[password]@]host[:port][/db][?namespace=...&ca=...]`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from rushes.settings import SettingsError

LOCAL = "memory://"
FORM = f"`{LOCAL}` or `redis[s]://[[user]:password@]host[:port][/db][?namespace=NAME&ca=FILE]`"


@dataclass(frozen=True)
class Address:
    host: str
    port: int
    database: int
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    certificates: str | None = None
    """Path of the authorities to believe (PEM) where the system's do not do."""
    namespace: str = "rushes"
    """What all keys begin with; fleets that share a Redis database take different ones."""

    @classmethod
    def parse(cls, url: str) -> Address:
        """Raises SettingsError; the sentence never has the address in it, for that may hold a password."""
        try:
            parts = urlsplit(url)
            port = parts.port or 6379
            options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        except ValueError:
            raise _wrong("it cannot be read as an address") from None
        _check(parts, options)
        return cls(
            host=parts.hostname or "", port=port, database=int(parts.path.strip("/") or 0), tls=parts.scheme == "rediss",
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            certificates=options.get("ca"), namespace=options.get("namespace", "rushes"),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{'rediss' if self.tls else 'redis'}://{self.host}:{self.port}/{self.database}"


def _check(parts: SplitResult, options: dict[str, str]) -> None:
    if parts.scheme not in ("redis", "rediss"):
        raise _wrong("it does not begin with one of these")
    if not parts.hostname:
        raise _wrong("it names no host")
    if not re.fullmatch(r"/?\d{0,4}", parts.path):
        raise _wrong("what follows the host is not the number of a database")
    if unknown := sorted(options.keys() - {"namespace", "ca"}):
        raise _wrong(f"it has options that mean nothing here ({', '.join(unknown)})")
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", options.get("namespace", "rushes")):
        raise _wrong("a namespace is made of 1 to 64 letters, digits, dots, dashes and underscores")


def _wrong(why: str) -> SettingsError:
    return SettingsError(f"RUSHES_BROKER_URL must be {FORM}, but {why}.")
