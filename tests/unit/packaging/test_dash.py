from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable

from rushes.packaging.dash import manifest
from rushes.tracks import Segment, Track

Make = Callable[..., Track]
NS = {"d": "urn:mpeg:dash:schema:mpd:2011"}


def parsed(*tracks: Track) -> ET.Element:
    return ET.fromstring(manifest(tracks, lambda key: f"X/{key}", 3))


def test_root(make_video: Make, make_audio: Make) -> None:
    root = parsed(make_video(), make_audio())
    assert root.get("type") == "static"
    assert root.get("mediaPresentationDuration") == "PT9.009S"  # not the 9.045 s of sound with its priming
    assert root.get("minBufferTime") == "PT4.010667S"
    assert len(root.findall("d:Period", NS)) == 1


def test_pictures_share_a_set(make_video: Make) -> None:
    root = parsed(make_video(), make_video("360p", width=640, height=360, codecs="avc1.64001e"))
    (group,) = root.findall(".//d:AdaptationSet", NS)
    assert {
        name: group.get(name)
        for name in ("contentType", "mimeType", "segmentAlignment", "startWithSAP", "par", "maxWidth")
    } == {
        "contentType": "video",
        "mimeType": "video/mp4",
        "segmentAlignment": "true",
        "startWithSAP": "1",
        "par": "16:9",
        "maxWidth": "1280",
    }
    first, second = group.findall("d:Representation", NS)
    assert (first.get("codecs"), second.get("codecs")) == ("avc1.64001f", "avc1.64001e")
    assert (second.get("frameRate"), second.get("sar"), second.get("height")) == ("30000/1001", "1:1", "360")


def test_timeline_is_exact(make_video: Make) -> None:
    template = parsed(make_video(start_ticks=500)).find(".//d:SegmentTemplate", NS)
    assert template is not None
    assert template.get("media", "").endswith("/720p/$Number%05d$.m4s")
    assert template.get("timescale") == "30000"
    rows = [dict(row.attrib) for row in template.iter("{urn:mpeg:dash:schema:mpd:2011}S")]
    assert rows == [{"t": "500", "d": "120120", "r": "1"}, {"d": "30030"}]


def test_each_language_is_a_choice(make_video: Make, make_audio: Make) -> None:
    root = parsed(make_video(), make_audio(language="en"), make_audio(name="audio-de", language="de", default=True))
    sets = root.findall(".//d:AdaptationSet[@contentType='audio']", NS)
    assert [group.get("lang") for group in sets] == ["en", "de"]
    assert [group.find("d:Role", NS).get("value") for group in sets] == ["alternate", "main"]
    assert root.find(".//d:AudioChannelConfiguration", NS).get("value") == "2"


def test_joined_chunks_are_listed(make_video: Make) -> None:
    segments = (
        Segment(name="r1/1/720p/00001.m4s", ticks=60060, size=9),
        Segment(name="r2/4/720p/00001.m4s", ticks=60060, size=9),
    )
    root = parsed(make_video(prefix="media/a/t/", init="r1/1/720p/init.mp4", segments=segments))
    assert root.find(".//d:SegmentTemplate", NS) is None
    assert root.get("profiles") == "urn:mpeg:dash:profile:isoff-main:2011,urn:mpeg:dash:profile:cmaf:2019"
    assert [url.get("media") for url in root.iter("{urn:mpeg:dash:schema:mpd:2011}SegmentURL")] == [
        "X/media/a/t/r1/1/720p/00001.m4s",
        "X/media/a/t/r2/4/720p/00001.m4s",
    ]
    # One `S` for each address, also where they are equal: dash.js 5.2 takes the address of an `S` for all of its repeats
    rows = [dict(row.attrib) for row in root.iter("{urn:mpeg:dash:schema:mpd:2011}S")]
    assert rows == [{"t": "0", "d": "60060"}, {"d": "60060"}]


def test_captions_are_named_in_their_mp4_form(make_video: Make) -> None:
    text = make_video(
        "captions-en",
        kind="text",
        init=None,
        codecs="wvtt",
        language="en",
        segments=(Segment(name="00001.vtt", ticks=9, size=9),),
    )
    group = parsed(make_video(), text).findall(".//d:AdaptationSet", NS)[1]
    assert group.get("mimeType") == "application/mp4"
    assert group.get("contentType") is None
    assert group.find(".//d:SegmentTemplate", NS).get("initialization", "").endswith("/captions-en/init.mp4")


def test_what_a_file_says_is_escaped(make_video: Make) -> None:
    assert parsed(make_video(codecs='a"<&>')).find(".//d:Representation", NS).get("codecs") == 'a"<&>'


def test_sound_much_longer_than_the_picture_counts(make_video: Make, make_audio: Make) -> None:
    long = make_audio(segments=(Segment(name="00001.m4s", ticks=48000 * 60, size=9),))
    assert parsed(make_video(), long).get("mediaPresentationDuration") == "PT60S"
