"""What creators upload, where no record says it: a mix of typical sources. Pure data; the shares are guesses that a trace
replaces (`rushes simulate record`)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from rushes.facts import AudioFacts, SourceFacts, VideoFacts


@dataclass(frozen=True)
class Video:
    name: str
    share: float
    size: tuple[int, int]
    fps: int
    codec: str
    bitrate: int
    lengths: tuple[float, ...]
    """Seconds, each as frequent."""
    hdr: bool = False


VIDEOS = (
    Video("phone clip", 0.42, (1080, 1920), 30, "h264", 12_000_000, (8, 15, 25, 40, 60)),
    Video("phone clip, HEVC 60 fps", 0.16, (1080, 1920), 60, "hevc", 14_000_000, (10, 20, 45, 90)),
    Video("phone clip, 4K HDR", 0.07, (3840, 2160), 30, "hevc", 45_000_000, (10, 20, 40), hdr=True),
    Video("screen, 720p", 0.15, (1280, 720), 30, "h264", 2_500_000, (60, 180, 480)),
    Video("film, 1080p", 0.17, (1920, 1080), 30, "h264", 8_000_000, (90, 240, 600, 1200)),
    Video("lecture, 720p", 0.03, (1280, 720), 25, "h264", 1_500_000, (2700, 5400)),
)


def facts_of(video: Video, seconds: float) -> SourceFacts:
    """As a probe would find them."""
    width, height = video.size
    picture = VideoFacts(
        index=0, codec=video.codec, profile="High" if video.codec == "h264" else "Main", width=width, height=height,
        pix_fmt="yuv420p10le" if video.hdr else "yuv420p", bit_depth=10 if video.hdr else 8, fps=Fraction(video.fps),
        duration=seconds, bitrate=video.bitrate, hdr="pq" if video.hdr else None,
    )  # fmt: skip
    return SourceFacts(
        container="mp4", demuxer="mov", size=int(video.bitrate * seconds / 8), duration=seconds, bitrate=video.bitrate,
        video=picture, audio=(AudioFacts(index=1, codec="aac", profile="LC", channels=2, sample_rate=48_000),), streams=2,
        keyframes=tuple(float(at) for at in range(0, min(int(seconds), 10), 1)), indexed=True,
    )  # fmt: skip
