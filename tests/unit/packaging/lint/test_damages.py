"""Deliberate damages of a good stream: each is found, by the rule that should."""

from __future__ import annotations

import re
from collections.abc import Callable
from struct import pack, unpack_from

import pytest

from rushes.packaging.lint.rule import Severity
from tests.unit.packaging.lint.conftest import BUILD, KID, Good, jpeg

Damage = Callable[[Good], None]
MASTER, MPD = "master.m3u8", "manifest.mpd"
FOURTH = "#EXTINF:2.000000,\n../../t/r/1/360p/00004"


def test_the_good_stream_keeps_every_rule(stream: Good) -> None:
    found = stream.check()
    assert found.failed(Severity.MUST, Severity.SHOULD) == []
    assert found.checked > 115


def test_a_protected_stream_keeps_every_rule(sealed: Good) -> None:
    found = sealed.check()
    assert found.failed(Severity.MUST, Severity.SHOULD) == []
    assert {"hls.key-entry", "hls.key-id", "dash.protection", "dash.key-id"} <= {
        one.rule.identifier for one in found.outcomes if one.looked_at
    }


def patched(offset: Callable[[bytes], int], layout: str, value: int) -> Callable[[bytes], bytes]:
    """Another number at a place in a file."""

    def change(data: bytes) -> bytes:
        at = offset(data)
        return data[:at] + pack(layout, value) + data[at + len(pack(layout, value)) :]

    return change


def behind(kind: bytes, skip: int) -> Callable[[bytes], int]:
    return lambda data: data.index(kind) + 4 + skip


def moved_tfdt(ticks: int) -> Callable[[bytes], bytes]:
    return lambda data: patched(behind(b"tfdt", 4), ">Q", unpack_from(">Q", data, behind(b"tfdt", 4)(data))[0] + ticks)(
        data
    )


def not_sync(data: bytes) -> bytes:
    """The first sample's flags in `trun` say that it depends on others."""
    return patched(behind(b"trun", 12), ">I", 0x01010000)(data)


def no_index(good: Good) -> None:
    """Sound by SegmentBase, where there is no index."""
    good.edit(MPD, *_single(good))


def _single(good: Good) -> tuple[str, str]:
    """What there is in the manifest, and what stands in for it."""
    text = good.store.read(BUILD + MPD).decode()
    template = re.search(r'<SegmentTemplate timescale="48000".*?</SegmentTemplate>', text, re.DOTALL)
    assert template
    base = '<SegmentBase indexRange="0-99"><Initialization range="0-9"/></SegmentBase>'
    return template[0], "<BaseURL>../../t/r/1/audio/00001.m4s</BaseURL>" + base


