from __future__ import annotations

import pytest

from rushes.transcoder.filters import filter_graph
from rushes.transcoder.ladder import plan


def graph(facts, profile):
    return filter_graph(facts.video, plan(facts, profile).ladders[0])


def test_the_whole_graph_of_a_plain_clip(make_facts, profile):
    assert graph(make_facts(width=640, height=360), profile) == (
        "[0:0]sidedata=mode=delete,scale=640:360:flags=bicubic,fps=fps=30/1:start_time=0:round=near,"
        "scale=640:360:flags=bicubic:in_color_matrix=bt601:in_range=limited:out_color_matrix=bt709:out_range=limited,"
        "format=yuv420p,setsar=1,"
        "setparams=range=limited:color_primaries=bt709:color_trc=bt709:colorspace=bt709,split=2[v0][s0];"
        "[s0]scale=426:240:flags=bicubic,setsar=1[v1]"
    )


def test_each_rung_is_made_from_the_one_above(make_facts, profile):
    parts = graph(make_facts(), profile).split(";")
    assert [part.split("]")[0] for part in parts] == ["[0:0", "[s0", "[s1", "[s2", "[s3"]
    assert [part.rsplit("[", 1)[1] for part in parts] == ["s0]", "s1]", "s2]", "s3]", "v4]"]


@pytest.mark.parametrize(
    ("rotation", "flip", "filters"),
    [
        (0, False, ""),
        (90, False, "transpose=clock,"),
        (180, False, "hflip,vflip,"),
        (270, False, "transpose=cclock,"),
        (0, True, "hflip,"),
        (90, True, "transpose=clock,hflip,"),
    ],
)
def test_the_picture_is_turned_upright_after_scaling(make_facts, profile, rotation, flip, filters):
    text = graph(make_facts(rotation=rotation, flip=flip), profile)
    assert f"format=yuv420p,setsar=1,{filters}setparams" in text


def test_a_sideways_picture_is_scaled_before_it_is_turned(make_facts, profile):
    assert ",scale=1920:1080:flags=bicubic:in_color_matrix=bt709" in graph(
        make_facts(width=3840, height=2160, rotation=90), profile
    )


def test_interlaced_pictures_are_repaired_before_anything_else(make_facts, profile):
    text = graph(make_facts(interlaced=True), profile)
    assert text.index("bwdif") < text.index("fps=") < text.index("in_color_matrix")
    assert "bwdif" not in graph(make_facts(), profile)


@pytest.mark.parametrize(("hdr", "transfer"), [("pq", "smpte2084"), ("hlg", "arib-std-b67")])
def test_hdr_is_mapped_once_at_the_top_size(make_facts, profile, hdr, transfer):
    text = graph(make_facts(width=3840, height=2160, hdr=hdr, pix_fmt="yuv420p10le", primaries="bt2020"), profile)
    assert text.count("tonemap=tonemap=") == 1
    assert f"tin={transfer}:min=2020_ncl:pin=2020:rin=limited" in text
    assert text.index("scale=1920:1080") < text.index("tonemap=tonemap=")


@pytest.mark.parametrize("pix_fmt", ["yuva420p", "bgra", "pal8", "gbrap"])
def test_transparency_is_laid_on_black(make_facts, profile, pix_fmt):
    assert "premultiply=inplace=1" in graph(make_facts(pix_fmt=pix_fmt), profile)
    assert "premultiply" not in graph(make_facts(), profile)


@pytest.mark.parametrize(("primaries", "name"), [("smpte432", "smpte432"), ("bt2020", "2020")])
def test_wide_colours_of_sdr_become_those_of_bt709(make_facts, profile, primaries, name):
    text = graph(make_facts(primaries=primaries), profile)
    assert text.count(f"format=yuv420p,zscale=pin={name}:p=709:") == 1


@pytest.mark.parametrize("primaries", [None, "bt709", "smpte170m", "bt470bg"])
def test_usual_colours_are_left_alone(make_facts, profile, primaries):
    assert "zscale" not in graph(make_facts(primaries=primaries), profile)


def test_transparent_pictures_become_rgb_by_the_matrix_they_are_in(make_facts, profile):
    # Given large pictures that do not say their matrix
    text = graph(make_facts(pix_fmt="yuva420p", matrix=None), profile)
    assert "scale=in_color_matrix=bt709:in_range=limited,format=gbrap,premultiply" in text


@pytest.mark.parametrize(
    ("matrix", "height", "expected"),
    [
        ("smpte170m", 1080, "bt601"),
        ("bt470bg", 576, "bt601"),
        ("bt709", 360, "bt709"),
        ("bt2020nc", 1080, "bt2020"),
        (None, 1080, "bt709"),
        (None, 480, "bt601"),
        ("unknown", 480, "bt601"),
    ],
)
def test_the_matrix_is_the_tagged_one_else_the_customary_one(make_facts, profile, matrix, height, expected):
    text = graph(make_facts(width=height * 16 // 9, height=height, matrix=matrix), profile)
    assert f"in_color_matrix={expected}:" in text


@pytest.mark.parametrize(("full", "pix_fmt"), [(True, "yuv420p"), (False, "yuvj420p")])
def test_full_range_is_brought_to_limited(make_facts, profile, full, pix_fmt):
    assert "in_range=full:" in graph(make_facts(full_range=full, pix_fmt=pix_fmt), profile)
