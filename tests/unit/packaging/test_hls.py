from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.packaging.bitrate import average, peak, target_duration
from rushes.packaging.hls import multivariant, playlists
from rushes.packaging.playlist import iframe_playlist, media_playlist
from rushes.tracks import Segment, Track

Make = Callable[..., Track]


def href(key: str) -> str:
    return f"X/{key}"


def attributes(playlist: str, tag: str) -> list[dict[str, str]]:
    lines = [line.split(":", 1)[1] for line in playlist.splitlines() if line.startswith(f"#EXT-X-{tag}:")]
    return [dict(re.findall(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)', line)) for line in lines]


def test_media_playlist_whole(make_video: Make) -> None:
    assert media_playlist(make_video(), href, 4).splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-TARGETDURATION:4",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-MAP:URI="X/media/00000000000000000000000000/t/r/1/720p/init.mp4"',
        "#EXTINF:4.004000,",
        "X/media/00000000000000000000000000/t/r/1/720p/00001.m4s",
        "#EXTINF:4.004000,",
        "X/media/00000000000000000000000000/t/r/1/720p/00002.m4s",
        "#EXTINF:1.001000,",
        "X/media/00000000000000000000000000/t/r/1/720p/00003.m4s",
        "#EXT-X-ENDLIST",
    ]


def test_iframe_playlist_addresses_the_first_pictures(make_video: Make) -> None:
    text = iframe_playlist(make_video(), href, 4)
    assert "#EXT-X-I-FRAMES-ONLY" in text
    assert re.findall(r"#EXT-X-BYTERANGE:(\S+)", text) == ["50000@0", "60000@0", "10000@0"]


def test_variant_rates_are_measured_and_include_the_heaviest_sound(make_video: Make, make_audio: Make) -> None:
    # Given two sound tracks, the second twice as heavy
    heavy = make_audio(
        segments=tuple(Segment(name=s.name, ticks=s.ticks, size=2 * s.size) for s in make_audio().segments),
        name="audio-de",
    )
    (variant,) = attributes(multivariant([make_video(), make_audio(), heavy], 1), "STREAM-INF")
    # Then the peak is that of the second segment plus the heavy track's first (the short last ones do not count alone)
    picture, sound = 600_000 * 8 / 4.004, 2 * 65000 * 8 / (192512 / 48000)
    assert abs(int(variant["BANDWIDTH"]) - (picture + sound)) < 3
    assert abs(int(variant["AVERAGE-BANDWIDTH"]) - (1_200_000 * 8 / 9.009 + 2 * 145000 * 8 / (434176 / 48000))) < 3


def test_variant_attributes(make_video: Make, make_audio: Make) -> None:
    (variant,) = attributes(multivariant([make_video(), make_audio()], 3), "STREAM-INF")
    del variant["BANDWIDTH"], variant["AVERAGE-BANDWIDTH"]
    assert variant == {
        "CODECS": '"avc1.64001f,mp4a.40.2"',
        "RESOLUTION": "1280x720",
        "FRAME-RATE": "29.970",
        "VIDEO-RANGE": "SDR",
        "AUDIO": '"audio"',
        "CLOSED-CAPTIONS": "NONE",
    }


def test_sound_group(make_video: Make, make_audio: Make) -> None:
    tracks = [
        make_video(),
        make_audio(language="en"),
        make_audio(name="audio-de", language="de", default=True, channels=6),
    ]
    english, german = attributes(multivariant(tracks, 1), "MEDIA")
    assert (english["NAME"], english["LANGUAGE"], english["DEFAULT"]) == ('"English"', '"en"', "NO")
    assert (german["NAME"], german["DEFAULT"], german["CHANNELS"]) == ('"Deutsch"', "YES", '"6"')
    assert german["URI"] == '"audio-de.m3u8"'


def test_names_in_a_group_differ(make_video: Make, make_audio: Make) -> None:
    tracks = [make_video(), *(make_audio(name=f"audio{n}", language="en") for n in range(3))]
    assert [entry["NAME"] for entry in attributes(multivariant(tracks, 1), "MEDIA")] == [
        '"English"',
        '"English 2"',
        '"English 3"',
    ]


def test_no_sound_means_no_group(make_video: Make) -> None:
    text = multivariant([make_video()], 1)
    assert "AUDIO" not in text
    assert 'CODECS="avc1.64001f"' in text


def test_sound_only(make_audio: Make) -> None:
    text = multivariant([make_audio()], 1)
    (variant,) = attributes(text, "STREAM-INF")
    assert set(variant) == {"BANDWIDTH", "AVERAGE-BANDWIDTH", "CODECS"}
    assert text.endswith("\naudio.m3u8\n")
    assert "EXT-X-MEDIA" not in text


def test_the_start_variant_comes_first_then_the_best(make_video: Make) -> None:
    tracks = [
        make_video("1080p", (2_000_000, 2_000_000)),
        make_video("540p", (600_000, 600_000)),
        make_video("240p", (9_000, 9_000)),
    ]
    names = [line for line in multivariant(tracks, 1).splitlines() if not line.startswith("#")]
    assert names == ["540p.m3u8", "1080p.m3u8", "240p.m3u8"]


def test_a_turned_picture_is_described_as_seen(make_video: Make) -> None:
    assert "RESOLUTION=720x1280" in multivariant([make_video(rotation=90)], 1)


def test_hostile_language_cannot_write_tags(make_video: Make, make_audio: Make) -> None:
    text = multivariant([make_video(), make_audio(language='en"\n#EXT-X-ENDLIST')], 1)
    assert "ENDLIST" not in text
    assert "LANGUAGE" not in text


def test_one_target_duration_for_all(make_video: Make, make_audio: Make) -> None:
    odd = make_audio(segments=(Segment(name="00001.m4s", ticks=48000 * 9 // 2, size=1),))
    for text in playlists([make_video(), odd], href).values():
        assert "#EXT-X-TARGETDURATION:5\n" in text


def test_playlists_are_named_after_tracks(make_video: Make, make_audio: Make) -> None:
    assert list(playlists([make_video(), make_audio()], href)) == ["720p.m3u8", "audio.m3u8", "720p-iframes.m3u8"]


def test_a_short_last_segment_does_not_count_alone() -> None:
    durations = [Fraction(6), Fraction(6), Fraction(1, 2)]
    assert peak(durations, [600, 600, 500], 6) == round(8 * 1100 / 6.5 + 0.5)


def test_a_clip_shorter_than_half_a_target_counts_whole() -> None:
    assert peak([Fraction(3, 10)], [300], 1) == average([Fraction(3, 10)], [300]) == 8000


@given(st.lists(st.tuples(st.integers(1, 40_000), st.integers(1, 10**7)), min_size=1, max_size=12))
def test_peak_is_never_below_average_by_much_nor_above_the_worst_segment(rows: list[tuple[int, int]]) -> None:
    durations, sizes = [Fraction(ticks, 4000) for ticks, _ in rows], [size for _, size in rows]
    target = max(1, int(max(durations) + Fraction(1, 2)))
    found = peak(durations, sizes, target)
    assert found <= max(-(-8 * size // duration) for size, duration in zip(sizes, durations, strict=True))
    assert found >= average(durations, sizes)


@pytest.mark.parametrize("order", [1, -1])
def test_what_is_too_short_for_a_rate_and_has_long_neighbours_counts_with_one(order: int) -> None:
    """A dark beginning cut at 5.4 s and 2.4 s of action: together they are longer than 1.5 targets of 5 s."""
    durations, sizes = [Fraction(54, 10), Fraction(24, 10)][::order], [10_000, 2_400_000][::order]
    assert peak(durations, sizes, 5) == average(durations, sizes)
    durations, sizes = [*durations, Fraction(54, 10)][::order], [*sizes, 10_000][::order]
    assert peak(durations, sizes, 5) > average(durations, sizes)


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=10))
def test_no_rounded_segment_exceeds_the_target(ticks: list[int]) -> None:
    segments = tuple(Segment(name=f"{n}", ticks=t, size=1) for n, t in enumerate(ticks))
    track = Track(name="a", kind="audio", prefix="p/", codecs="x", timescale=9000, segments=segments)
    target = target_duration([track])
    assert all(int(t / 9000 + 0.5) <= target for t in ticks)
