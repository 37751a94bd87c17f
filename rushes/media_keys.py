"""Keys of protected media: what a key is, who gives it, and how ours are derived from one secret. Pure.

A key belongs to an asset and a version of its keys. Its name (`kid`) is public and stands in manifests and init segments; the
key itself is only ever in memory: not in the database, in the object store, or in a log.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import Field

from rushes.noun import Noun

HEX16 = r"^[0-9a-f]{32}$"


class MediaKey(Noun):
    """AES-128: name, key and initialization vector, 32 hexadecimal digits each."""

    kid: str = Field(pattern=HEX16)
    key: str = Field(pattern=HEX16, repr=False)
    iv: str = Field(pattern=HEX16)


class KeyServer(Protocol):
    """Gives the same key for the same asset and version, whoever asks and whenever."""

    def key(self, asset: str, version: int) -> MediaKey:
        """Blocks. Raises StepFailure: `key_server_unavailable` where a later attempt may succeed, `key_server_refused`."""
        ...


@dataclass(frozen=True)
class DerivedKeys:
    """Keys made from a secret (HKDF with SHA-256, RFC 5869): nothing has to be kept but the secret."""

    secret: bytes

    def __repr__(self) -> str:
        return "DerivedKeys()"

    def key(self, asset: str, version: int) -> MediaKey:
        parts = {name: self._derived(name, asset, version) for name in ("kid", "key", "iv")}
        return MediaKey(**parts)

    def _derived(self, name: str, asset: str, version: int) -> str:
        info = f"rushes.media.{name}.{asset}.{version}".encode()
        return HKDF(algorithm=SHA256(), length=16, salt=None, info=info).derive(self.secret).hex()


def versions(newest: int, oldest: int) -> Iterator[int]:
    """The versions of an asset's keys that are given out, newest first."""
    return iter(range(newest, oldest - 1, -1))
