"""Eight bars of known colours in every form that pictures come in: the delivered ones have the same colours."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest

BARS = (
    "nullsrc=size={width}x{height}:rate=25:duration=0.04,format=gbrp,"
    "geq=r='32+160*mod(floor(X*8/W),2)':g='32+160*mod(floor(X*4/W),2)':b='32+160*mod(floor(X*2/W),2)',"
    "loop=-1:1:0,setpts=N/(25*TB),trim=duration=1"
)
TRUE = np.array([[32 + 160 * (n & 1), 32 + 160 * (n >> 1 & 1), 32 + 160 * (n >> 2 & 1)] for n in range(8)])
TOLERANCE = 6
"""Of 255, in the middle of a bar: what 4:2:0 in 8 bits and an encoder at CRF 23 leave."""
SD, HD = (320, 180), (1280, 720)


def tagged(matrix: str, spread: str = "tv") -> str:
    """A filter that makes YUV of this matrix and range, and says so."""
    name = {"bt709": "bt709", "smpte170m": "smpte170m", "bt2020nc": "bt2020"}[matrix]
    return (
        f"scale=out_color_matrix={name}:out_range={spread},format={{pix}},setparams=colorspace={matrix}:range={spread}"
    )


CASES = {
    "sd-bt601": (SD, tagged("smpte170m"), "yuv420p", ("-c:v", "libx264"), "mp4"),
    "sd-bt709": (SD, tagged("bt709"), "yuv420p", ("-c:v", "libx264"), "mp4"),
    "hd-bt709": (HD, tagged("bt709"), "yuv420p", ("-c:v", "libx264"), "mp4"),
    "hd-bt601": (HD, tagged("smpte170m"), "yuv420p", ("-c:v", "libx264"), "mp4"),
    "sd-untagged": (SD, "scale=out_color_matrix=bt601,format={pix},setparams=colorspace=unknown", "yuv420p",
                    ("-c:v", "libx264"), "mp4"),
    "hd-untagged": (HD, "scale=out_color_matrix=bt709,format={pix},setparams=colorspace=unknown", "yuv420p",
                    ("-c:v", "libx264"), "mp4"),
    "full-range": (SD, tagged("smpte170m", "pc"), "yuv420p", ("-c:v", "libx264"), "mp4"),
    "full-range-hd": (HD, tagged("bt709", "pc"), "yuv420p", ("-c:v", "libx264"), "mp4"),
    "mjpeg": (SD, "scale=out_color_matrix=bt601:out_range=pc,format={pix}", "yuvj422p", ("-c:v", "mjpeg", "-q:v", "2"), "avi"),
    "422": (SD, tagged("bt709"), "yuv422p", ("-c:v", "libx264"), "mp4"),
    "444": (SD, tagged("bt709"), "yuv444p", ("-c:v", "libx264"), "mp4"),
    "422-10-bits": (SD, tagged("bt709"), "yuv422p10le", ("-c:v", "libx264"), "mov"),
    "420-10-bits": (SD, tagged("bt709"), "yuv420p10le", ("-c:v", "libx265", "-x265-params", "log-level=error"), "mp4"),
    "12-bits": (SD, tagged("bt709"), "yuv444p12le", ("-c:v", "ffv1"), "mkv"),
    "prores-422": (SD, tagged("bt709"), "yuv422p10le", ("-c:v", "prores_ks"), "mov"),
    "rgb": (SD, "format={pix}", "gbrp", ("-c:v", "ffv1"), "mkv"),
    "rgb-16-bits": (SD, "format={pix}", "gbrp16le", ("-c:v", "ffv1"), "mkv"),
    "rgb-h264": (SD, "format={pix}", "gbrp", ("-c:v", "libx264rgb"), "mkv"),
    "opaque-alpha": (SD, tagged("bt709"), "yuva444p10le", ("-c:v", "prores_ks"), "mov"),
    "wide-gamut-matrix": (SD, tagged("bt2020nc"), "yuv420p10le", ("-c:v", "libx265", "-x265-params", "log-level=error"), "mp4"),
    "odd": ((321, 181), tagged("bt709"), "yuv444p", ("-c:v", "libx264"), "mp4"),
    "odd-420": ((321, 181), tagged("bt709"), "yuv420p", ("-c:v", "libvpx-vp9", "-deadline", "realtime"), "webm"),
    "gif": (SD, "format=rgb24,split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=none,format={pix}", "pal8",
            ("-c:v", "gif"), "gif"),
}  # fmt: skip


def delivered(place, track) -> tuple[np.ndarray, object]:
    """The colour in the middle of each bar, and the last frame."""
    with av.open(io.BytesIO(place.joined(track))) as container:
        frame = list(container.decode(video=0))[-1]
    picture = frame.to_ndarray(format="rgb24").astype(int)
    height, width, _ = picture.shape
    bars = [
        picture[height // 3 : 2 * height // 3, round((n + 0.35) * width / 8) : round((n + 0.65) * width / 8)]
        for n in range(8)
    ]
    return np.array([bar.reshape(-1, 3).mean(axis=0) for bar in bars]), frame


@pytest.mark.parametrize("name", CASES)
def test_colours_stay(stage, make_clip, name):
    (width, height), chain, pix, codec, kind = CASES[name]
    filters = f"{BARS.format(width=width, height=height)},{chain.format(pix=pix)}"
    speed = ("-preset", "ultrafast") if codec[1].startswith("libx26") else ()
    pixels = () if codec[1] in ("gif", "libx264rgb") else ("-pix_fmt", pix)
    place = stage(make_clip(f"bars-{name}.{kind}", "-f", "lavfi", "-i", filters, *codec, *speed, *pixels))
    track = place.encode().tracks[0]
    found, frame = delivered(place, track)
    assert np.abs(found - TRUE).max() <= TOLERANCE, found.round()
    # And what is delivered says what its numbers mean, in even sizes
    assert (frame.colorspace, frame.color_range, frame.format.name) == (1, 1, "yuv420p")
    assert (frame.color_primaries, frame.color_trc) == (1, 1)
    assert (frame.width % 2, frame.height % 2) == (0, 0)


TRANSPARENT = [
    ("yuva420p", ("-c:v", "libvpx-vp9", "-deadline", "realtime"), "webm"),
    ("yuva444p", ("-c:v", "ffv1"), "mkv"),
    ("rgba", ("-c:v", "png"), "mov"),
]


@pytest.mark.parametrize(("pix", "codec", "kind"), TRANSPARENT)
def test_what_is_transparent_lies_on_black(stage, make_clip, pix, codec, kind):
    """The left half of the picture is opaque, the right one is not there."""
    half = "format=gbrap,geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a='255*lt(X,W/2)'"
    matrix = "" if pix == "rgba" else "scale=out_color_matrix=bt601,"
    chain = f"{BARS.format(width=320, height=180)},{half},{matrix}format={pix}"
    place = stage(make_clip(f"alpha-{pix}.{kind}", "-f", "lavfi", "-i", chain, *codec, "-pix_fmt", pix))
    found, _ = delivered(place, place.encode().tracks[0])
    assert np.abs(found[:4] - TRUE[:4]).max() <= TOLERANCE + 2, found.round()
    assert found[5:].max() <= TOLERANCE, found.round()


@pytest.mark.parametrize(("rate", "expected"), [("120", 60.0), ("47.5", 50.0), ("12.5", 13.0), ("90", 45.0)])
def test_rates_become_ones_that_players_know(stage, make_clip, rate, expected):
    source = make_clip(f"rate-{rate}.mp4", "-f", "lavfi", "-i", f"testsrc2=size=160x90:rate={rate}:duration=2", "-c:v", "libx264",
                       "-preset", "ultrafast")  # fmt: skip
    place = stage(source)
    track = place.encode().tracks[0]
    assert float(track.fps) in (expected, float(rate))
    assert float(track.fps) <= 60
    assert track.duration == pytest.approx(2, abs=0.04)


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_woven_pictures_that_claim_to_be_progressive_are_unwoven(stage, make_clip, order):
    scene = (
        "nullsrc=size=1440x576:rate=1:duration=1,geq=lum='random(1)*255':cb=128:cr=128,gblur=sigma=3,eq=contrast=4,"
        f"loop=-1:1:0,setpts=N/(50*TB),fps=50,scroll=horizontal=0.004,crop=720:576,interlace=scan={order},setfield=prog"
    )
    source = make_clip(
        f"woven-{order}.mp4", "-f", "lavfi", "-i", scene, "-t", "2", "-c:v", "libx264", "-preset", "ultrafast"
    )
    place = stage(source)
    assert place.facts.video.field_order == order

    def combs(picture: np.ndarray) -> float:
        """How much neighbouring lines differ, as a share of how much every other line does."""
        lines = picture[..., 1].astype(int)
        return float(np.abs(np.diff(lines, axis=0)).mean() / np.abs(lines[2:] - lines[:-2]).mean())

    with av.open(str(source)) as container:
        before = combs([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)][20])
    after = combs(place.pictures(place.encode().tracks[0])[20][1])
    assert before > 1.2
    assert after < 0.75
