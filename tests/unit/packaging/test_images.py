"""The storyboard as an image track: what HLS and DASH say of it, and that nothing else changes by it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable

from rushes.packaging.dash import manifest
from rushes.packaging.hls import multivariant, playlists
from rushes.packaging.images import image_playlist
from rushes.tracks import Segment, Track

Make = Callable[..., Track]
NS = {"d": "urn:mpeg:dash:schema:mpd:2011"}


def href(key: str) -> str:
    return f"X/{key}"


def test_image_playlist_whole(make_board: Make) -> None:
    assert image_playlist(make_board(), href).splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-TARGETDURATION:10",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        "#EXT-X-IMAGES-ONLY",
        "#EXTINF:10.000000,",
        "#EXT-X-TILES:RESOLUTION=160x90,LAYOUT=5x2,DURATION=1.000000",
        "X/media/00000000000000000000000000/t/s/1/storyboard/00001.jpg",
        "#EXTINF:2.000000,",
        "#EXT-X-TILES:RESOLUTION=160x90,LAYOUT=5x2,DURATION=1.000000",
        "X/media/00000000000000000000000000/t/s/1/storyboard/00002.jpg",
        "#EXT-X-ENDLIST",
    ]


def test_a_single_sheet_that_is_not_full_says_what_a_tile_stands_for(make_board: Make) -> None:
    text = image_playlist(
        make_board(segments=(Segment(name="00001.jpg", ticks=200_000, size=9),), tile_ticks=60_000), href
    )
    assert "#EXTINF:6.666667,\n#EXT-X-TILES:RESOLUTION=160x90,LAYOUT=5x2,DURATION=2.000000\n" in text


def test_the_multivariant_playlist_names_it_and_is_otherwise_the_same(make_video: Make, make_board: Make) -> None:
    without = multivariant([make_video()], 1)
    assert multivariant([make_video(), make_board()], 1) == (
        without
        + '#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=32667,AVERAGE-BANDWIDTH=32667,RESOLUTION=160x90,CODECS="jpeg",'
        + 'URI="storyboard.m3u8"\n'
    )


def test_sheets_do_not_lengthen_the_target_duration(make_video: Make, make_board: Make) -> None:
    texts = playlists([make_video(), make_board()], href)
    assert list(texts) == ["720p.m3u8", "storyboard.m3u8", "720p-iframes.m3u8"]
    assert "#EXT-X-TARGETDURATION:4\n" in texts["720p.m3u8"]


def test_dash_says_how_sheets_are_divided(make_video: Make, make_board: Make) -> None:
    text = manifest([make_video(), make_board()], href, 1)
    alone = manifest([make_video()], href, 1)
    assert text.split("<Period")[0] == alone.split("<Period")[0]
    (group,) = ET.fromstring(text).findall(".//d:AdaptationSet[@contentType='image']", NS)
    assert group.attrib == {"id": "200", "contentType": "image", "mimeType": "image/jpeg"}
    (track,) = group.findall("d:Representation", NS)
    assert track.attrib == {"id": "storyboard", "bandwidth": "32667", "width": "800", "height": "180"}
    tiles, template = track
    assert tiles.attrib == {"schemeIdUri": "http://dashif.org/guidelines/thumbnail_tile", "value": "5x2"}
    assert template.attrib == {
        "timescale": "30000",
        "duration": "300000",
        "media": "X/media/00000000000000000000000000/t/s/1/storyboard/$Number%05d$.jpg",
        "startNumber": "1",
    }
