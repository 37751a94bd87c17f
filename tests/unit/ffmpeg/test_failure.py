"""What a tool's end means."""

from __future__ import annotations

import pytest

from rushes.errors import Blame
from rushes.ffmpeg.failure import classify


@pytest.mark.parametrize(
    ("stderr", "code", "blame"),
    [
        ("[mov,mp4] [error] moov atom not found", "moov_missing", Blame.PERMANENT),
        ("av_interleaved_write_frame(): No space left on device", "scratch_full", Blame.RESOURCE),
        ("Disk quota exceeded", "scratch_full", Blame.RESOURCE),
        ("Decoder (codec none) not found for input stream #0:0", "codec_unsupported", Blame.PERMANENT),
        ("Stream map '0:v:0' matches no streams.", "no_video_stream", Blame.PERMANENT),
        ("Output file does not contain any stream", "no_video_stream", Blame.PERMANENT),
        ("Cannot determine format of input 0:0 after EOF", "no_decodable_frames", Blame.PERMANENT),
        ("[http @ 0x1] Protocol 'http' not on whitelist 'file,pipe'!", "playlist_refused", Blame.PERMANENT),
        ("Error opening input file x: Invalid data found when processing input", "corrupt", Blame.PERMANENT),
        ("[IMGUTILS] Picture size 65535x65535 is invalid", "over_limit_pixels", Blame.PERMANENT),
        ("Cannot allocate memory", "over_limit_memory", Blame.PERMANENT),
        ("bwrap: Can't bind mount /x: No such file", "internal", Blame.TRANSIENT),
        ("jail: landlock: Operation not supported", "internal", Blame.TRANSIENT),
        ("something nobody has seen", "tool_failed", Blame.TRANSIENT),
        ("", "tool_failed", Blame.TRANSIENT),
    ],
)
def test_by_what_it_said(stderr: str, code: str, blame: Blame) -> None:
    failure = classify(1, stderr)
    assert (failure.code, failure.blame) == (code, blame)


@pytest.mark.parametrize(
    ("returncode", "code", "blame"),
    [
        (-9, "tool_killed", Blame.RESOURCE),
        (137, "tool_killed", Blame.RESOURCE),
        (-15, "tool_killed", Blame.TRANSIENT),
        (-11, "tool_failed", Blame.POISON),
        (139, "tool_failed", Blame.POISON),
        (-25, "scratch_full", Blame.RESOURCE),
    ],
)
def test_by_the_signal_that_ended_it(returncode: int, code: str, blame: Blame) -> None:
    failure = classify(returncode, "moov atom not found")
    assert (failure.code, failure.blame) == (code, blame)


def test_a_full_disk_is_never_the_creators_fault() -> None:
    """Both lines appear when the scratch disk fills while a damaged file is read."""
    failure = classify(1, "Invalid data found when processing input\nNo space left on device")
    assert failure.blame is Blame.RESOURCE


def test_the_detail_is_for_operators_and_can_be_pasted() -> None:
    failure = classify(3, "x" * 100_000 + "the end", "ffmpeg -i 'a b'")
    assert failure.detail.startswith("ffmpeg -i 'a b'\nexit code 3\n")
    assert failure.detail.endswith("the end")
    assert len(failure.detail) < 10_000
    assert "ffmpeg" not in failure.message
