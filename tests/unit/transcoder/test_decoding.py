from __future__ import annotations

from rushes.transcoder.decoding import Decoding, error_lines, loud, read_decoding

DAMAGED = """\
[h264 @ 0x55] [error] Invalid NAL unit size (306 > 153).
[in#0/mov,mp4,m4a,3gp,3g2,mj2 @ 0x55] [error] stream 0, offset 0x11bc0: partial file
[vist#0:0/h264 @ 0x55] [dec:h264 @ 0x56] [error] Decoding error: Invalid data found when processing input
    Last message repeated 2 times
[h264 @ 0x55] [info] concealing 240 DC, 240 AC, 240 MV errors in I frame
[null @ 0x57] [error] Application provided invalid, non monotonically increasing dts: 5 >= 4
    Last message repeated 9 times
[in#0/mov @ 0x5] [verbose]   Input stream #0:0 (video): 107 packets read; 106 frames decoded; 1 decode errors;
[in#0/mov @ 0x5] [verbose]   Input stream #0:10 (audio): 91 packets read; 0 frames decoded; 91 decode errors (0 samples);
"""


def test_errors_about_the_input_are_counted_with_their_repetitions():
    assert error_lines(DAMAGED) == 5


def test_each_stream_has_its_own_summary():
    assert read_decoding(DAMAGED, 0) == Decoding(frames=106, errors=5)
    assert read_decoding(DAMAGED, 10) == Decoding(frames=0, errors=91)


def test_a_run_that_did_not_end_says_nothing():
    assert read_decoding("[h264 @ 0x55] [error] Invalid NAL unit size", 0) is None
    assert read_decoding(DAMAGED, 1) is None


def test_a_clean_run_has_no_errors():
    text = "[in#0/mpegts @ 0x5] [verbose]   Input stream #0:0 (video): 240 packets read; 240 frames decoded; 0 decode errors; "
    assert read_decoding(text, 0) == Decoding(240, 0)


def test_what_the_file_says_of_itself_is_not_loud():
    text = "\n".join(
        (
            "[info] Input #0, mov, from 'x':",
            "    title           : [error] no space left on device",
            "[mov @ 0x1] [error] moov atom not found",
        )
    )
    assert loud(text) == "[mov @ 0x1] [error] moov atom not found"
    assert loud("[vist#0:0/h264 @ 0x5] [dec:h264 @ 0x6] [warning] late") != ""
    assert loud("bwrap: no namespaces") != ""
