from __future__ import annotations

import pytest

from rushes.facts import AudioFacts
from rushes.transcoder.languages import alternatives, kept_audio, track_name


def stream(index: int, language: str | None = None, *, default: bool = False) -> AudioFacts:
    return AudioFacts(index=index, codec="aac", channels=2, sample_rate=48000, language=language, default=default)


def kept(*streams: AudioFacts, limit: int = 4) -> list[int]:
    return [found.index for found in kept_audio(streams, limit)]


def test_the_default_stream_leads():
    assert kept(stream(1, "de"), stream(2, "en", default=True)) == [2, 1]


def test_without_a_default_the_first_leads():
    assert kept(stream(2, "en"), stream(1, "de")) == [1, 2]


def test_one_stream_of_each_language():
    assert kept(stream(1, "en"), stream(2, "en"), stream(3, "fr")) == [1, 3]


def test_a_hundred_nameless_streams_are_one():
    assert kept(*(stream(n) for n in range(1, 101))) == [1]


def test_no_more_than_the_profile_keeps():
    languages = ["en", "de", "fr", "es", "it"]
    assert kept(*(stream(n, language) for n, language in enumerate(languages)), limit=4) == [0, 1, 2, 3]
    assert kept(limit=4) == []


def test_a_commentary_does_not_lead_and_gets_no_track_beside_the_real_sound():
    comment = stream(1, "en", default=True).model_copy(update={"secondary": True})
    assert kept(comment, stream(2, "en"), stream(3, "de")) == [2, 3]
    assert kept(comment, stream(2, "de")) == [2]
    assert kept(comment) == [1]


def test_an_empty_track_gives_way():
    empty = stream(1, default=True).model_copy(update={"empty": True})
    assert kept(empty, stream(2)) == [2]


def test_what_cannot_be_decoded_has_a_stand_in_of_its_own_language():
    streams = [stream(1, "en"), stream(2, "de"), stream(3, "en", default=True), stream(4, "en"), stream(5, "en")]
    assert [one.index for one in alternatives(streams[0], streams)] == [1, 3, 4]
    assert [one.index for one in alternatives(streams[1], streams)] == [2]


@pytest.mark.parametrize(
    ("position", "language", "name"),
    [
        (0, "de", "audio"),
        (1, "de", "audio-de"),
        (1, "pt-BR", "audio-pt-br"),
        (2, None, "audio-und"),
        (1, "../../etc", "audio-etc"),
        (1, "☃", "audio-und"),
    ],
)
def test_names_are_safe_in_a_path(position, language, name):
    assert track_name(position, stream(1, language)) == name
