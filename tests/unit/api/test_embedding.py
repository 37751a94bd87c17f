"""Addresses of pages with a player, sizes of frames, and the markup of one."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from rushes.api.embedding import Size, asset_of, fit, frame, oembed_address
from rushes.keys import new_id

ID = new_id(1_750_000_000.0, 5)
BASE = "https://v.example"


@pytest.mark.parametrize(
    "address",
    [
        f"{BASE}/watch/{ID}",
        f"{BASE}/embed/{ID}",
        f"{BASE}/watch/{ID}?quality=720p",
        f"{BASE}/embed/{ID}?start=3#top",
        f"HTTPS://V.EXAMPLE/watch/{ID}",
    ],
)
def test_our_pages(address: str) -> None:
    assert asset_of(address, [BASE]) == ID


@pytest.mark.parametrize(
    "address",
    [
        "",
        ID,
        f"/watch/{ID}",
        BASE,
        f"{BASE}/watch/",
        f"{BASE}/watch/nonsense",
        f"{BASE}/watch/{ID.upper()}",
        f"{BASE}/watch/{ID}/",
        f"{BASE}/watch/{ID}/../x",
        f"{BASE}/media/{ID}",
        f"{BASE}//watch/{ID}",
        f"{BASE}//evil.example/watch/{ID}",
        f"{BASE}/watch%2f{ID}",
        f"{BASE}/watch/{ID}%00",
        f"{BASE}/watch\\{ID}",
        f"{BASE}:443/watch/{ID}",
        f"{BASE}.evil.example/watch/{ID}",
        f"https://evil.example/watch/{ID}",
        f"https://evil.example/?{BASE}/watch/{ID}",
        f"https://v.example@evil.example/watch/{ID}",
        f"https://user:pass@v.example/watch/{ID}",
        f"http://v.example/watch/{ID}",
        f"javascript:{BASE}/watch/{ID}",
        f" {BASE}/watch/{ID}",
        f"{BASE}/watch/{ID}\n",
        f"{BASE}/watch/{ID}?x\r\nSet-Cookie: a=b",
        f"https://v\u2024example/watch/{ID}",
        f"{BASE}/watch/{ID}?" + "a" * 3000,
    ],
)
def test_everything_else_is_no_video_of_ours(address: str) -> None:
    assert asset_of(address, [BASE]) is None


@pytest.mark.parametrize(
    ("picture", "limits", "expected"),
    [
        (Size(1920, 1080), (None, None), Size(640, 360)),
        (Size(1920, 1080), (1280, None), Size(1280, 720)),
        (Size(1920, 1080), (1920, None), Size(1280, 720)),
        (Size(1920, 1080), (1280, 300), Size(533, 300)),
        (Size(1920, 1080), (None, 90), Size(160, 90)),
        (Size(1080, 1920), (None, None), Size(405, 720)),
        (Size(1080, 1920), (300, None), Size(300, 533)),
        (Size(4096, 2), (1, 1), Size(1, 1)),
        (None, (320, None), Size(320, 180)),
        (Size(0, 0), (None, None), Size(640, 360)),
    ],
)
def test_a_frame_has_the_shape_of_the_picture_within_the_limits(picture, limits, expected) -> None:
    found = fit(picture, *limits)
    assert found == expected
    assert found.width <= (limits[0] or 640)
    assert found.height <= (limits[1] or 720)


class Seen(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.mark.parametrize("title", ["Harbour", '"><script>alert(1)</script>', "' onload='x", "&amp; <b>", ""])
def test_a_title_cannot_leave_its_attribute(title: str) -> None:
    ((tag, attributes),) = Seen(frame(f"{BASE}/embed/{ID}", title, Size(640, 360))).tags
    assert tag == "iframe"
    assert attributes["title"] == (title or "Video")
    assert attributes["src"] == f"{BASE}/embed/{ID}"
    assert "onload" not in attributes
    assert not {"allow-top-navigation", "allow-modals", "allow-downloads"} & set(str(attributes["sandbox"]).split())


def test_the_description_is_asked_for_by_the_watch_page() -> None:
    address = oembed_address(BASE, ID, "xml")
    assert re.fullmatch(rf"{BASE}/oembed\?url=https%3A%2F%2Fv.example%2Fwatch%2F{ID}&format=xml", address)
