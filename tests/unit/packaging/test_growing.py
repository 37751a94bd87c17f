from __future__ import annotations

from fractions import Fraction

import pytest

from rushes.packaging.growing import grow, growing_master, growing_playlists, target_seconds, until
from rushes.storage.memory import MemoryStore
from rushes.tracks import Segment, Track

ASSET = "01jabcdefghjkmnpqrstvwxyz0"
TWO = Fraction(2)


def picture(segments: int, last: int = 60) -> Track:
    ticks = [60] * (segments - 1) + [last]
    return Track(
        name="360p", kind="video", prefix=f"media/{ASSET}/t/r/1/360p/", init_size=700, codecs="avc1.64001e", timescale=30,
        segments=tuple(
            Segment(name=f"{number:05d}.m4s", ticks=length, size=100_000, keyframe_size=20_000)
            for number, length in enumerate(ticks, 1)
        ),
        width=640, height=360, fps=Fraction(30),
    )  # fmt: skip


def sound(seconds: int = 20) -> Track:
    return Track(
        name="audio", kind="audio", prefix=f"media/{ASSET}/t/s/1/audio/", init_size=600, codecs="mp4a.40.2",
        timescale=48_000, channels=2, sample_rate=48_000, default=True,
        segments=tuple(Segment(name=f"{at:05d}.m4s", ticks=192_000, size=64_000) for at in range(1, seconds // 4 + 1)),
    )  # fmt: skip


def playlists(segments: int, *, over: bool = False) -> dict[str, str]:
    found = growing_playlists(ASSET, 3, [picture(segments), sound()], TWO, over=over)
    return {key.rpartition("/")[2]: text for key, text in found.items()}


def test_playlists_lie_at_a_place_of_their_own_and_lead_to_the_segments() -> None:
    found = growing_playlists(ASSET, 3, [picture(2), sound()], TWO, over=False)
    assert list(found) == [f"media/{ASSET}/g/3/360p.m3u8", f"media/{ASSET}/g/3/audio.m3u8"]
    assert "\n../../t/r/1/360p/00001.m4s\n" in found[f"media/{ASSET}/g/3/360p.m3u8"]
    assert '#EXT-X-MAP:URI="../../t/s/1/audio/init.mp4"' in found[f"media/{ASSET}/g/3/audio.m3u8"]


def test_what_was_listed_stays_and_the_rest_follows() -> None:
    first, second, last = playlists(2), playlists(4), playlists(9, over=True)
    for name in first:
        assert second[name].startswith(first[name])
        assert last[name].startswith(second[name])
    assert "#EXT-X-PLAYLIST-TYPE:EVENT\n" in first["360p.m3u8"]
    assert "#EXT-X-START:TIME-OFFSET=0,PRECISE=YES\n" in first["360p.m3u8"]
    assert not first["360p.m3u8"].endswith("#EXT-X-ENDLIST\n")
    assert last["360p.m3u8"].endswith("#EXT-X-ENDLIST\n")
    assert last["audio.m3u8"].endswith("#EXT-X-ENDLIST\n")


def test_sound_is_listed_as_far_as_there_are_pictures_and_whole_in_the_end() -> None:
    assert playlists(2)["audio.m3u8"].count("#EXTINF") == 1
    assert playlists(3)["audio.m3u8"].count("#EXTINF") == 2
    assert playlists(9, over=True)["audio.m3u8"].count("#EXTINF") == 5
    assert len(until(sound(), Fraction(0)).segments) == 1


def test_the_target_is_the_same_from_the_first_to_a_longer_last_segment() -> None:
    targets = [
        target_seconds([picture(2), sound()], TWO),
        target_seconds([picture(9, last=75), sound()], TWO),
    ]
    assert targets == [4, 4]
    assert target_seconds([picture(1, last=75)], TWO) == 3


def test_the_master_leads_to_the_playlists_that_grow() -> None:
    text = growing_master(ASSET, 3, [picture(2), sound()], bandwidth=1_700_000)
    assert "\n../../g/3/360p.m3u8\n" in text
    assert 'URI="../../g/3/audio.m3u8"' in text
    assert "I-FRAME" not in text
    assert "# rushes build=3\n" in text
    assert "BANDWIDTH=1700000," in text
    assert "AVERAGE-BANDWIDTH=1700000" not in text


def test_a_build_that_would_not_play_is_not_begun() -> None:
    with pytest.raises(ValueError, match="no codec string"):
        growing_master(ASSET, 3, [picture(2).model_copy(update={"codecs": ""})], bandwidth=1)


def test_an_overtaken_attempt_makes_nothing_shorter() -> None:
    store, key = MemoryStore(), f"media/{ASSET}/g/3/360p.m3u8"
    for text in (playlists(2), playlists(4), playlists(2)):
        grow(store, key, text["360p.m3u8"])
    assert store.read(key).decode() == playlists(4)["360p.m3u8"]
    info = store.head(key)
    assert (info.content_type, info.cache_control) == ("application/vnd.apple.mpegurl", "public, max-age=2")