DAMAGES: dict[str, tuple[str, Damage]] = {
    "a rate that is too low": ("hls.bandwidth", lambda good: good.edit(MASTER, "BANDWIDTH=883603", "BANDWIDTH=783603")),
    "a rate that is too high": ("hls.bandwidth", lambda good: good.edit(MASTER, ":BANDWIDTH=883603", ":BANDWIDTH=1883603")),
    "a wrong average": (
        "hls.average-bandwidth",
        lambda good: good.edit(MASTER, "AVERAGE-BANDWIDTH=883549", "AVERAGE-BANDWIDTH=483549"),
    ),
    "another profile in CODECS": (
        "hls.codecs",
        lambda good: good.edit(
            MASTER, 'CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640', 'CODECS="avc1.42001e,mp4a.40.2",RESOLUTION=640'
        ),
    ),
    "CODECS without the sound": (
        "hls.codecs",
        lambda good: good.edit(MASTER, 'CODECS="avc1.64001f,mp4a.40.2"', 'CODECS="avc1.64001f"'),
    ),
    "no CODECS": ("hls.codecs-present", lambda good: good.edit(MASTER, 'CODECS="hvc1.2.4.L93.90,mp4a.40.2",', "")),
    "a wrong size": ("hls.resolution", lambda good: good.edit(MASTER, "RESOLUTION=640x360", "RESOLUTION=960x540")),
    "a wrong frame rate": ("hls.frame-rate", lambda good: good.edit(MASTER, "FRAME-RATE=30.000", "FRAME-RATE=25.000", 1)),
    "SDR that is said to be PQ": (
        "hls.video-range",
        lambda good: good.edit(
            MASTER, "RESOLUTION=640x360,FRAME-RATE=30.000,VIDEO-RANGE=SDR", "RESOLUTION=640x360,FRAME-RATE=30.000,VIDEO-RANGE=PQ"
        ),
    ),
    "PQ that is said to be SDR": ("hls.video-range", lambda good: good.edit(MASTER, "VIDEO-RANGE=PQ", "VIDEO-RANGE=SDR")),
    "a score for some": ("hls.score", lambda good: good.edit(MASTER, "SCORE=1.0,", "", 1)),
    "a score of nothing": ("hls.score-value", lambda good: good.edit(MASTER, "SCORE=1.0,", "SCORE=-1,")),
    "the smaller picture scored higher": ("hls.score-order", lambda good: good.edit(MASTER, "SCORE=1.0", "SCORE=9.0")),
    "captions said for some variants": (
        "hls.closed-captions",
        lambda good: good.edit(MASTER, ",CLOSED-CAPTIONS=NONE", "", 1),
    ),
    "a group that is not there": ("hls.groups", lambda good: good.edit(MASTER, ',AUDIO="audio"', ',AUDIO="sound"', 1)),
    "two of one name": ("hls.names", lambda good: good.edit(MASTER, 'NAME="Deutsch"', 'NAME="English"')),
    "two defaults": ("hls.default", lambda good: good.edit(MASTER, "DEFAULT=NO", "DEFAULT=YES", 1)),
    "a language that is none": ("hls.language", lambda good: good.edit(MASTER, 'LANGUAGE="de"', 'LANGUAGE="german!"')),
    "more channels": ("hls.channels", lambda good: good.edit(MASTER, 'CHANNELS="2"', 'CHANNELS="6"', 1)),
    "an attribute twice": ("hls.attributes", lambda good: good.edit(MASTER, "SCORE=1.0", "SCORE=1.0,SCORE=1.0")),
    "a playlist that is gone": ("hls.reachable", lambda good: good.store.delete(BUILD + "360p.m3u8")),
    "a picture in the place of sound": ("hls.kinds", lambda good: good.edit(MASTER, 'URI="audio-de.m3u8"', 'URI="360p.m3u8"')),
    "another host": (
        "hls.relative",
        lambda good: good.edit("360p.m3u8", "../../t/r/1/360p/00001.m4s", "https://x.test/00001.m4s"),
    ),
    "no beginning": ("hls.extm3u", lambda good: good.edit("360p.m3u8", "#EXTM3U\n", "")),
    "no end": ("hls.endlist", lambda good: good.edit("360p.m3u8", "#EXT-X-ENDLIST\n", "")),
    "an old version": ("hls.version", lambda good: good.edit("360p.m3u8", "VERSION:7", "VERSION:3")),
    "a target duration too short": ("hls.target-duration", lambda good: good.edit("360p.m3u8", "DURATION:2", "DURATION:1")),
    "target durations that differ": ("hls.same-target", lambda good: good.edit("360p.m3u8", "DURATION:2", "DURATION:3")),
    "a wrong EXTINF": ("hls.extinf", lambda good: good.edit("360p.m3u8", "EXTINF:2.000000", "EXTINF:1.500000", 1)),
    "lengths that drift": ("hls.extinf-drift", lambda good: good.edit("360p.m3u8", "EXTINF:2.000000", "EXTINF:1.930000")),
    "a variant that is cut elsewhere": (
        "hls.aligned",
        lambda good: good.edit("360p.m3u8", "EXTINF:2.000000", "EXTINF:1.930000", 1),
    ),
    "no map": (
        "hls.map",
        lambda good: good.edit("360p.m3u8", '#EXT-X-MAP:URI="../../t/r/1/360p/init.mp4"\n', ""),
    ),
    "a missing segment": ("segment.exists", lambda good: good.store.delete(good.key("360p", "00003.m4s"))),
    "a missing init segment": ("segment.exists", lambda good: good.store.delete(good.key("360p", "init.mp4"))),
    "an empty segment": ("segment.empty", lambda good: good.change("360p", "00003.m4s", lambda _: b"")),
    "a segment cut short": ("segment.truncated", lambda good: good.change("360p", "00003.m4s", lambda data: data[:-500])),
    "noise for a segment": ("segment.boxes", lambda good: good.change("360p", "00003.m4s", lambda data: bytes(range(256)) * 9)),
    "a gap in time": ("segment.contiguous", lambda good: good.change("360p", "00003.m4s", moved_tfdt(512))),
    "a jump in time": ("hls.timestamps", lambda good: good.change("360p", "00004.m4s", moved_tfdt(30 * 15_360))),
    "no key picture first": ("segment.independent", lambda good: good.change("360p", "00003.m4s", not_sync)),
    "the init segment of the sound": (
        "hls.kind-of-variant",
        lambda good: good.edit("360p.m3u8", "../../t/r/1/360p/init.mp4", "../../t/r/1/audio/init.mp4"),
    ),
    "the init segment of another rung": (
        "hls.resolution",
        lambda good: good.edit("360p.m3u8", "../../t/r/1/360p/init.mp4", "../../t/r/1/720p/init.mp4"),
    ),
    "another init segment half way": (
        "hls.map-change",
        lambda good: good.edit("360p.m3u8", FOURTH, f'#EXT-X-MAP:URI="../../t/r/1/720p/init.mp4"\n{FOURTH}'),
    ),
    "another timescale in the init segment": (
        "dash.tfdt",
        lambda good: good.change("360p", "init.mp4", patched(behind(b"mdhd", 12), ">I", 12_800)),
    ),
    "one timescale in a set, another beside it": (
        "cmaf.timescale",
        lambda good: good.change("360p", "init.mp4", patched(behind(b"mdhd", 12), ">I", 12_800)),
    ),
    "no colours": ("cmaf.colr", lambda good: good.change("360p", "init.mp4", lambda data: data.replace(b"colr", b"free"))),
    "no shape of pixels": ("cmaf.pasp", lambda good: good.change("360p", "init.mp4", lambda data: data.replace(b"pasp", b"free"))),
    "no brand": ("cmaf.brands", lambda good: good.change("360p", "init.mp4", lambda data: re.sub(rb"iso6|cmf[c2]", b"none", data))),
    "an I-frame cut short": (
        "hls.iframe-range",
        lambda good: good.edit("360p-iframes.m3u8", "BYTERANGE:13972@0", "BYTERANGE:9000@0", 1),
    ),
    "an I-frame's range that is elsewhere": (
        "hls.iframe-range",
        lambda good: good.edit("360p-iframes.m3u8", "BYTERANGE:13972@0", "BYTERANGE:13972@40", 1),
    ),
    "a range behind the end": (
        "hls.byterange",
        lambda good: good.edit("360p-iframes.m3u8", "BYTERANGE:13972@0", "BYTERANGE:13972@9999999", 1),
    ),
    "other tiles": ("image.size", lambda good: good.edit("storyboard.m3u8", "LAYOUT=4x4", "LAYOUT=5x4")),
    "tiles that are too short": ("image.tiles", lambda good: good.edit("storyboard.m3u8", "DURATION=1.0", "DURATION=0.1")),
    "a smaller sheet": ("image.size", lambda good: good.change("storyboard", "00001.jpg", lambda _: jpeg(320, 180))),
    "captions that are none": ("text.header", lambda good: good.change("captions-en", "00001.vtt", lambda _: b"Hello")),
    "captions of no time": (
        "text.timestamp-map",
        lambda good: good.change("captions-en", "00001.vtt", lambda data: re.sub(rb"X-TIMESTAMP-MAP.*\n", b"", data)),
    ),
    "captions at another time": (
        "text.in-segment",
        lambda good: good.change(
            "captions-en", "00001.vtt", lambda data: data.replace(b"00:00:00.500 --> 00:00:01", b"00:01:00.500 --> 00:01:01")
        ),
    ),
    "a wrong start in DASH": ("dash.tfdt", lambda good: good.edit(MPD, '<S t="0" d="30720"', '<S t="30720" d="30720"', 1)),
    "a gap in the timeline": (
        "dash.timeline",
        lambda good: good.edit(MPD, '<S t="0" d="30720" r="5" />', '<S t="0" d="30720" r="2" /><S t="99999" d="30720" r="2" />', 1),
    ),
    "wrong lengths in DASH": ("dash.duration", lambda good: good.edit(MPD, 'd="30720"', 'd="20720"', 1)),
    "a wrong timescale in DASH": ("dash.tfdt", lambda good: good.edit(MPD, 'timescale="15360"', 'timescale="15000"', 1)),
    "other codecs in DASH": ("dash.codecs", lambda good: good.edit(MPD, 'codecs="avc1.64001f"', 'codecs="avc1.42001e"', 1)),
    "a rate too low in DASH": ("dash.bandwidth", lambda good: good.edit(MPD, 'bandwidth="806208"', 'bandwidth="106208"')),
    "a size that is wrong in DASH": ("dash.size", lambda good: good.edit(MPD, 'width="640"', 'width="800"')),
    "a longer segment than is said": (
        "dash.max-segment",
        lambda good: good.edit(MPD, 'maxSegmentDuration="PT2.', 'maxSegmentDuration="PT1.'),
    ),
    "one @id for two": ("dash.ids", lambda good: good.edit(MPD, 'id="360p"', 'id="720p"')),
    "a language that is none in DASH": ("dash.language", lambda good: good.edit(MPD, 'lang="de"', 'lang="x_y"')),
    "no XML": ("dash.syntax", lambda good: good.edit(MPD, "</Period>", "")),
    "no index where it is said to be": ("dash.sidx", no_index),
    "segments that are not aligned": (
        "cmaf.aligned",
        lambda good: good.edit(MPD, '<S t="0" d="30720" r="5" />', '<S t="0" d="30720" r="4" />', 1),
    ),
    "tiles of another layout in DASH": ("dash.thumbnails", lambda good: good.edit(MPD, 'value="4x4"', 'value="7x4"')),
}  # fmt: skip
SEALED: dict[str, tuple[str, Damage]] = {
    "another key identifier in DASH": (
        "dash.key-id",
        lambda good: good.edit(MPD, "01234567-89ab-cdef-0123-456789abcdef", "11234567-89ab-cdef-0123-456789abcdef"),
    ),
    "another key identifier in HLS": ("hls.key-id", lambda good: good.edit("360p.m3u8", f"/{KID}", f"/{KID[::-1]}")),
    "no word of the key in HLS": (
        "hls.key-entry",
        lambda good: good.store.put_bytes(
            BUILD + "360p.m3u8", re.sub(rb"#EXT-X-KEY.*\n", b"", good.store.read(BUILD + "360p.m3u8"))
        ),
    ),
    "no word of protection in DASH": (
        "dash.protection",
        lambda good: good.store.put_bytes(
            BUILD + MPD, re.sub(rb"<ContentProtection[^>]*mp4protection[^>]*/>", b"", good.store.read(BUILD + MPD))
        ),
    ),
    "a vector that is none": ("hls.key", lambda good: good.edit("360p.m3u8", "IV=0x0", "IV=x0")),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damage_is_found_by_its_rule(name: str, stream: Good) -> None:
    rule, damage = DAMAGES[name]
    damage(stream)
    assert rule in {one.rule.identifier for one in stream.check().failed()}


@pytest.mark.parametrize("name", SEALED)
def test_a_damage_of_a_protected_stream_is_found(name: str, sealed: Good) -> None:
    rule, damage = SEALED[name]
    damage(sealed)
    assert rule in {one.rule.identifier for one in sealed.check().failed()}


def test_a_growing_build_needs_no_end(stream: Good) -> None:
    for name in ("720p.m3u8", "360p.m3u8", "720p-hevc-hdr.m3u8"):
        stream.edit(name, "#EXT-X-ENDLIST\n", "")
        stream.edit(name, "TYPE:VOD", "TYPE:EVENT")
    assert "hls.endlist" in stream.check().names(Severity.MUST)
    assert stream.check(growing=True).passed


def test_the_rate_of_a_growing_build_is_a_promise(stream: Good) -> None:
    """What is added later may be heavier, and the multivariant playlist does not change any more."""
    stream.edit(MASTER, "BANDWIDTH=883603", "BANDWIDTH=783603")
    assert "hls.bandwidth" in stream.check().names(Severity.MUST)
    assert stream.check(growing=True).passed


def test_what_players_put_up_with_stops_no_build(stream: Good) -> None:
    """A size is for choosing; what is shown is what the pictures have."""
    stream.edit(MASTER, "RESOLUTION=640x360", "RESOLUTION=960x540")
    stream.edit(MPD, 'width="640" height="360" sar', 'width="800" height="360" sar')
    assert stream.check().passed


def test_only_a_line_feed_ends_a_line(stream: Good) -> None:
    stream.edit(MASTER, 'NAME="Deutsch"', 'NAME="Deut\u2028sch\x85"')
    assert stream.check().passed
