"""A good stream made of bytes: two H.264 rungs and one in HEVC with PQ, sound in two languages, captions, tiles; HLS and DASH as
our packager writes them. No encoder is needed: samples are noise of the right sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from struct import pack
from typing import Any

import pytest

from rushes.isobmff.boxes import box
from rushes.isobmff.cbcs import Secret
from rushes.isobmff.movie import MovieTrack
from rushes.isobmff.protected_init import protected_init
from rushes.isobmff.samples import Sample
from rushes.isobmff.segmenter import cut
from rushes.keys import build_prefix, media_prefix
from rushes.model import Cue, TranscriptResult
from rushes.packaging.build import build_documents
from rushes.packaging.captions import build_captions
from rushes.packaging.lint.gather import DEEP, gather
from rushes.packaging.lint.reach import BASE, StoreReach
from rushes.packaging.lint.report import Report, report
from rushes.storage.memory import MemoryStore
from rushes.tracks import Protection, Segment, Track
from tests.unit.isobmff.conftest import AVCC, mp4a

ASSET = "0" * 26
MEDIA, BUILD = media_prefix(ASSET), build_prefix(ASSET, 1)
FPS, SCALE, COUNT = 30, 15_360, 6
KID = "0123456789abcdef0123456789abcdef"
_SQUARE = box("pasp", pack(">II", 1, 1))
_HVCC = bytes([1, 2, 0x20, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 93]) + bytes(10)


def colr(primaries: int, transfer: int, matrix: int) -> bytes:
    return box("colr", b"nclx", pack(">HHHB", primaries, transfer, matrix, 0))


def entry(kind: str, configuration: bytes, size: tuple[int, int], colour: bytes) -> bytes:
    fields = bytes(6) + pack(">H", 1) + bytes(16) + pack(">HH", *size) + bytes(50)
    return box(kind, fields, configuration, colour, _SQUARE)


def picture(size: tuple[int, int], weight: int, *, hdr: bool = False) -> tuple[MovieTrack, bytes]:
    """Two-second closed GOPs; `weight` bytes for each picture, eight times that for a key picture."""
    made, at = [], 0
    for number in range(COUNT * 2 * FPS):
        key = number % (2 * FPS) == 0
        length = weight * 8 if key else weight + number % 7
        made.append(Sample(number * 512, 0, 512, at, length, key))
        at += length
    content = (
        entry("hvc1", box("hvcC", _HVCC), size, colr(9, 16, 9))
        if hdr
        else entry("avc1", box("avcC", AVCC), size, colr(1, 1, 1))
    )
    codecs = "hvc1.2.4.L93.90" if hdr else "avc1.64001f"
    return MovieTrack(1, "vide", SCALE, content, codecs, *size, samples=made), bytes(at)


def sound() -> tuple[MovieTrack, bytes]:
    count = COUNT * 2 * 48_000 // 1024
    made = [Sample(number * 1024, 0, 1024, number * 200, 200, True) for number in range(count)]
    track = MovieTrack(1, "soun", 48_000, mp4a(), "mp4a.40.2", channels=2, sample_rate=48_000, samples=made)
    return track, bytes(count * 200)


@dataclass
class Good:
    """The stream in a store; damages change its objects."""

    store: MemoryStore
    tracks: list[Track]

    def write(self) -> None:
        """Its manifests."""
        for name, text in build_documents(ASSET, 1, self.tracks, audio_only=True).items():
            self.store.put_bytes(BUILD + name, text.encode())

    def copy(self) -> Good:
        store = MemoryStore()
        for found in self.store.list(MEDIA):
            store.put_bytes(found.key, self.store.read(found.key))
        return Good(store, self.tracks)

    def edit(self, name: str, old: str, new: str, count: int = -1) -> None:
        """Change a manifest; what is not there cannot be changed, and the test would prove nothing."""
        text = self.store.read(BUILD + name).decode()
        assert old in text, f"{old!r} is not in {name}"
        self.store.put_bytes(BUILD + name, text.replace(old, new, count).encode())

    def key(self, track: str, name: str) -> str:
        return next(found.prefix for found in self.tracks if found.name == track) + name

    def change(self, track: str, name: str, how: Callable[[bytes], bytes]) -> None:
        key = self.key(track, name)
        before = self.store.read(key)
        after = how(before)
        assert after != before
        self.store.put_bytes(key, after)

    def check(self, *, growing: bool = False) -> Report:
        entries = [name for name in ("master.m3u8", "manifest.mpd") if self._has(BUILD + name)]
        stream = gather(
            [f"{BASE}{BUILD}{name}" for name in entries], StoreReach(self.store, MEDIA), DEEP, growing=growing
        )
        return report(stream)

    def _has(self, key: str) -> bool:
        return any(found.key == key for found in self.store.list(BUILD))


def put(store: MemoryStore, name: str, made: tuple[MovieTrack, bytes], **more: Any) -> Track:
    movie, data = made
    video = movie.handler == "vide"
    step = 2 * FPS if video else 94
    pieces = cut(movie, data, list(range(0, len(movie.samples), step)))
    prefix = f"{MEDIA}t/r/1/{name}/"
    init = _sealed(pieces.init) if more.get("protection") else pieces.init
    store.put_bytes(f"{prefix}init.mp4", init)
    segments = []
    for number, piece in enumerate(pieces.segments, 1):
        store.put_bytes(f"{prefix}{number:05d}.m4s", piece.data)
        keyframe = piece.keyframe_size if video else 0
        segments.append(
            Segment(name=f"{number:05d}.m4s", ticks=piece.ticks, size=len(piece.data), keyframe_size=keyframe)
        )
    shape = {"width": movie.width, "height": movie.height, "fps": Fraction(FPS)} if video else {"channels": 2}
    fields = {"name": name, "kind": "video" if video else "audio", "prefix": prefix, "init_size": len(init)}
    fields |= {"codecs": movie.codecs, "timescale": movie.timescale, "segments": tuple(segments), **shape}
    if not video:
        fields["sample_rate"] = 48_000
    return Track(**(fields | more))


def _sealed(init: bytes) -> bytes:
    return protected_init(init, Secret(bytes.fromhex(KID), bytes(16), bytes(16)))


def jpeg(width: int, height: int) -> bytes:
    frame = pack(">BHHB", 8, height, width, 3) + bytes(9)
    return b"\xff\xd8\xff\xc0" + pack(">H", 2 + len(frame)) + frame + bytes(3000)


def tiles(store: MemoryStore) -> Track:
    prefix = f"{MEDIA}t/s/1/storyboard/"
    store.put_bytes(f"{prefix}00001.jpg", jpeg(640, 360))
    segment = Segment(name="00001.jpg", ticks=COUNT * 2 * 1000, size=len(jpeg(640, 360)))
    return Track(
        name="storyboard", kind="image", prefix=prefix, init=None, codecs="jpeg", timescale=1000, segments=(segment,),
        width=160, height=90, tiles=(4, 4), tile_ticks=1000,
    )  # fmt: skip


def captions(store: MemoryStore, grid: Track) -> Track:
    cues = (
        Cue(start=0.5, end=1.5, text="One"),
        Cue(start=4.5, end=6.5, text="Two"),
        Cue(start=9.0, end=11.0, text="Three"),
    )
    said = TranscriptResult(language="en", engine="x", trusted=True, cues=cues, vtt_key="", json_key="")
    made = build_captions(said, grid, f"{MEDIA}t/c/1/")
    for name, data in made.files.items():
        store.put_bytes(made.track.prefix + name, data)
    return made.track


def good() -> Good:
    store = MemoryStore()
    pictures = [
        put(store, "720p", picture((1280, 720), 3000)),
        put(store, "360p", picture((640, 360), 1700)),
        put(store, "720p-hevc-hdr", picture((1280, 720), 2200, hdr=True), hdr="pq"),
    ]
    sounds = [
        put(store, "audio", sound(), language="en", default=True),
        put(store, "audio-de", sound(), language="de"),
    ]
    found = Good(store, [*pictures, *sounds, captions(store, pictures[0]), tiles(store)])
    found.write()
    return found


def protected() -> Good:
    """One rung and its sound by `cbcs`. The samples are noise anyway."""
    store = MemoryStore()
    seal = Protection(scheme="cbcs", kid=KID, iv="0" * 32)
    found = Good(
        store,
        [
            put(store, "360p", picture((640, 360), 1700), protection=seal),
            put(store, "audio", sound(), language="en", default=True, protection=seal),
        ],
    )
    found.write()
    return found


@pytest.fixture(scope="module")
def whole() -> Good:
    return good()


@pytest.fixture(scope="module")
def whole_sealed() -> Good:
    return protected()


@pytest.fixture
def stream(whole: Good) -> Good:
    return whole.copy()


@pytest.fixture
def sealed(whole_sealed: Good) -> Good:
    return whole_sealed.copy()
