"""The rest of the rules: each finds what it is for. Together with the damages, no rule is without one (but see `UNTRIED`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from struct import pack

import pytest

from rushes.packaging.lint.report import RULES, Report, certificate, summary
from rushes.packaging.lint.rule import MUST, Fault, applied, rule
from rushes.packaging.lint.stream import Stream
from tests.unit.packaging.lint.conftest import BUILD, Good
from tests.unit.packaging.lint.test_damages import DAMAGES, MASTER, MPD, SEALED, behind, patched
from tests.unit.packaging.lint.test_http import SPOILED

Damage = Callable[[Good], None]
P = "360p.m3u8"


def sub(name: str, pattern: str, new: str, count: int = 0) -> Damage:
    """Change a manifest by a pattern that has to be there."""

    def damage(good: Good) -> None:
        text = good.store.read(BUILD + name).decode()
        changed = re.sub(pattern, new, text, count=count)
        assert changed != text
        good.store.put_bytes(BUILD + name, changed.encode())

    return damage


def renamed(old: bytes, new: bytes) -> Damage:
    """A box that nobody knows any more, in an init segment."""
    return lambda good: good.change("360p", "init.mp4", lambda data: data.replace(old, new))


def two_entries(good: Good) -> None:
    good.change("360p", "init.mp4", patched(behind(b"stsd", 4), ">I", 2))


def with_edits(good: Good) -> None:
    """Two edits, in the place of a box that is not needed."""

    def change(data: bytes) -> bytes:
        edits = pack(">I", 0) + pack(">I", 2) + pack(">IiI", 10, 0, 0x10000) * 2
        box = pack(">I4s", 16 + len(edits), b"edts") + pack(">I4s", 8 + len(edits), b"elst") + edits
        at = data.index(b"mdia") - 4
        grown = data[:at] + box + data[at:]
        for name in (b"trak", b"moov"):
            head = grown.index(name) - 4
            size = int.from_bytes(grown[head : head + 4], "big") + len(box)
            grown = grown[:head] + pack(">I", size) + grown[head + 4 :]
        return grown

    good.change("360p", "init.mp4", change)


def two_tracks(good: Good) -> None:
    def change(data: bytes) -> bytes:
        at, moov = data.index(b"trak") - 4, data.index(b"moov") - 4
        size = int.from_bytes(data[at : at + 4], "big")
        grown = data[: at + size] + data[at : at + size] + data[at + size :]
        whole = int.from_bytes(data[moov : moov + 4], "big") + size
        return grown[:moov] + pack(">I", whole) + grown[moov + 4 :]

    good.change("360p", "init.mp4", change)


def other_half(good: Good) -> None:
    """From the fourth segment on, another init segment."""
    fourth = "#EXTINF:2.000000,\n../../t/r/1/360p/00004"
    good.edit(P, fourth, f'#EXT-X-MAP:URI="../../t/r/1/720p/init.mp4"\n{fourth}')


def uneven(good: Good) -> None:
    """The first segment four times as heavy; the manifests say so."""
    keys = [good.key("360p", f"0000{number}.m4s") for number in range(2, 7)]
    for key in keys:
        good.store.put_bytes(key, good.store.read(key)[:20_000])


FOUND: dict[str, Damage] = {
    "cmaf.edit-list": with_edits,
    "cmaf.one-entry": two_entries,
    "cmaf.one-track": two_tracks,
    "cmaf.same-init": other_half,
    "cmaf.same-entry": renamed(b"avc1", b"avc3"),
    "dash.addressing": sub(MPD, r"(?s)<SegmentTemplate timescale=\"48000\".*?</SegmentTemplate>", "", 1),
    "dash.alignment": sub(MPD, ' segmentAlignment="true"', "", 1),
    "dash.bandwidth-average": sub(MPD, 'bandwidth="806208"', 'bandwidth="406208"'),
    "dash.bandwidth-present": sub(MPD, 'bandwidth="806208"', ""),
    "dash.channels": sub(MPD, r"<AudioChannelConfiguration[^>]*>", "", 1),
    "dash.covers": sub(MPD, 'mediaPresentationDuration="PT12S"', 'mediaPresentationDuration="PT30S"'),
    "dash.frame-rate": sub(MPD, 'frameRate="30"', 'frameRate="24"', 1),
    "dash.length": sub(MPD, ' mediaPresentationDuration="PT12S"', ""),
    "dash.mime": sub(MPD, ' mimeType="audio/mp4"', "", 1),
    "dash.periods": sub(MPD, r"(?s)<Period.*</Period>", ""),
    "dash.relative": sub(MPD, 'media="../../t', 'media="https://x.test/t', 1),
    "dash.root": sub(MPD, ' minBufferTime="[^"]*"', ""),
    "dash.sap": sub(MPD, ' startWithSAP="1"', "", 1),
    "dash.size-present": sub(MPD, ' frameRate="30"', "", 1),
    "hls.autoselect": sub(MASTER, 'LANGUAGE="de"', 'LANGUAGE="en"'),
    "hls.average-bandwidth-present": sub(MASTER, "AVERAGE-BANDWIDTH=883549,", ""),
    "hls.bandwidth-present": sub(MASTER, ":BANDWIDTH=883603,", ":"),
    "hls.channels-present": sub(MASTER, ',CHANNELS="2"', "", 1),
    "hls.closed-captions-present": sub(MASTER, ",CLOSED-CAPTIONS=NONE", ""),
    "hls.codecs-tag": renamed(b"avc1", b"avc3"),
    "hls.doubles": sub(MASTER, r"(#EXT-X-STREAM-INF:[^\n]*\n360p.m3u8\n)", r"\1\1"),
    "hls.forced": sub(MASTER, 'CHANNELS="2"', 'CHANNELS="2",FORCED=NO', 1),
    "hls.frame-rate-present": sub(MASTER, "FRAME-RATE=30.000,", "", 1),
    "hls.group-sets": sub(MASTER, r'(#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=")audio("[^\n]*English[^\n]*\n)', r"\1audio\2\1other\2"),
    "hls.groups-used": sub(MASTER, ',SUBTITLES="subtitles"', ""),
    "hls.h264-profile": renamed(b"\x01\x64\x00\x1f", b"\x01\x6e\x00\x1f"),
    "hls.iframe-bandwidth": sub(MASTER, "BANDWIDTH=97488", "BANDWIDTH=57488"),
    "hls.iframe-exact": sub("360p-iframes.m3u8", "BYTERANGE:13972@0", "BYTERANGE:99999@0", 1),
    "hls.iframe-length": sub("360p-iframes.m3u8", "EXTINF:2.0", "EXTINF:0.5"),
    "hls.iframes-present": sub(MASTER, r"#EXT-X-I-FRAME-STREAM-INF[^\n]*\n", ""),
    "hls.ladder": sub(MASTER, "AVERAGE-BANDWIDTH=883549", "AVERAGE-BANDWIDTH=9883549"),
    "hls.language-present": sub(MASTER, ',LANGUAGE="de"', ""),
    "hls.media-attributes": sub(MASTER, ',NAME="Deutsch"', ""),
    "hls.media-sequence": sub(P, "MEDIA-SEQUENCE:0", "MEDIA-SEQUENCE:zero"),
    "hls.mixed": sub(MASTER, "#EXTM3U\n", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n"),
    "hls.peak": uneven,
    "hls.playlist-type": sub(P, "#EXT-X-PLAYLIST-TYPE:VOD\n", ""),
    "hls.playlist-type-value": sub(P, "TYPE:VOD", "TYPE:TEA"),
    "hls.resolution-present": sub(MASTER, "RESOLUTION=640x360,", "", 1),
    "hls.same-length": sub(P, r"(?s)#EXTINF:2.000000,\n\S*00004.m4s.*(?=#EXT-X-ENDLIST)", ""),
    "hls.score-mixed": sub(MASTER, r"SCORE=[0-9.]+,", ""),
    "hls.segments": sub(P, "EXTINF:2.000000", "EXTINF:0", 1),
    "hls.syntax": sub(P, "EXTINF:2.000000", "EXTINF:two", 1),
    "hls.tags-once": sub(P, "#EXT-X-TARGETDURATION:2\n", "#EXT-X-TARGETDURATION:2\n#EXT-X-TARGETDURATION:2\n"),
    "hls.variants": sub(MASTER, r"\n360p.m3u8\n", "\n"),
    "hls.video-range-present": sub(MASTER, "VIDEO-RANGE=SDR,", "", 1),
    "image.variant": sub(MASTER, "RESOLUTION=160x90,", ""),
    "segment.own-track": sub(MPD, "t/r/1/360p/init.mp4", "t/r/1/audio/init.mp4"),
    "segment.tfdt": lambda good: good.change("360p", "00003.m4s", lambda data: data.replace(b"tfdt", b"free")),
    "text.times": lambda good: good.change("captions-en", "00001.vtt", lambda data: data.replace(b"--> 00:00:01", b"--> 00:00:00")),
    "text.timestamp-map-value": lambda good: good.change(
        "captions-en", "00001.vtt", lambda data: data.replace(b"MPEGTS:0", b"MPEGTS:x")
    ),
}  # fmt: skip
UNTRIED = {"cmaf.negative-offsets"}
"""Of streams that our packager does not write."""


@pytest.mark.parametrize("rule", FOUND)
def test_a_rule_finds_what_it_is_for(rule: str, stream: Good) -> None:
    FOUND[rule](stream)
    assert rule in {one.rule.identifier for one in stream.check().failed()}


def test_every_rule_is_tried() -> None:
    tried = {rule for rule, _ in (*DAMAGES.values(), *SEALED.values())} | set(SPOILED) | set(FOUND)
    tried |= {"hls.independent", "hls.key-blocks"}  # below
    known = [one.identifier for one in RULES]
    assert len(set(known)) == len(known)
    assert set(known) - tried == UNTRIED
    assert all(one.clause and one.says.endswith(".") for one in RULES)


def test_segments_that_are_not_said_to_be_independent_are_told(stream: Good) -> None:
    for name in (MASTER, P):
        stream.edit(name, "#EXT-X-INDEPENDENT-SEGMENTS\n", "")
    assert "hls.independent" in {one.rule.identifier for one in stream.check().failed()}


def test_files_that_are_encrypted_whole_are_whole_blocks(stream: Good) -> None:
    stream.edit(P, "#EXT-X-MAP", '#EXT-X-KEY:METHOD=AES-128,URI="../../../../keys/a/b"\n#EXT-X-MAP', 1)
    names = {one.rule.identifier for one in stream.check().failed()}
    assert "hls.key-blocks" in names
    assert "segment.boxes" not in names  # nobody without the key looks into them


def test_a_rule_that_breaks_is_told_in_the_log_and_no_stream_suffers(caplog: pytest.LogCaptureFixture) -> None:
    # Given a rule with a mistake of ours in it
    @rule("hls.broken", MUST, "none", lambda stream: ["a playlist"])
    def broken(subject: str, stream: object) -> list[Fault]:
        raise KeyError(subject)

    # When it is applied, Then it finds nothing, says that it could not judge, and whoever runs this hears of it
    outcome = applied(broken, Stream())
    assert (outcome.failed, outcome.broken) == (False, True)
    assert "hls.broken" in caplog.text
    found = Report((outcome,))
    assert certificate(found, "there")["broken"] == ["hls.broken"]
    assert summary(found).endswith("not judged, by a mistake of ours: hls.broken")
