"""Nothing that is personal in a source is in an output: every stored byte is searched for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rushes.engine.job import ToolSettings
from rushes.transcoder import source

PLACE, PERSON, DEVICE, NOTE = "+52.5163-013.3777/", "Wilhelmine Beispiel", "SN-4711-0815", "our-garden-gate-code-1234"
SECRETS = [PLACE, PERSON, DEVICE, NOTE]
TAGS = [
    f"location={PLACE}", f"location-eng={PLACE}", f"artist={PERSON}", f"make={DEVICE}", f"comment={NOTE}",
    f"com.apple.quicktime.location.ISO6709={PLACE}", "creation_time=2024-05-01T10:00:00Z", "title=A holiday",
]  # fmt: skip
PICTURE = ("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30:duration=4")
SOUND = ("-f", "lavfi", "-i", "sine=frequency=440:duration=4")
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-pix_fmt", "yuv420p", "-c:a", "aac")
SEI = f"h264_metadata=sei_user_data=086f3693b7b34f2c965321492feee5b8+{DEVICE}".replace("-", "_")


@pytest.fixture
def telling(make_clip, tmp_path) -> dict[str, Path]:
    """Clips that tell of their maker in every place there is: tags of file and streams, chapters, subtitles, SEI."""
    words, chapters = tmp_path / "words.srt", tmp_path / "chapters"
    words.write_text(f"1\n00:00:00,000 --> 00:00:02,000\n{NOTE}\n")
    chapters.write_text(f";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=2000\ntitle={PERSON}\n")
    inputs = (*PICTURE, *SOUND, "-i", str(words), "-i", str(chapters), "-map", "0:v", "-map", "1:a", "-map", "2:s")
    tags = [part for tag in TAGS for part in ("-metadata", tag)]
    tags += ["-metadata:s:v", f"title={PERSON}", "-metadata:s:a", f"handler_name={DEVICE}", "-map_chapters", "3"]
    return {
        "mp4": make_clip(
            "telling.mp4", *inputs, *H264, *tags, "-c:s", "mov_text", "-movflags", "use_metadata_tags", "-bsf:v", SEI
        ),
        "mkv": make_clip("telling.mkv", *inputs, *H264, *tags, "-c:s", "srt", "-bsf:v", SEI, "-attach", str(words),
                         "-metadata:s:t", "mimetype=text/plain"),
    }  # fmt: skip


def outputs(place) -> dict[str, bytes]:
    return {
        info.key: place.store.read(info.key) for info in place.store.list("") if not info.key.startswith("sources/")
    }


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_no_output_tells(stage, telling, kind):
    place = stage(telling[kind])
    hidden = [*SECRETS, DEVICE.replace("-", "_")]
    told = place.source.read_bytes()
    assert all(secret.encode() in told for secret in (PLACE, PERSON, NOTE, DEVICE.replace("-", "_")))
    if kind == "mp4":
        remuxed = place.remux()
        assert remuxed.kind == "tracks", remuxed
    place.encode()
    place.audio()
    found = outputs(place)
    assert len(found) > 3
    for key, data in found.items():
        assert not [secret for secret in hidden if secret.encode() in data], key


def test_the_record_names_what_was_there_and_keeps_it_only_where_the_profile_asks(stage, telling):
    place = stage(telling["mp4"])
    assert {"location", "person", "device", "note", "time"} <= set(place.facts.personal)
    assert not [secret for secret in SECRETS if secret in place.facts.model_dump_json()]
    assert place.facts.tags["title"] == "A holiday"
    # And where it is asked for
    profile = place.profile.model_copy(update={"personal_metadata": True})
    kept = source.probe(telling["mp4"], ToolSettings(), personal=profile.personal_metadata)
    assert PLACE in kept.tags["location"]
