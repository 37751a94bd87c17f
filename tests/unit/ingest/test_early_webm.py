"""Matroska and WebM by their first bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rushes.facts import EarlyFacts
from rushes.ingest.early_bytes import View
from rushes.ingest.early_look import SMALLEST, Hopeless, look
from rushes.profiles import Limits

UNKNOWN = b"\x01\xff\xff\xff\xff\xff\xff\xff"


def element(identity: str, *parts: bytes, size: bytes | None = None) -> bytes:
    content = b"".join(parts)
    return bytes.fromhex(identity) + (size or (len(content) | 1 << 28).to_bytes(4)) + content


def track(kind: int, codec: str, *more: bytes) -> bytes:
    return element("AE", element("83", bytes([kind])), element("86", codec.encode()), *more)


PICTURE = track(1, "V_VP9", element("E0", element("B0", b"\x05\x00"), element("BA", b"\x02\xd0")))
SOUND = track(2, "A_OPUS")
SUBTITLE = track(0x11, "S_TEXT/UTF8")
INFO = element("1549A966", element("2AD7B1", b"\x0f\x42\x40"), element("4489", struct.pack(">d", 12_500.0)))


def film(*tracks: bytes, info: bytes = INFO, before: bytes = b"", size: bytes | None = UNKNOWN) -> bytes:
    inside = before + info + element("1654AE6B", *tracks) + element("1F43B675", bytes(SMALLEST), size=UNKNOWN)
    header = element("1A45DFA3", element("4282", b"webm"))
    return header + element("18538067", inside, size=size)


def test_tracks_and_length_are_read() -> None:
    found = look(View(film(PICTURE, SOUND), b"", None), Limits())
    expected = EarlyFacts(
        container="webm", duration=12.5, width=1280, height=720, video_codec="vp9", audio_codec="opus"
    )
    assert (found.facts, found.is_final, found.head) == (expected, True, 0)


def test_a_recording_of_a_browser_says_no_length() -> None:
    found = look(View(film(PICTURE, info=element("1549A966", element("2AD7B1", b"\x0f\x42\x40"))), b"", None), Limits())
    assert found.facts is not None
    assert (found.facts.duration, found.facts.width) == (None, 1280)


def test_sound_alone_is_refused() -> None:
    with pytest.raises(Hopeless) as caught:
        look(View(film(SOUND, SUBTITLE), b"", None), Limits())
    assert (caught.value.code, caught.value.status) == ("no_video_stream", 415)


def test_a_track_of_an_unknown_kind_may_be_a_picture() -> None:
    found = look(View(film(SOUND, track(0x20, "X_NEW")), b"", None), Limits())
    assert found.facts == EarlyFacts(container="webm", duration=12.5, audio_codec="opus")


def test_tracks_behind_a_long_element_are_waited_for() -> None:
    data = film(PICTURE, before=element("EC", bytes(SMALLEST)))
    found = look(View(data[:SMALLEST], b"", None), Limits())
    assert SMALLEST < found.wants <= len(data)
    assert look(View(data, b"", None), Limits()).facts == look(View(film(PICTURE), b"", None), Limits()).facts


def test_tracks_that_come_too_late_are_not_waited_for() -> None:
    data = film(PICTURE, before=element("EC", bytes(2**21)))
    found = look(View(data[:SMALLEST], b"", None), Limits())
    assert (found.facts, found.wants) == (EarlyFacts(container="webm"), 0)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damage_never_refuses_but_where_the_picture_itself_is_hit(data: st.DataObject) -> None:
    whole = bytearray(film(PICTURE, SOUND))
    says_so = range(whole.index(PICTURE), whole.index(PICTURE) + 11)  # its entry's head, and that it is a picture
    places = data.draw(st.lists(st.integers(4, 150), min_size=1, max_size=10))
    for place in places:
        whole[place] = data.draw(st.integers(0, 255))
    try:
        found = look(View(bytes(whole), b"", None), Limits())
    except Hopeless as refusal:
        assert refusal.code == "no_video_stream"
        assert set(places) & set(says_so)
    else:
        assert found.facts is not None
