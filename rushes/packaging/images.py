"""The storyboard in HLS: sheets of small pictures in an image playlist (Image Media Playlist for HLS, version 0.4). Pure.

Players that do not know the tags pass them by (RFC 8216bis section 6.3.1).
"""

from __future__ import annotations

from collections.abc import Iterable

from rushes.packaging.bitrate import own_target, seconds, track_average, track_peak
from rushes.packaging.playlist import Href, document, head, playlist_name
from rushes.packaging.tags import quoted, tag
from rushes.tracks import Track


def image_playlist(track: Track, href: Href) -> str:
    """The sheets with how they are divided. The last one may stand for less time than it has room for."""
    columns, rows = layout(track)
    shape = f"RESOLUTION={track.width}x{track.height},LAYOUT={columns}x{rows}"
    tiles = f"#EXT-X-TILES:{shape},DURATION={track.tile_ticks / track.timescale:.6f}"
    entries: Iterable[list[str]] = (
        [f"#EXTINF:{float(length):.6f},", tiles, href(track.prefix + segment.name)]
        for segment, length in zip(track.segments, seconds(track), strict=True)
    )
    return document([*head(own_target(track)), "#EXT-X-IMAGES-ONLY"], entries)


def image_stream(track: Track) -> str:
    """The tag of the multivariant playlist. The resolution is that of one of the small pictures."""
    return tag(
        "IMAGE-STREAM-INF",
        [
            ("BANDWIDTH", str(track_peak(track, own_target(track)))),
            ("AVERAGE-BANDWIDTH", str(track_average(track))),
            ("RESOLUTION", f"{track.width}x{track.height}"),
            ("CODECS", quoted(track.codecs)),
            ("URI", quoted(playlist_name(track))),
        ],
    )


def layout(track: Track) -> tuple[int, int]:
    """Columns and rows."""
    return track.tiles or (1, 1)


def sheet_ticks(track: Track) -> int:
    """What a full sheet stands for; the last one may have fewer pictures."""
    columns, rows = layout(track)
    return columns * rows * track.tile_ticks
