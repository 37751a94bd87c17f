"""What the probe measures instead of believing it, on clips that say one thing and are another."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import pytest

from rushes.engine.job import ToolSettings
from rushes.facts import SourceFacts
from rushes.ffmpeg.probe import probe

SCENE = (
    "nullsrc=size=1440x{lines}:rate=1:duration=1,geq=lum='random(1)*255':cb=128:cr=128,gblur=sigma=3,eq=contrast=4,"
    "loop=-1:1:0,setpts=N/({rate}*TB),fps={rate},scroll=horizontal=0.004,crop={width}:{lines}"
)
"""A soft pattern that passes by: it has no detail finer than a lens gives."""
WOVEN = ",interlace=scan={order}"
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "18")


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Callable[..., Path]:
    folder = tmp_path_factory.mktemp("clips")

    def make(name: str, filters: str, *options: str, rate: int = 25, size: tuple[int, int] = (720, 576)) -> Path:
        path: Path = folder / name
        if not path.exists():
            scene = SCENE.format(rate=rate, width=size[0], lines=size[1])
            command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i"]
            subprocess.run([*command, scene + filters, "-t", "3", *options, str(path)], check=True, timeout=120)
        return path

    return make


def facts(path: Path) -> SourceFacts:
    return probe(path, ToolSettings())


@pytest.mark.parametrize("order", ["tff", "bff"])
@pytest.mark.parametrize("flagged", [True, False])
def test_woven_pictures_are_seen_whatever_the_flags_say(clip, order, flagged):
    mode = "tff" if order == "tff" else "bff"
    flags = (",setfield=" + mode, "-x264-params", f"{mode}=1") if flagged else (",setfield=prog",)
    path = clip(f"{order}-{flagged}.mp4", WOVEN.format(order=order) + flags[0], *X264, *flags[1:], rate=50)
    found = facts(path)
    assert (found.video.interlaced, found.video.field_order) == (True, order)
    assert found.provenance["interlaced"] == "measured"


def test_flags_alone_do_not_make_pictures_woven(clip):
    path = clip("liar.mp4", ",setfield=tff", *X264, "-x264-params", "tff=1")
    found = facts(path)
    assert (found.video.interlaced, found.provenance["interlaced"]) == (False, "measured")


def test_where_nothing_moves_the_flags_count(clip):
    still = ",select='eq(n,0)',loop=-1:1:0,setpts=N/(25*TB),trim=duration=3"
    flagged = facts(clip("still.mp4", still + ",setfield=tff", *X264, "-x264-params", "tff=1"))
    assert (flagged.video.interlaced, flagged.provenance["interlaced"]) == (True, "bitstream")
    assert not facts(clip("still-plain.mp4", still, *X264)).video.interlaced


def test_an_ordinary_clip_of_a_television_size_is_progressive(clip):
    found = facts(clip("plain.mp4", "", *X264))
    assert (found.video.interlaced, found.provenance["interlaced"]) == (False, "measured")


def test_sizes_that_were_never_interlaced_are_not_looked_at(clip):
    found = facts(clip("portrait.mp4", "", *X264, size=(360, 640)))
    assert (found.video.interlaced, found.provenance["interlaced"]) == (False, "bitstream")


def test_mpeg2_and_ten_bits(clip):
    broadcast = clip(
        "b.ts", WOVEN.format(order="tff"), "-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-b:v", "8M", rate=50
    )
    assert facts(broadcast).video.field_order == "tff"
    deep = WOVEN.format(order="bff") + ",format=yuv422p10le,setfield=prog"
    assert facts(clip("deep.mkv", deep, "-c:v", "ffv1", rate=50)).video.field_order == "bff"


def test_edit_lists_are_counted_and_lengths_compared(clip):
    found = facts(clip("plain.mp4", "", *X264))
    assert found.video.edits == 1
    assert found.declared_duration == pytest.approx(3.0, abs=0.05)
    assert facts(clip("plain.mkv", "", *X264)).video.edits == 0


def test_hdr_says_of_what_kind_it_is(clip):
    tags = ("-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc")
    light = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    options = ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", *tags)
    graded = ",setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc"
    path = clip("hdr.mp4", graded, *options, "-x265-params", f"log-level=error:hdr10=1:master-display={light}:max-cll=1000,400",
                size=(320, 180))  # fmt: skip
    video = facts(path).video
    assert (video.hdr, video.hdr_format, video.dolby_vision) == ("pq", "hdr10", None)
    assert video.mastering is not None
    assert video.mastering.red == pytest.approx((0.68, 0.32))
    assert (video.mastering.most, video.mastering.least) == pytest.approx((1000, 0.005))
    assert video.light == (1000, 400)
