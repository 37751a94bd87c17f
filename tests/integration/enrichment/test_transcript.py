"""The transcript step: from a source file to captions, by the engine that comes with the package."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from rushes.engine.job import ToolSettings
from rushes.enrichment import transcript
from rushes.enrichment.speech import DRAFT_LIMIT, select
from rushes.errors import StepFailure
from rushes.facts import AudioFacts, SourceFacts, VideoFacts
from rushes.model import Skipped, TranscriptResult
from rushes.states import StepKind

pytest.importorskip("pocketsphinx")

TEXT = (
    "The quick brown fox jumps over the lazy dog. We are going to the market to buy some fresh bread, "
    "and then we will walk home along the river."
)
PORTRAIT = VideoFacts(index=0, codec="h264", width=1080, height=1920, fps=Fraction(30))


def facts(seconds: float, *audio: AudioFacts, video: VideoFacts | None = None) -> SourceFacts:
    return SourceFacts(container="mp4", demuxer="mov", size=1, duration=seconds, audio=audio, video=video)


def stream(index: int = 0, language: str | None = None, *, default: bool = False) -> AudioFacts:
    return AudioFacts(index=index, codec="aac", channels=2, sample_rate=48_000, language=language, default=default)


def step(studio, source: Path | None, known: SourceFacts, **tools: object) -> TranscriptResult | Skipped:
    workspace = studio.workspace()
    workspace.tools = ToolSettings(**tools)
    return transcript.run(studio.job(StepKind.TRANSCRIPT, facts=known, source=source), workspace)


def word_error_rate(reference: str, heard: str) -> float:
    """Edits (words put in, left out, changed) by which `heard` differs, per word of the reference."""
    plain = [
        "".join(letter for letter in text.lower() if letter.isalpha() or letter in " '\n").split()
        for text in (reference, heard)
    ]
    row = list(range(len(plain[1]) + 1))
    for number, word in enumerate(plain[0], 1):
        last, row[0] = row[0], number
        for at, other in enumerate(plain[1], 1):
            last, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, last + (word != other))
    return row[-1] / len(plain[0])


def said(result: TranscriptResult | Skipped) -> str:
    assert isinstance(result, TranscriptResult), result.reason.message
    return " ".join(cue.text.replace("\n", " ") for cue in result.cues)


@pytest.fixture
def speech(studio, say: Callable[[str], Path]) -> Path:
    """An MP4 whose sound is TEXT, beginning at 2 s."""
    delay = "adelay=2000:all=1,apad=pad_dur=1"
    return studio.clip("speech.mp4", "-i", str(say(TEXT)), "-af", delay, "-ar", "48000", "-ac", "2", "-c:a", "aac")


def test_english_becomes_a_draft_with_times(studio, speech: Path) -> None:
    # Given a source in which somebody speaks from the third second on
    result = step(studio, speech, facts(11.0, stream(), video=PORTRAIT))
    # Then the draft has most of the words, is not trusted, and begins when the speech does
    assert word_error_rate(TEXT, said(result)) <= 0.2
    assert (result.language, result.engine, result.trusted) == ("en", "pocketsphinx/en-us", False)
    assert not any(cue.trusted for cue in result.cues)
    assert result.cues[0].start == pytest.approx(2.1, abs=0.5)
    assert result.cues[-1].end <= 11.0
    # And its lines are those of an upright picture
    assert max(len(line) for cue in result.cues for line in cue.text.split("\n")) <= 28


def test_what_is_stored_says_the_same_as_the_result(studio, speech: Path) -> None:
    result = step(studio, speech, facts(11.0, stream()))
    assert result.vtt_key == "artifacts/asset/recipe/3/transcript.vtt"
    text = studio.store.read(result.vtt_key).decode()
    assert text.count(" --> ") == len(result.cues)
    assert result.cues[0].text in text
    document = json.loads(studio.store.read(result.json_key))
    assert (document["language"], document["engine"], document["trusted"]) == ("en", "pocketsphinx/en-us", False)
    assert [cue["text"] for cue in document["cues"]] == [cue.text for cue in result.cues]
    assert [word["text"] for word in document["words"]][:3] == ["the", "quick", "brown"]
    assert studio.store.head(result.vtt_key).content_type == "text/vtt; charset=utf-8"


def test_the_default_stream_is_heard(studio, say: Callable[[str], Path]) -> None:
    inputs = ["-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono:d=5", "-i", str(say("Good morning, how are you today?"))]
    path = studio.clip("two.mp4", *inputs, "-map", "0", "-map", "1", "-c:a", "aac")
    assert said(step(studio, path, facts(5.0, stream(0), stream(1)))) == ""
    assert "are you today" in said(step(studio, path, facts(5.0, stream(0), stream(1, default=True))))


@pytest.mark.parametrize("sound", ["anullsrc=r=48000:cl=stereo:d=4", "anoisesrc=c=pink:r=48000:a=0.0003:d=4"])
def test_silence_gives_an_empty_transcript(studio, sound: str) -> None:
    path = studio.clip("silent.mp4", "-f", "lavfi", "-i", sound, "-c:a", "aac")
    result = step(studio, path, facts(4.0, stream()))
    assert (said(result), result.language) == ("", None)
    assert studio.store.read(result.vtt_key) == b"WEBVTT\n"


@pytest.mark.parametrize(
    "sound",
    [
        "anoisesrc=c=white:r=48000:a=0.3:d=15",
        "anoisesrc=c=brown:r=48000:a=0.5:d=15",
        "aevalsrc='0.2*sin(2*PI*t*(220+110*floor(mod(t*2,4))))+0.1*sin(2*PI*t*330)':s=48000:d=15",
        "sine=f=60:b=4:r=48000:d=15",
    ],
)
def test_noise_and_tunes_do_not_give_pages_of_nonsense(studio, sound: str) -> None:
    path = studio.clip("noise.mp4", "-f", "lavfi", "-i", sound, "-c:a", "aac")
    assert len(said(step(studio, path, facts(15.0, stream()))).split()) <= 5


def test_a_source_without_sound_is_skipped(studio) -> None:
    result = step(studio, None, facts(4.0))
    assert isinstance(result, Skipped)
    assert result.reason.code == "no_audio"


@pytest.mark.parametrize(
    ("known", "tools", "part"),
    [
        (facts(4.0, stream()), {"speech_draft": False}, "switched off"),
        (facts(4.0, stream(language="de")), {}, "'de'"),
        (facts(DRAFT_LIMIT + 1, stream()), {}, "too long"),
        (facts(4.0, stream()), {"whisper_model": "/nonexistent/small"}, "lacks model.bin"),
    ],
)
def test_without_an_engine_the_step_is_skipped_with_a_sentence(studio, known, tools, part: str) -> None:
    result = step(studio, None, known, **tools)
    assert isinstance(result, Skipped)
    assert result.reason.code == "no_model"
    assert part in result.reason.message


def test_a_model_without_its_tokenizer_is_refused_as_the_library_would_fetch_one(tmp_path: Path) -> None:
    for name in ("model.bin", "config.json"):
        (tmp_path / name).touch()
    chosen = select(ToolSettings(whisper_model=str(tmp_path)), stream(), 4.0)
    assert isinstance(chosen, Skipped)
    assert "lacks tokenizer.json" in chosen.reason.message


@pytest.mark.parametrize(("package", "tools"), [("pocketsphinx", {}), ("faster_whisper", {"whisper_model": "here"})])
def test_a_missing_package_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, tools: dict[str, str]
) -> None:
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (tmp_path / name).touch()
    wanted = {name: str(tmp_path) for name in tools}
    monkeypatch.setattr("rushes.enrichment.speech.find_spec", lambda name: None)
    chosen = select(ToolSettings(**wanted), stream(), 4.0)
    assert isinstance(chosen, Skipped)
    assert "not installed" in chosen.reason.message


def test_sound_that_cannot_be_decoded_is_a_failure(studio) -> None:
    path = studio.clip("broken.mp4", "-f", "lavfi", "-i", "sine=d=2", "-c:a", "aac")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(StepFailure):
        step(studio, path, facts(2.0, stream()))


@pytest.mark.media
@pytest.mark.parametrize(("name", "demuxer", "most"), [("jfk.flac", "flac", 0.45), ("lj001-0003.wav", "wav", 0.4)])
def test_real_voices_are_heard_well_enough_for_a_draft(
    studio, media: Path, name: str, demuxer: str, most: float
) -> None:
    source = media / "speech" / name
    known = facts(12.0, stream()).model_copy(update={"demuxer": demuxer})
    reference = source.with_suffix(".txt").read_text()
    rate = word_error_rate(reference, said(step(studio, source, known)))
    print(f"{name}: word error rate {rate:.2f}")  # noqa: T201 - the figure is what this test is read for
    assert rate <= most
