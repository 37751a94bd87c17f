from __future__ import annotations

from pathlib import Path

import pytest

from rushes.options import Placement, Watermark
from rushes.transcoder.filters import filter_graph
from rushes.transcoder.ladder import plan
from rushes.transcoder.watermark import Mark, rectangle

LOGO = Watermark(name="logo", key="watermarks/t/logo/ab.png", width=60, height=30, opacity=0.5, margin=0.1, size=0.25)
POSITIONS = ("top-left", "top", "top-right", "left", "center", "right", "bottom-left", "bottom", "bottom-right")


@pytest.mark.parametrize(
    ("position", "corner"),
    [
        ("top-left", (18, 18)),
        ("top", (120, 18)),
        ("top-right", (222, 18)),
        ("left", (18, 70)),
        ("center", (120, 70)),
        ("right", (222, 70)),
        ("bottom-left", (18, 122)),
        ("bottom", (120, 122)),
        ("bottom-right", (222, 122)),
    ],
)
def test_where_it_lies(position: str, corner: tuple[int, int]) -> None:
    wanted = LOGO.model_copy(update={"position": position})
    assert rectangle(wanted, (60, 30), (320, 180)) == (*corner, 80, 40)


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("mark", [(60, 30), (30, 600), (2048, 3), (1, 1)])
@pytest.mark.parametrize("picture", [(1920, 1080), (1080, 1920), (16, 16), (2, 2), (640, 18)])
@pytest.mark.parametrize(("size", "margin"), [(0.01, 0.0), (1.0, 0.4), (0.15, 0.03)])
def test_it_never_leaves_the_picture(
    position: str, mark: tuple[int, int], picture: tuple[int, int], size: float, margin: float
) -> None:
    placement = Placement.model_validate({"position": position, "size": size, "margin": margin})
    left, top, width, height = rectangle(placement, mark, picture)
    assert 0 <= left <= left + width <= picture[0]
    assert 0 <= top <= top + height <= picture[1]
    assert width >= 2 and height >= 2
    assert not any(side % 2 for side in (left, top, width, height))


def test_a_high_mark_is_made_smaller_and_keeps_its_shape() -> None:
    assert rectangle(Placement(size=0.5, margin=0.1), (100, 400), (320, 180))[2:] == (36, 144)


def test_it_is_laid_on_the_top_picture_before_the_others_are_made(make_facts, profile) -> None:  # type: ignore[no-untyped-def] # fixtures
    facts = make_facts(width=640, height=360)
    ladder = plan(facts, profile).ladders[0]
    text = filter_graph(facts.video, ladder, None, Mark(Path("/x/logo.png"), LOGO))
    top, mark, laid, lower = text.split(";")
    assert top.startswith("[0:0]") and top.endswith("[top]")
    assert mark.startswith("[1:0]format=rgba,colorchannelmixer=aa=0.5000,scale=160:80") and mark.endswith("[mark]")
    assert laid.startswith("[top][mark]overlay=x=444:y=244:eof_action=repeat:format=yuv420,")
    assert laid.endswith("split=2[v0][s0]")
    assert lower.startswith("[s0]scale=426:240")


def test_the_picture_is_opened_as_what_we_made_it() -> None:
    arguments = Mark(Path("/x/logo.png"), LOGO).input_args()
    assert arguments[-4:] == ["-f", "png_pipe", "-i", "file:/x/logo.png"]
    assert "-format_whitelist" in arguments
