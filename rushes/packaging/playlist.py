"""HLS media playlists and I-frame playlists (RFC 8216bis sections 4.4.3 and 4.4.4). Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rushes.packaging.bitrate import seconds
from rushes.packaging.key_tags import key_tags
from rushes.tracks import Segment, Track

Href = Callable[[str], str]
"""An object key -> the relative URI under which the manifest's own place reaches it."""

END = "#EXT-X-ENDLIST"
VERSION = 7  # fragmented MP4 and EXT-X-MAP, as Apple's authoring rules ask


def media_playlist(track: Track, href: Href, target: int) -> str:
    """The playlist of one track, complete: VOD with an end."""
    return document([*head(target), *_opening(track, href)], _entries(track, href))


def event_playlist(track: Track, href: Href, target: int, *, over: bool) -> str:
    """The playlist of a track that grows; `over`: it is complete. Players are told to begin at the beginning, not at what
    they take for the live edge (section 4.4.2.2)."""
    start = "#EXT-X-START:TIME-OFFSET=0,PRECISE=YES"
    text = document([*head(target, "EVENT"), start, *_opening(track, href)], _entries(track, href))
    return text if over else text.removesuffix(f"{END}\n")


def _entries(track: Track, href: Href) -> Iterable[list[str]]:
    return (
        [f"#EXTINF:{length},", *_range(segment, segment.size), href(track.prefix + segment.name)]
        for segment, length in _timed(track)
    )


def _range(segment: Segment, size: int) -> list[str]:
    """The first `size` bytes of a segment that is a part of a file; its place is always said, never left to be counted."""
    return [] if segment.offset is None else [f"#EXT-X-BYTERANGE:{size}@{segment.offset}"]


def iframe_playlist(track: Track, href: Href, target: int) -> str:
    """The first picture of each segment, addressed by byte range, for scrubbing."""
    entries = (
        [
            f"#EXTINF:{length},",
            f"#EXT-X-BYTERANGE:{segment.keyframe_size}@{segment.offset or 0}",
            href(track.prefix + segment.name),
        ]
        for segment, length in _timed(track)
    )
    return document([*head(target), "#EXT-X-I-FRAMES-ONLY", *_opening(track, href)], entries)


def has_iframes(track: Track) -> bool:
    return track.kind == "video" and all(segment.keyframe_size for segment in track.segments)


def playlist_name(track: Track) -> str:
    return f"{track.name}.m3u8"


def iframe_name(track: Track) -> str:
    return f"{track.name}-iframes.m3u8"


def head(target: int, kind: str = "VOD") -> list[str]:
    """What every media playlist begins with."""
    return [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{target}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        f"#EXT-X-PLAYLIST-TYPE:{kind}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]


def _opening(track: Track, href: Href) -> list[str]:
    return [*key_tags(track, href), *_map(track, href)]


def _map(track: Track, href: Href) -> list[str]:
    if not track.init:
        return []
    part = f',BYTERANGE="{track.init_size}@0"' if track.in_one_file else ""
    return [f'#EXT-X-MAP:URI="{href(track.prefix + track.init)}"{part}']


def _timed(track: Track) -> Iterable[tuple[Segment, str]]:
    durations = (f"{float(duration):.6f}" for duration in seconds(track))
    return zip(track.segments, durations, strict=True)


def document(opening: list[str], entries: Iterable[list[str]]) -> str:
    """The whole playlist, with an end."""
    lines = opening + [line for entry in entries for line in entry]
    return "\n".join([*lines, END, ""])
