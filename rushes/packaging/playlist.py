"""HLS media playlists and I-frame playlists (RFC 8216bis sections 4.4.3 and 4.4.4). Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rushes.model import Segment, Track
from rushes.packaging.bitrate import seconds

Href = Callable[[str], str]
"""An object key -> the relative URI under which the manifest's own place reaches it."""

END = "#EXT-X-ENDLIST"
VERSION = 7  # fragmented MP4 and EXT-X-MAP, as Apple's authoring rules ask


def media_playlist(track: Track, href: Href, target: int) -> str:
    """The playlist of one track, complete: VOD with an end."""
    return _document([*_head(target), *_map(track, href)], _entries(track, href))


def event_playlist(track: Track, href: Href, target: int, *, over: bool) -> str:
    """The playlist of a track that grows; `over`: it is complete. Players are told to begin at the beginning, not at what
    they take for the live edge (section 4.4.2.2)."""
    start = "#EXT-X-START:TIME-OFFSET=0,PRECISE=YES"
    text = _document([*_head(target, "EVENT"), start, *_map(track, href)], _entries(track, href))
    return text if over else text.removesuffix(f"{END}\n")


def _entries(track: Track, href: Href) -> Iterable[list[str]]:
    return ([f"#EXTINF:{length},", href(track.prefix + segment.name)] for segment, length in _timed(track))


def iframe_playlist(track: Track, href: Href, target: int) -> str:
    """The first picture of each segment, addressed by byte range, for scrubbing."""
    entries = (
        [f"#EXTINF:{length},", f"#EXT-X-BYTERANGE:{segment.keyframe_size}@0", href(track.prefix + segment.name)]
        for segment, length in _timed(track)
    )
    return _document([*_head(target), "#EXT-X-I-FRAMES-ONLY", *_map(track, href)], entries)


def has_iframes(track: Track) -> bool:
    return track.kind == "video" and all(segment.keyframe_size for segment in track.segments)


def playlist_name(track: Track) -> str:
    return f"{track.name}.m3u8"


def iframe_name(track: Track) -> str:
    return f"{track.name}-iframes.m3u8"


def _head(target: int, kind: str = "VOD") -> list[str]:
    return [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{target}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        f"#EXT-X-PLAYLIST-TYPE:{kind}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]


def _map(track: Track, href: Href) -> list[str]:
    return [f'#EXT-X-MAP:URI="{href(track.prefix + track.init)}"'] if track.init else []


def _timed(track: Track) -> Iterable[tuple[Segment, str]]:
    durations = (f"{float(duration):.6f}" for duration in seconds(track))
    return zip(track.segments, durations, strict=True)


def _document(head: list[str], entries: Iterable[list[str]]) -> str:
    lines = head + [line for entry in entries for line in entry]
    return "\n".join([*lines, END, ""])
