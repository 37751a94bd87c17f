"""Groups of sound and captions: what is in one group, what they are called, which of them plays by itself."""

from __future__ import annotations

from collections.abc import Callable

from rushes.packaging.alternates import alternates, audio_groups
from rushes.packaging.captions import TRANSCRIBES
from rushes.packaging.dash import manifest
from rushes.packaging.hls import multivariant
from rushes.tracks import Track

Make = Callable[..., Track]


def names(tracks: list[Track]) -> dict[str, list[str]]:
    return {name: [track.name for track in members] for name, members in audio_groups(tracks).items()}


def test_sound_is_grouped_by_codec_and_channels(make_audio: Make) -> None:
    tracks = [
        make_audio("en", language="en"),
        make_audio("de", language="de"),
        make_audio("en-surround", language="en", channels=6),
        make_audio("de-surround", language="de", channels=6),
        make_audio("en-opus", language="en", codecs="opus"),
        make_audio("de-opus", language="de", codecs="opus"),
    ]
    assert names(tracks) == {
        "audio": ["en", "de"],
        "audio-6ch": ["en-surround", "de-surround"],
        "audio-opus": ["en-opus", "de-opus"],
    }


def test_no_language_is_lost_where_channels_differ_between_them(make_audio: Make) -> None:
    tracks = [make_audio("en", language="en"), make_audio("de", language="de", channels=1)]
    assert names(tracks) == {"audio": ["en", "de"]}
    # nor a second one in a language
    tracks = [
        make_audio("a", language="en"),
        make_audio("b", language="en"),
        make_audio("c", language="en", channels=6),
    ]
    assert names(tracks) == {"audio": ["a", "b", "c"]}


def test_a_group_whole(make_audio: Make) -> None:
    tracks = [
        make_audio("audio", language="eng", default=True),
        make_audio("audio-en", language="en"),
        make_audio("audio-de", language="ger", channels=6),
    ]
    assert alternates("AUDIO", "audio", tracks) == [
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,'
        'CHANNELS="2",URI="audio.m3u8"',
        # nothing that a player chooses by tells the second English one from the first
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="English 2",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=NO,'
        'CHANNELS="2",URI="audio-en.m3u8"',
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Deutsch",LANGUAGE="de",DEFAULT=NO,AUTOSELECT=YES,'
        'CHANNELS="6",URI="audio-de.m3u8"',
    ]


def test_the_default_is_chosen_by_itself_wherever_it_stands(make_audio: Make) -> None:
    tracks = [make_audio("a", language="en"), make_audio("b", language="en", default=True)]
    first, second = alternates("AUDIO", "audio", tracks)
    assert "DEFAULT=NO,AUTOSELECT=NO" in first
    assert "DEFAULT=YES,AUTOSELECT=YES" in second


def captions(make_video: Make) -> Track:
    return make_video(
        "captions-en", kind="text", init=None, codecs="wvtt", language="eng", characteristics=(TRANSCRIBES, "x.y")
    )


def test_captions_say_what_they_are(make_video: Make) -> None:
    assert alternates("SUBTITLES", "subtitles", [captions(make_video)]) == [
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subtitles",NAME="English",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=YES,'
        f'FORCED=NO,CHARACTERISTICS="{TRANSCRIBES},x.y",URI="captions-en.m3u8"'
    ]


def test_dash_names_languages_as_hls_does(make_video: Make, make_audio: Make) -> None:
    tracks = [make_video(), make_audio(language="eng"), make_audio("audio-opus", codecs="opus", language="en")]
    text = manifest([*tracks, make_audio("mute"), captions(make_video)], lambda key: key, 1)
    assert text.count("<Label>English</Label>") == 3
    assert text.count("<Label>") == 3  # none for what has no language
    assert text.count('lang="en"') == 3
    # in the schema's order: before the role
    assert text.index("<Label>") < text.index("<Role", text.index('lang="en"'))
    assert 'value="caption"' in text
    assert '"English"' in multivariant(tracks, 1)
