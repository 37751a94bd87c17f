"""The DASH manifest: static, one period (ISO/IEC 23009-1; DASH-IF IOP part 5). Pure."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from fractions import Fraction
from math import gcd

from rushes.packaging.alternates import audio_groups
from rushes.packaging.bitrate import own_target, seconds, target_duration, track_peak
from rushes.packaging.captions import TRANSCRIBES, mp4_form
from rushes.packaging.dash_addressing import address, address_sheets, is_listed
from rushes.packaging.images import layout
from rushes.packaging.key_tags import describe_protection
from rushes.packaging.labels import default_track, display_size, family, language, menu_names
from rushes.packaging.playlist import Href
from rushes.tracks import Track

MANIFEST = "manifest.mpd"
_NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
_SEGMENTS = "urn:mpeg:dash:profile:isoff-live:2011"
_ONE_FILE = "urn:mpeg:dash:profile:isoff-on-demand:2011"
_LISTED = "urn:mpeg:dash:profile:isoff-main:2011"
_CMAF = "urn:mpeg:dash:profile:cmaf:2019"
_CHANNELS = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
_ROLE = "urn:mpeg:dash:role:2011"
_TILES = "http://dashif.org/guidelines/thumbnail_tile"
_SWITCHING = "urn:mpeg:dash:adaptation-set-switching:2016"
_TRANSFER = {"pq": "16", "hlg": "18"}
_PREFERRED = {"video": ("avc1", "hvc1", "av01"), "audio": ("mp4a", "opus")}
_PRIMING = Fraction(1, 2)
_BEFORE_LABEL = ("ContentProtection", "EssentialProperty", "SupplementalProperty")


def manifest(tracks: Sequence[Track], href: Href, build: int) -> str:
    """The MPD of a build. `href` turns object keys into URIs relative to the manifest's place."""
    root = ET.Element("MPD", _root_attributes(tracks))
    root.append(ET.Comment(f" rushes build={build} "))
    period = ET.SubElement(root, "Period", id="0", start="PT0S")
    video = [track for track in tracks if track.kind == "video"]
    audio = [track for track in tracks if track.kind == "audio"]
    target = target_duration(tracks)
    sets, groups = _sets(video, audio), audio_groups(audio).values()
    for number, group in enumerate(sets, 1):
        priority = _priority(group[0], sets)
        preferred = {"selectionPriority": str(priority)} if priority else {}
        parent = ET.SubElement(period, "AdaptationSet", {"id": str(number), **_set_attributes(group), **preferred})
        describe_protection(parent, group[0])
        _range(parent, group[0])
        _switching(parent, group[0], sets)
        _label(parent, group[0], next((some for some in groups if group[0] in some), []))
        _describe(parent, "main" if group[0].kind == "video" or _is_main(group[0], audio) else "alternate")
        for track in group:
            _representation(parent, track, href, target)
    text = [track for track in tracks if track.kind == "text"]
    for number, track in enumerate(text, 100):
        _label(_captions(period, track, href, number), track, text)
    for number, track in enumerate((track for track in tracks if track.kind == "image"), 200):
        _sheets(period, track, href, number)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def presentation_duration(tracks: Sequence[Track]) -> Fraction:
    """That of the longest track; but sound that only overhangs the picture (priming, a last frame) does not count."""
    timed = [track for track in tracks if track.kind in ("video", "audio")] or list(tracks)
    longest = max(sum(seconds(track), Fraction(0)) for track in timed)
    picture = max((sum(seconds(track), Fraction(0)) for track in timed if track.kind == "video"), default=longest)
    return picture if longest - picture < _PRIMING else longest


def _root_attributes(tracks: Sequence[Track]) -> dict[str, str]:
    longest = max(duration for track in tracks if track.kind != "image" for duration in seconds(track))
    return {
        "xmlns": _NAMESPACE,
        "profiles": _profiles(tracks),
        "type": "static",
        "mediaPresentationDuration": _iso_duration(presentation_duration(tracks)),
        "maxSegmentDuration": _iso_duration(longest),
        "minBufferTime": _iso_duration(longest),
    }


def _profiles(tracks: Sequence[Track]) -> str:
    """What is addressed in each of the two ways that there are says so itself (section 8.1). Lists of segments are in neither, only
    in that which has all ways (section 8.5)."""
    if any(is_listed(track) for track in tracks):
        return f"{_LISTED},{_CMAF}"
    ways = dict.fromkeys(_ONE_FILE if track.in_one_file else _SEGMENTS for track in tracks)
    return ",".join([*ways, _CMAF])


def _sets(video: Sequence[Track], audio: Sequence[Track]) -> list[list[Track]]:
    """Pictures of one codec and range switch among each other; each sound track is a choice of its own."""
    kinds: dict[tuple[str, str | None], list[Track]] = {}
    for track in video:
        kinds.setdefault((family(track), track.hdr), []).append(track)
    return [*kinds.values(), *([track] for track in audio)]


def _is_main(track: Track, audio: Sequence[Track]) -> bool:
    """The track that plays unless somebody chooses, in each of its codecs."""
    chosen = default_track(audio)
    return chosen is not None and language(track) == language(chosen)


