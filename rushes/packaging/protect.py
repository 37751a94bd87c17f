"""Protection: tracks in the clear, which only we can read, become the encrypted ones that players are given.

AES-128 (RFC 8216bis section 4.4.4.4): every object whole, the init segment too. `cbcs` (ISO/IEC 23001-7): the samples, so that
one set of objects serves HLS and DASH. Text and images stay as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from rushes.engine.job import Job
from rushes.errors import Blame, StepFailure
from rushes.isobmff.boxes import BoxError
from rushes.isobmff.cbcs import Protector, Secret
from rushes.isobmff.protected_init import protected_init, sample_entry_of
from rushes.isobmff.subsamples import ranges_of
from rushes.keys import output_prefix
from rushes.media_keys import MediaKey
from rushes.model import PackageResult
from rushes.storage.types import content_type
from rushes.storage.workspace import Workspace
from rushes.tracks import Protection, Segment, Track

INIT = "init.mp4"
Sealed = Callable[[bytes], tuple[bytes, int]]
"""A clear segment -> the protected one, and its bytes up to the end of its first picture; 0 where nobody can know."""


def protected(
    job: Job, workspace: Workspace, tracks: Sequence[Track], known: PackageResult | None = None
) -> list[Track]:
    """The tracks as players get them, in their order. What is the same in the build `known`, under the same key, is taken
    from there. Raises StepFailure `verify_failed`, `keys_not_configured`, StoreError."""
    if not job.is_protected:
        return list(tracks)
    key = workspace.tools.key
    if key is None:
        raise StepFailure("keys_not_configured", Blame.PERMANENT)
    return [_there(track, key, known) or _protected(job, workspace, track, key) for track in tracks]


def _there(track: Track, key: MediaKey, known: PackageResult | None) -> Track | None:
    if track.kind not in ("video", "audio"):
        return track
    pairs = zip(known.clear, known.tracks, strict=True) if known and known.clear else ()
    same = (sealed for clear, sealed in pairs if clear == track and sealed.protection)
    return next((sealed for sealed in same if sealed.protection and sealed.protection.kid == key.kid), None)


def _protected(job: Job, workspace: Workspace, track: Track, key: MediaKey) -> Track:
    scheme = "cbcs" if job.profile.outputs.protection == "cbcs" else "aes-128"
    protection = Protection(scheme=scheme, kid=key.kid, iv=_vector(key, track) if scheme == "aes-128" else key.iv)
    prefix = f"{output_prefix(job.asset, job.recipe, job.fence)}{track.name}/"
    clear = workspace.store.read(track.prefix + (track.init or ""))
    try:
        init, sealed = _sealing(clear, protection, key)
        made = _Made(track, workspace, sealed, [])
        workspace.publish_all(made.objects(prefix, init))
    except BoxError as error:
        raise StepFailure("verify_failed", Blame.TRANSIENT, detail=f"{track.name}: {error}") from error
    changed = {"prefix": prefix, "init": INIT, "init_size": len(init), "segments": tuple(made.segments)}
    return track.model_copy(update={**changed, "protection": protection})


def _vector(key: MediaKey, track: Track) -> str:
    """Of its own for each track: the objects of all of them begin alike."""
    return hashlib.sha256(f"{key.iv}.{track.name}".encode()).hexdigest()[:32]


def _sealing(init: bytes, protection: Protection, key: MediaKey) -> tuple[bytes, Sealed]:
    """The init segment, and how segments are made. Raises BoxError."""
    secret = Secret(bytes.fromhex(key.kid), bytes.fromhex(key.key), bytes.fromhex(protection.iv))
    if protection.scheme == "aes-128":
        return encrypted(init, secret), lambda data: (encrypted(data, secret), 0)
    protector = Protector.of(init, secret, ranges_of(sample_entry_of(init)))
    return protected_init(init, secret), protector.segment


def encrypted(data: bytes, secret: Secret) -> bytes:
    """AES-128 in CBC mode with PKCS #7 padding, as HLS has it for whole objects."""
    padder = PKCS7(128).padder()
    encryptor = Cipher(AES128(secret.key), CBC(secret.iv)).encryptor()
    return encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()


@dataclass(frozen=True)
class _Made:
    """A track on its way: its protected segments are described as they are made."""

    track: Track
    workspace: Workspace
    sealed: Sealed
    segments: list[Segment]

    def objects(self, prefix: str, init: bytes) -> Iterator[tuple[str, bytes, str]]:
        """Key, bytes and type."""
        yield prefix + INIT, init, content_type(INIT)
        clear = self.workspace.read_all(self.track.prefix + segment.name for segment in self.track.segments)
        for number, (segment, each) in enumerate(zip(self.track.segments, clear, strict=True), 1):
            data, reach = self.sealed(each)
            name = f"{number:05d}.m4s"
            picture = reach if segment.keyframe_size else 0
            self.segments.append(Segment(name=name, ticks=segment.ticks, size=len(data), keyframe_size=picture))
            self.workspace.progress(0.9 * number / len(self.track.segments))
            yield prefix + name, data, content_type(name)
