"""Signatures of bodies whose SHA-256 is known: a part is hashed while it comes, and need not be hashed again when it goes.

botocore has no word for that, but lets a client choose a signer of its own for an operation.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_NAME = "s3v4-hashed"


class Hashed(bytearray):
    """A body that knows its SHA-256, as far as its first bytes were hashed when they came."""

    def __init__(self, data: bytes | bytearray = b"") -> None:
        super().__init__(data)
        self.reset()

    def reset(self) -> None:
        """Other bytes take the place of these."""
        self._hash, self._hashed = sha256(), 0

    def hash(self, piece: bytes | memoryview, at: int) -> None:
        """The bytes from `at` on are these. They are looked at later where the ones before them were not hashed yet."""
        if at == self._hashed:
            self._hash.update(piece)
            self._hashed += len(piece)

    def hexdigest(self) -> str:
        """Of the whole, as it is now."""
        if self._hashed < len(self):
            with memoryview(self) as view:
                self.hash(view[self._hashed :], self._hashed)
        return self._hash.hexdigest()


def sign_hashed(client: S3Client) -> None:
    """Have parts that are `Hashed` signed without another look at their bytes."""
    from botocore.auth import AUTH_TYPE_MAPS, S3SigV4Auth  # deferred: importing it takes long

    class Signer(S3SigV4Auth):
        def payload(self, request: Any) -> str:  # noqa: ANN401 - botocore's
            return request.body.hexdigest() if isinstance(request.body, Hashed) else super().payload(request)

    AUTH_TYPE_MAPS[_NAME] = Signer
    client.meta.events.register("choose-signer.s3.UploadPart", _choose)  # type: ignore[arg-type] # stubs: answers nothing


def _choose(signature_version: str, **_: Any) -> str | None:  # noqa: ANN401 - botocore's
    """Not for what is signed in advance."""
    return _NAME if signature_version == "s3v4" else None