def _priority(track: Track, sets: Sequence[Sequence[Track]]) -> int | None:
    """@selectionPriority where codecs mix: the better one, if the player has it. HDR stays behind, since few players look at
    the screen first."""
    if len({(family(group[0]), group[0].hdr) for group in sets if group[0].kind == track.kind}) < 2:
        return None
    order = _PREFERRED[track.kind]
    return 1 if track.hdr or family(track) not in order else 2 + order.index(family(track))


def _switching(parent: ET.Element, track: Track, sets: Sequence[Sequence[Track]]) -> None:
    """The sets that a player may change to in mid-stream: the same picture, on the same grid, in another codec
    (ISO/IEC 23009-1 section 5.3.3.5)."""
    others = [
        str(number)
        for number, group in enumerate(sets, 1)
        if track.kind == "video" == group[0].kind and group[0].hdr == track.hdr and family(group[0]) != family(track)
    ]
    if others:
        ET.SubElement(parent, "SupplementalProperty", schemeIdUri=_SWITCHING, value=",".join(others))


def _range(parent: ET.Element, track: Track) -> None:
    """What a player has to know of HDR before it takes it (DASH-IF IOP part 7; ITU-T H.273)."""
    if not track.hdr:
        return
    values = {"ColourPrimaries": "9", "TransferCharacteristics": _TRANSFER[track.hdr], "MatrixCoefficients": "9"}
    for name, value in values.items():
        ET.SubElement(parent, "EssentialProperty", schemeIdUri=f"urn:mpeg:mpegB:cicp:{name}", value=value)


def _set_attributes(group: Sequence[Track]) -> dict[str, str]:
    attributes = {
        "contentType": group[0].kind,
        "mimeType": f"{group[0].kind}/mp4",
        "segmentAlignment": "true",
        "startWithSAP": "1",
    }
    if group[0].in_one_file:
        attributes |= {"profiles": _ONE_FILE, "subsegmentAlignment": "true", "subsegmentStartsWithSAP": "1"}
    tag = language(group[0])
    if tag:
        attributes["lang"] = tag
    if group[0].kind == "video":
        width, height = max(display_size(track) for track in group)
        common = gcd(width, height) or 1
        attributes |= {
            "par": f"{width // common}:{height // common}",
            "maxWidth": str(width),
            "maxHeight": str(height),
        }
        rates = [track.fps for track in group if track.fps]
        attributes |= {"maxFrameRate": str(max(rates))} if rates else {}
    return attributes


def _representation(parent: ET.Element, track: Track, href: Href, target: int) -> None:
    attributes = {"id": track.name, "codecs": track.codecs, "bandwidth": str(track_peak(track, target))}
    if track.kind == "video":
        width, height = display_size(track)
        attributes |= {"width": str(width), "height": str(height), "sar": "1:1"}
        if track.fps:
            attributes["frameRate"] = str(track.fps)
    elif track.sample_rate:
        attributes["audioSamplingRate"] = str(track.sample_rate)
    element = ET.SubElement(parent, "Representation", attributes)
    if track.channels:
        ET.SubElement(element, "AudioChannelConfiguration", schemeIdUri=_CHANNELS, value=str(track.channels))
    address(element, track, href)


def _captions(period: ET.Element, track: Track, href: Href, number: int) -> ET.Element:
    """Captions as MP4 (`wvtt`), which lie beside the WebVTT segments that HLS names.

    There is no @contentType on purpose: players know the kind from @codecs, and ffmpeg, which cannot read the format,
    then passes the set by in silence instead of refusing the manifest.
    """
    attributes = {"id": str(number), "mimeType": "application/mp4", "segmentAlignment": "true", "startWithSAP": "1"}
    tag = language(track)
    parent = ET.SubElement(period, "AdaptationSet", attributes | ({"lang": tag} if tag else {}))
    _describe(parent, "caption" if TRANSCRIBES in track.characteristics else "subtitle")
    element = ET.SubElement(parent, "Representation", id=track.name, bandwidth="2000", codecs=track.codecs)
    address(element, mp4_form(track), href)
    return parent


def _sheets(period: ET.Element, track: Track, href: Href, number: int) -> None:
    """The storyboard (DASH-IF IOP 4.3 section 6.2.6): the size is that of a whole sheet."""
    parent = ET.SubElement(period, "AdaptationSet", id=str(number), contentType="image", mimeType="image/jpeg")
    columns, rows = layout(track)
    attributes = {
        "id": track.name,
        "bandwidth": str(track_peak(track, own_target(track))),
        "width": str(columns * (track.width or 0)),
        "height": str(rows * (track.height or 0)),
    }
    element = ET.SubElement(parent, "Representation", attributes)
    ET.SubElement(element, "EssentialProperty", schemeIdUri=_TILES, value=f"{columns}x{rows}")
    address_sheets(element, track, href)


def _label(parent: ET.Element, track: Track, others: Sequence[Track]) -> None:
    """The name in a menu, the same as in HLS, of what has a language. In the schema's order: before the roles."""
    if others and language(track):
        label = ET.Element("Label")
        label.text = dict(zip((other.name for other in others), menu_names(others), strict=True))[track.name]
        parent.insert(sum(child.tag in _BEFORE_LABEL for child in parent), label)


def _describe(parent: ET.Element, role: str) -> None:
    ET.SubElement(parent, "Role", schemeIdUri=_ROLE, value=role)


def _iso_duration(value: Fraction) -> str:
    return f"PT{float(value):.6f}".rstrip("0").rstrip(".") + "S"
